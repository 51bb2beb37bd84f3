/* tests/unit/ingest/watch.h - steps a drive through the trip machine and keeps what came out. */
#ifndef TRIP_WATCH_H
#define TRIP_WATCH_H

#include "services/ingest/facts/trip.h"
#include "tests/unit/ingest/drives.h"

#define ROWS_MAX 128

struct watch {
    struct sight sight;
    struct trip trip;
    struct segment rows[ROWS_MAX]; /* settled */
    size_t n;
    int refuels, drops;
};

MAYBE static void watch_step(struct watch *w, const struct trip_settings *set,
                             const struct moment *m)
{
    struct segment out[TRIP_OUT_MAX];
    struct seen seen;
    enum level_fact level;
    size_t n;

    if (!sight_step(&w->sight, &sight_defaults, m, &seen))
        return;
    n = trip_step(&w->trip, set, &seen, m, out, &level);
    w->refuels += level == LEVEL_REFUEL;
    w->drops += level == LEVEL_DROP;
    for (size_t i = 0; i < n; i++) {
        assert_true(w->n < ROWS_MAX);
        w->rows[w->n++] = out[i];
    }
}

/* All rows, settled and not. */
MAYBE static size_t watch_rows(const struct watch *w, const struct trip_settings *set,
                               int64_t now_ms, struct segment rows[ROWS_MAX])
{
    memcpy(rows, w->rows, w->n * sizeof *rows);
    return w->n + trip_view(&w->trip, set, now_ms, rows + w->n);
}

MAYBE static size_t watch_drive(struct watch *w, const struct drive *d,
                                const struct trip_settings *set, struct segment rows[ROWS_MAX])
{
    for (size_t i = 0; i < d->n; i++)
        watch_step(w, set, &d->at[i]);
    return watch_rows(w, set, 0, rows);
}

MAYBE static const struct segment *nth(const struct segment *rows, size_t n, enum segment_kind kind,
                                       int which)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].kind == kind && which-- == 0)
            return &rows[i];
    return NULL;
}

MAYBE static int count(const struct segment *rows, size_t n, enum segment_kind kind)
{
    int found = 0;

    for (size_t i = 0; i < n; i++)
        found += rows[i].kind == kind;
    return found;
}

/* Trips, stops and gaps follow each other without hole or overlap. */
MAYBE static void is_partition(const struct segment *rows, size_t n)
{
    int64_t end_ms = 0;

    for (size_t i = 0; i < n; i++) {
        if (rows[i].kind == SEGMENT_IDLE || rows[i].kind == SEGMENT_LAPSE)
            continue;
        if (end_ms > 0)
            assert_int_equal(rows[i].start_ms, end_ms);
        assert_true(rows[i].end_ms >= rows[i].start_ms);
        end_ms = rows[i].end_ms;
    }
}

MAYBE static void print_rows(const struct segment *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        print_message("%s %s %lld..%lld s %.0f m (est %.0f) %s idle %lld pause %lld max %.1f\n",
                      segment_word(rows[i].kind), segment_state_word(rows[i].state),
                      (long long)(rows[i].start_ms - MONDAY) / 1000,
                      (long long)(rows[i].end_ms - MONDAY) / 1000, rows[i].sum.distance_m,
                      rows[i].sum.estimated_m, end_reason_word(rows[i].reason),
                      (long long)rows[i].sum.idle_ms / 1000, (long long)rows[i].pause_ms / 1000,
                      rows[i].sum.max_kmh);
}

#endif
