/* services/ingest/commit/touched.c - most of a group touches what the group before it touched: a
 * small table says so.  Who computes takes rows that have rested for `wait_ms`, and a row is
 * refreshed once ours is half as old: so no sample can slip in between. */
#include "touched.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "proto/hash.h"

#define SLOTS 32768 /* two that meet in one are both written each time, no harm */

struct slot {
    uint64_t key; /* of vehicle and span, 0: none */
    int64_t wrote_ms;
};

struct span {
    const char *vin; /* of a record of the group */
    int64_t number;
};

struct touched {
    struct pg *db;
    char site[32];
    int64_t keep_ms, now_ms;
    struct slot *slots;
    struct span *spans; /* of this group, sorted, each once */
    size_t count, room;
    struct columns c;
};

enum status touched_open(struct touched **out, struct pg *db, const char *site, int64_t wait_ms,
                         struct fault *fault)
{
    struct touched *t = calloc(1, sizeof *t);

    if (!t || !(t->slots = calloc(SLOTS, sizeof *t->slots))) {
        free(t);
        return fault_set(fault, ST_FATAL, "out of memory");
    }
    t->db = db;
    t->keep_ms = wait_ms / 2;
    snprintf(t->site, sizeof t->site, "%s", site);
    *out = t;
    return ST_OK;
}

static uint64_t key_of(const char *vin, int64_t number)
{
    uint64_t hash = hash_bytes((uint64_t)number, vin, VIN_LEN);

    return hash ? hash : 1;
}

static bool is_written(const struct touched *t, uint64_t key)
{
    const struct slot *s = &t->slots[key % SLOTS];

    return s->key == key && t->now_ms - s->wrote_ms < t->keep_ms;
}

static enum status add(struct touched *t, const char *vin, int64_t number, struct fault *fault)
{
    if (is_written(t, key_of(vin, number)))
        return ST_OK;
    if (t->count > 0 && t->spans[t->count - 1].number == number &&
        strcmp(t->spans[t->count - 1].vin, vin) == 0)
        return ST_OK;
    if (t->count == t->room) {
        size_t room = t->room ? 2 * t->room : 64;
        struct span *more = realloc(t->spans, room * sizeof *more);

        if (!more)
            return fault_set(fault, ST_RETRY, "out of memory for %zu spans", room);
        t->spans = more;
        t->room = room;
    }
    t->spans[t->count++] = (struct span){vin, number};
    return ST_OK;
}

static enum status add_record(struct touched *t, const struct record *r, struct fault *fault)
{
    const struct sample *samples = r->telemetry.samples;
    size_t n = r->telemetry.sample_count;
    int64_t newest = n ? samples[n - 1].t_ms / SPAN_MS : 0, last = INT64_MIN;

    for (size_t i = 0; i < n && last != newest; i++) { /* sorted by time: most have one span */
        int64_t number = samples[i].t_ms / SPAN_MS;
        enum status st;

        if (number == last)
            continue;
        if ((st = add(t, r->from.topic.vin, number, fault)) != ST_OK)
            return st;
        last = number;
    }
    return ST_OK;
}

static int by_key(const void *a, const void *b)
{
    const struct span *left = a, *right = b;
    int order = strcmp(left->vin, right->vin);

    return order ? order : (left->number > right->number) - (left->number < right->number);
}

/* Sorted: two instances take the locks in one order.  Each once: ON CONFLICT wants it so. */
static void sort(struct touched *t)
{
    size_t kept = 0;

    if (t->count == 0)
        return;
    qsort(t->spans, t->count, sizeof *t->spans, by_key);
    for (size_t i = 0; i < t->count; i++)
        if (kept == 0 || by_key(&t->spans[kept - 1], &t->spans[i]) != 0)
            t->spans[kept++] = t->spans[i];
    t->count = kept;
}

enum status touched_write(struct touched *t, struct record *const *records, const bool *arrived,
                          size_t n, int64_t now_boot_ms, struct fault *fault)
{
    static const Oid types[] = {PG_TEXT, PG_TEXT, PG_INT8};
    enum status st;

    t->count = 0;
    t->now_ms = now_boot_ms;
    for (size_t i = 0; i < n && t->keep_ms > 0; i++)
        if (arrived[i] && !records[i]->dead && records[i]->from.topic.leaf == LEAF_TELEMETRY &&
            (st = add_record(t, records[i], fault)) != ST_OK)
            return st;
    sort(t);
    columns_begin(&t->c, 3, types);
    for (size_t i = 0; i < t->count; i++) {
        pg_array_text(&t->c.column[0], t->site, strlen(t->site));
        pg_array_text(&t->c.column[1], t->spans[i].vin, VIN_LEN);
        pg_array_int8(&t->c.column[2], t->spans[i].number);
    }
    return columns_queue(&t->c, t->db, 3,
                         "INSERT INTO touched (site, vin, span) SELECT s, v, n FROM unnest($1, $2, "
                         "$3) AS f (s, v, n) ON CONFLICT (site, vin, span) DO UPDATE SET "
                         "touched_at = now()",
                         NULL, fault);
}

void touched_committed(struct touched *t)
{
    for (size_t i = 0; i < t->count; i++) {
        uint64_t key = key_of(t->spans[i].vin, t->spans[i].number);

        t->slots[key % SLOTS] = (struct slot){key, t->now_ms};
    }
    t->count = 0;
}

void touched_close(struct touched *t)
{
    if (!t)
        return;
    columns_done(&t->c);
    free(t->slots);
    free(t->spans);
    free(t);
}
