/* services/ingest/commit/tally.c - those that wait stand in the order they began to. */
#include "tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "columns.h"
#include "lib/map.h"
#include "lib/text.h"

#define PAUSE_MS 1000
#define ROWS_MAX 500
#define VEHICLES_MAX 200000
#define HOUR_MS (3600 * 1000)
#define LAG_FULL 10000

enum count { RECORDS, SAMPLES, DUPLICATES, SKIPPED, RECOVERED, LOST, COUNTS };

struct tally {
    TAILQ_ENTRY(tally) next;
    int64_t since_ms; /* the first of it */
    uint32_t counts[COUNTS];
    uint16_t lag[LAG_BUCKETS]; /* a car each: they are written before they are full */
    bool full;
    char vin[VIN_LEN + 1];
};

struct tallies {
    struct pg *db;
    char site[32];
    struct map *by_vin;
    TAILQ_HEAD(, tally) waiting;
    struct columns c;
    struct text text;
    int64_t wait_ms, wrote_ms;
};

/* ---- counting */
unsigned tally_bucket(int64_t lag_ms)
{
    uint64_t tens = lag_ms > 0 ? (uint64_t)(lag_ms - 1) / 10 : 0; /* 20 ms is still the first */
    unsigned log, bucket;

    if (tens < 2)
        return 0;
    log = 63 - (unsigned)__builtin_clzll(tens);
    bucket = 2 * log - 1 + (unsigned)(tens >> (log - 1) & 1);
    return bucket < LAG_BUCKETS ? bucket : LAG_BUCKETS - 1;
}

enum status tallies_open(struct tallies **out, struct pg *db, const char *site, int64_t wait_ms,
                         struct fault *fault)
{
    struct tallies *t = calloc(1, sizeof *t);
    enum status st;

    if (!t)
        return fault_set(fault, ST_FATAL, "out of memory");
    t->db = db;
    t->wait_ms = wait_ms;
    snprintf(t->site, sizeof t->site, "%s", site);
    TAILQ_INIT(&t->waiting);
    text_init(&t->text);
    if ((st = map_open(&t->by_vin, sizeof(struct tally), VEHICLES_MAX, NULL, fault)) != ST_OK) {
        free(t);
        return st;
    }
    *out = t;
    return ST_OK;
}

static struct tally *find(struct tallies *t, const char *vin, int64_t now_ms)
{
    struct tally *v = map_put(t->by_vin, vin);

    if (!v || v->since_ms)
        return v;
    v->since_ms = now_ms;
    text_copy(v->vin, sizeof v->vin, vin);
    TAILQ_INSERT_TAIL(&t->waiting, v, next);
    return v;
}

void tallies_record(struct tallies *t, const struct record *r, bool is_new, int64_t now_ms)
{
    struct tally *v = find(t, r->from.topic.vin, now_ms);

    if (!v)
        return;
    v->counts[is_new ? RECORDS : DUPLICATES]++;
    if (!is_new || r->dead || r->from.topic.leaf != LEAF_TELEMETRY)
        return;
    v->counts[SAMPLES] += (uint32_t)r->telemetry.sample_count;
    for (size_t i = 0; i < r->telemetry.sample_count; i++) {
        uint16_t *n = &v->lag[tally_bucket(r->from.received_ms - r->telemetry.samples[i].t_ms)];

        *n = (uint16_t)(*n + (*n < UINT16_MAX));
        v->full |= *n >= LAG_FULL;
    }
    if (v->full && v != TAILQ_FIRST(&t->waiting)) { /* its turn comes at once */
        TAILQ_REMOVE(&t->waiting, v, next);
        TAILQ_INSERT_HEAD(&t->waiting, v, next);
    }
}

/* A number a car made up may be any. */
static void add(uint32_t *count, int64_t n)
{
    *count = n > (int64_t)(UINT32_MAX - *count) ? UINT32_MAX : *count + (uint32_t)n;
}

void tallies_numbers(struct tallies *t, const char *vin, int64_t skipped, int64_t recovered,
                     int64_t lost, int64_t now_ms)
{
    struct tally *v = skipped || recovered || lost ? find(t, vin, now_ms) : NULL;

    if (!v)
        return;
    add(&v->counts[SKIPPED], skipped);
    add(&v->counts[RECOVERED], recovered);
    add(&v->counts[LOST], lost);
}

/* ---- rows */
static bool is_due(const struct tallies *t, const struct tally *v, int64_t now_ms)
{
    return v->full || now_ms - v->since_ms >= t->wait_ms ||
           now_ms < v->since_ms; /* the clock was set back */
}

static void add_row(struct tallies *t, const struct tally *v)
{
    struct pg_array *column = t->c.column;
    size_t used = LAG_BUCKETS;

    while (used > 0 && v->lag[used - 1] == 0)
        used--;
    text_clear(&t->text);
    text_print(&t->text, "{");
    for (size_t i = 0; i < used; i++)
        text_print(&t->text, "%s%u", i ? "," : "", v->lag[i]);
    text_print(&t->text, "}");
    pg_array_text(&column[0], t->site, strlen(t->site));
    pg_array_text(&column[1], v->vin, VIN_LEN);
    pg_array_int8(&column[2], v->since_ms / HOUR_MS * HOUR_MS);
    for (size_t i = 0; i < COUNTS; i++)
        pg_array_int8(&column[3 + i], v->counts[i]);
    pg_array_text(&column[3 + COUNTS], t->text.bytes, t->text.len);
}

/* In the order of their keys another instance may lock them too. */
static size_t add_due(struct tallies *t, int64_t now_ms, bool all)
{
    static const Oid types[] = {PG_TEXT, PG_TEXT, PG_INT8, PG_INT8, PG_INT8,
                                PG_INT8, PG_INT8, PG_INT8, PG_INT8, PG_TEXT};
    struct tally *v;
    size_t n = 0;

    columns_begin(&t->c, 4 + COUNTS, types);
    TAILQ_FOREACH(v, &t->waiting, next)
    {
        if (n == ROWS_MAX || (!all && !is_due(t, v, now_ms)))
            break;
        add_row(t, v);
        n++;
    }
    return n;
}

static void forget(struct tallies *t, size_t n)
{
    struct tally *v;

    while (n-- > 0 && (v = TAILQ_FIRST(&t->waiting)) != NULL) {
        char vin[VIN_LEN + 1];

        memcpy(vin, v->vin, sizeof vin);
        TAILQ_REMOVE(&t->waiting, v, next);
        map_remove(t->by_vin, vin);
    }
}

static enum status write_some(struct tallies *t, int64_t now_ms, bool all, size_t *n,
                              struct fault *fault)
{
    enum status st;

    *n = add_due(t, now_ms, all);
    if (*n == 0)
        return ST_OK;
    st = columns_run(
        &t->c, t->db, 4 + COUNTS,
        "INSERT INTO loss_hour AS h (site, vin, hour, records, samples, duplicates, skipped, "
        "recovered, lost, lag, missing) SELECT i, v, to_timestamp(t / 1000), r, s, d, k, e, l, "
        "g::bigint[], missing(v, i) "
        "FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
        "AS f (i, v, t, r, s, d, k, e, l, g) ORDER BY v "
        "ON CONFLICT (vin, site, hour) DO UPDATE SET records = h.records + excluded.records, "
        "samples = h.samples + excluded.samples, duplicates = h.duplicates + excluded.duplicates, "
        "skipped = h.skipped + excluded.skipped, recovered = h.recovered + excluded.recovered, "
        "lost = h.lost + excluded.lost, lag = lag_add(h.lag, excluded.lag), "
        "missing = excluded.missing",
        NULL, fault);
    if (st == ST_OK)
        forget(t, *n);
    return st;
}

enum status tallies_write(struct tallies *t, int64_t now_ms, bool all, struct fault *fault)
{
    enum status st;
    size_t n;

    if (!all && now_ms - t->wrote_ms >= 0 && now_ms - t->wrote_ms < PAUSE_MS)
        return ST_OK;
    t->wrote_ms = now_ms;
    do
        st = write_some(t, now_ms, all, &n, fault);
    while (all && st == ST_OK && n == ROWS_MAX);
    return st;
}

void tallies_close(struct tallies *t)
{
    if (!t)
        return;
    columns_done(&t->c);
    text_done(&t->text);
    map_close(t->by_vin);
    free(t);
}
