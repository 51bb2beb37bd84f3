/* services/ingest/acks.c - coalescing.  A stream stands in one of two queues: those whose ack is
 * due, or those told less than a second ago, in the order they were told; so a look costs what is
 * due and not what is known. */
#include "acks.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "compact.h"
#include "lib/map.h"

#define EVERY_MS 1000
#define FREED_BYTES 16384
#define STREAMS_MAX 400000

struct waiting {
    TAILQ_ENTRY(waiting) next;
    struct compact mark;
    size_t bytes; /* freed since its last ack */
    bool known, is_due, pending;
    int64_t sent_ms;
    char key[ACK_KEY];
};

TAILQ_HEAD(line, waiting);

struct acks {
    struct map *streams; /* by key */
    struct line due, told;
};

static void waiting_done(void *value)
{
    compact_done(&((struct waiting *)value)->mark);
}

enum status acks_open(struct acks **out, struct fault *fault)
{
    struct acks *a = calloc(1, sizeof *a);
    enum status st;

    if (!a)
        return fault_set(fault, ST_FATAL, "out of memory");
    TAILQ_INIT(&a->due);
    TAILQ_INIT(&a->told);
    if ((st = map_open(&a->streams, sizeof(struct waiting), STREAMS_MAX, waiting_done, fault)) !=
        ST_OK) {
        free(a);
        return st;
    }
    *out = a;
    return ST_OK;
}

static void make_due(struct acks *a, struct waiting *w)
{
    if (w->is_due)
        return;
    if (w->known)
        TAILQ_REMOVE(&a->told, w, next);
    TAILQ_INSERT_TAIL(&a->due, w, next);
    w->known = w->is_due = true;
}

void acks_key(char key[ACK_KEY], const char *vin, const char *stream)
{
    size_t len = strnlen(stream, UUID_TEXT);

    memcpy(key, vin, VIN_LEN);
    key[VIN_LEN] = ' ';
    memcpy(key + VIN_LEN + 1, stream, len);
    key[VIN_LEN + 1 + len] = '\0';
}

void acks_note(struct acks *a, const char *vin, const char *stream, const struct watermark *mark,
               size_t bytes, bool at_once)
{
    char key[ACK_KEY];
    struct waiting *w;

    acks_key(key, vin, stream);
    w = map_put(a->streams, key);
    if (!w || !compact_set(&w->mark, mark))
        return; /* full: the vehicle sends again and asks */
    if (!w->known)
        memcpy(w->key, key, strlen(key) + 1);
    w->bytes += bytes;
    w->pending = true;
    if (!w->known || at_once || w->bytes >= FREED_BYTES)
        make_due(a, w);
}

/* Those whose second is over: told again if there is news, forgotten if not. */
static void end_seconds(struct acks *a, int64_t now_ms)
{
    struct waiting *w;

    while ((w = TAILQ_FIRST(&a->told)) != NULL &&
           (now_ms == INT64_MAX || now_ms - w->sent_ms >= EVERY_MS)) {
        if (w->pending) {
            make_due(a, w);
            continue;
        }
        TAILQ_REMOVE(&a->told, w, next);
        map_remove(a->streams, w->key);
    }
}

void acks_due(struct acks *a, int64_t now_ms,
              bool (*send)(void *self, const char *vin, const char *stream,
                           const struct watermark *mark),
              void *self)
{
    struct watermark mark;
    struct waiting *w;
    char vin[VIN_LEN + 1] = "";

    end_seconds(a, now_ms);
    while ((w = TAILQ_FIRST(&a->due)) != NULL) {
        memcpy(vin, w->key, VIN_LEN);
        compact_get(&w->mark, &mark);
        if (!send(self, vin, w->key + VIN_LEN + 1, &mark))
            return; /* nor would the others be taken now */
        TAILQ_REMOVE(&a->due, w, next);
        TAILQ_INSERT_TAIL(&a->told, w, next);
        w->is_due = w->pending = false;
        w->bytes = 0;
        w->sent_ms = now_ms;
    }
}

size_t acks_waiting(const struct acks *a)
{
    return map_count(a->streams);
}

void acks_close(struct acks *a)
{
    if (!a)
        return;
    map_close(a->streams);
    free(a);
}
