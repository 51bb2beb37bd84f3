/* services/api/limit.c - token buckets and sign-in delays. */
#include "limit.h"

#include <arpa/inet.h>
#include <math.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/map.h"
#include "lib/text.h"

#define FORGET_MS (15 * 60 * 1000)
#define HOLD_FIRST_MS 250
#define HOLD_LAST_MS 8000
#define HOLD_FREE 3 /* wrong passwords an account has before it is held back */
#define REFUSE_FREE 10
#define REFUSE_LAST_S 300

/* ---- token buckets */
struct bucket {
    double tokens;
    int64_t at_ms; /* 0: new */
};

struct limits {
    struct map *buckets;
};

enum status limits_open(struct limits **out, struct fault *fault)
{
    struct limits *l = calloc(1, sizeof *l);
    enum status st;

    if (!l)
        return fault_set(fault, ST_FATAL, "out of memory");
    st = map_open(&l->buckets, sizeof(struct bucket), LIMIT_KEYS_MAX, NULL, fault);
    if (st != ST_OK) {
        free(l);
        return st;
    }
    *out = l;
    return ST_OK;
}

static bool recently_used(void *self, const char *key, void *value)
{
    const struct bucket *b = value;
    const int64_t *now_ms = self;

    (void)key;
    return *now_ms - b->at_ms < 60 * 1000;
}

bool limits_take(struct limits *l, const char *key, struct rate rate, int64_t now_ms, int *retry_s)
{
    struct bucket *b = map_put(l->buckets, key);

    if (!b) { /* full: a bucket that was quiet for a minute is full again and need not be remembered
               */
        map_each(l->buckets, recently_used, &now_ms);
        b = map_put(l->buckets, key);
    }
    if (!b) {
        *retry_s = 1;
        return false;
    }
    if (!b->at_ms)
        b->tokens = rate.burst;
    else if (now_ms > b->at_ms)
        b->tokens = fmin(rate.burst, b->tokens + (double)(now_ms - b->at_ms) / 1000 * rate.per_s);
    if (now_ms > b->at_ms)
        b->at_ms = now_ms;
    if (b->tokens < 1) {
        *retry_s = (int)ceil((1 - b->tokens) / rate.per_s);
        return false;
    }
    b->tokens -= 1;
    return true;
}

void limits_close(struct limits *l)
{
    if (!l)
        return;
    map_close(l->buckets);
    free(l);
}

/* ---- where from */
void source_of(char out[64], const char *address)
{
    const char *plain =
        !strncmp(address, "::ffff:", 7) && strchr(address, '.') ? address + 7 : address;
    unsigned char b[16];

    if (inet_pton(AF_INET, plain, b) == 1)
        snprintf(out, 64, "%u.%u.%u.0/24", b[0], b[1], b[2]);
    else if (inet_pton(AF_INET6, address, b) == 1)
        snprintf(out, 64, "%02x%02x:%02x%02x:%02x%02x:%02x%02x::/64", b[0], b[1], b[2], b[3], b[4],
                 b[5], b[6], b[7]);
    else
        snprintf(out, 64, "unknown");
}

/* ---- wrong passwords */
struct failures {
    int count;
    int64_t last_ms;
};

struct delays {
    struct map *accounts, *sources;
};

enum status delays_open(struct delays **out, struct fault *fault)
{
    struct delays *d = calloc(1, sizeof *d);
    enum status st;

    if (!d)
        return fault_set(fault, ST_FATAL, "out of memory");
    if ((st = map_open(&d->accounts, sizeof(struct failures), LIMIT_KEYS_MAX, NULL, fault)) !=
            ST_OK ||
        (st = map_open(&d->sources, sizeof(struct failures), LIMIT_KEYS_MAX, NULL, fault)) !=
            ST_OK) {
        delays_close(d);
        return st;
    }
    *out = d;
    return ST_OK;
}

/* Names are of any length, keys are not; and no name need lie in memory. */
static void account_key(char out[33], const char *account)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)account, strlen(account), hash);
    text_hex(out, hash, 16);
}

/* How many wrong ones count now. */
static int failures_now(struct map *m, const char *key, int64_t now_ms)
{
    const struct failures *f = map_get(m, key);

    return f && now_ms - f->last_ms < FORGET_MS ? f->count : 0;
}

bool delays_admit(struct delays *d, const char *account, const char *source, int64_t now_ms,
                  int64_t *hold_ms, int *retry_s)
{
    char key[33];
    int over;

    *hold_ms = 0;
    over = failures_now(d->sources, source, now_ms) - REFUSE_FREE;
    if (over >= 0) {
        const struct failures *f = map_get(d->sources, source);
        int64_t wait_s = over > 8 ? REFUSE_LAST_S : INT64_C(1) << over;
        int64_t left_ms = f->last_ms + wait_s * 1000 - now_ms;

        if (left_ms > 0) {
            *retry_s = (int)((left_ms + 999) / 1000);
            return false;
        }
    }
    account_key(key, account);
    over = failures_now(d->accounts, key, now_ms) - HOLD_FREE;
    if (over >= 0)
        *hold_ms = over > 5 ? HOLD_LAST_MS : (int64_t)HOLD_FIRST_MS << over;
    return true;
}

static bool not_forgotten(void *self, const char *key, void *value)
{
    const struct failures *f = value;
    const int64_t *now_ms = self;

    (void)key;
    return *now_ms - f->last_ms < FORGET_MS;
}

static void count_failure(struct map *m, const char *key, int64_t now_ms)
{
    struct failures *f = map_put(m, key);

    if (!f) {
        map_each(m, not_forgotten, &now_ms);
        f = map_put(m, key);
    }
    if (!f)
        return; /* 20,000 under attack at once: the hashing lane is the limit then */
    if (now_ms - f->last_ms >= FORGET_MS)
        f->count = 0;
    f->count++;
    f->last_ms = now_ms;
}

void delays_failed(struct delays *d, const char *account, const char *source, int64_t now_ms)
{
    char key[33];

    account_key(key, account);
    count_failure(d->accounts, key, now_ms);
    count_failure(d->sources, source, now_ms);
}

void delays_succeeded(struct delays *d, const char *account)
{
    char key[33];

    account_key(key, account);
    map_remove(d->accounts, key);
}

void delays_close(struct delays *d)
{
    if (!d)
        return;
    map_close(d->accounts);
    map_close(d->sources);
    free(d);
}
