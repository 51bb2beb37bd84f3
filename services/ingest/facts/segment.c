/* services/ingest/facts/segment.c - rows of time, told apart and found again. */
#include "segment.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/hash.h"

#define ODOMETER_FROM_M 5000
#define CHECK_SHARE 0.05
#define CHECK_M 500

void segment_init(struct segment *s, enum segment_kind kind, int64_t start_ms)
{
    double none = (double)NAN;

    *s = (struct segment){
        .kind = kind,
        .start_ms = start_ms,
        .end_ms = start_ms,
        .start = {none, none},
        .end = {none, none},
        .odometer_start_m = none,
        .odometer_end_m = none,
        .level_start_percent = none,
        .level_end_percent = none,
    };
}

void tally_add(struct tally *to, const struct tally *more)
{
    to->distance_m += more->distance_m;
    to->estimated_m += more->estimated_m;
    to->max_kmh = fmax(to->max_kmh, more->max_kmh);
    to->moving_ms += more->moving_ms;
    to->engine_ms += more->engine_ms;
    to->idle_ms += more->idle_ms;
    to->covered_ms += more->covered_ms;
    to->expected_ms += more->expected_ms;
    to->high_rpm_ms += more->high_rpm_ms;
    to->rpm_ms += more->rpm_ms;
    to->cold_load_ms += more->cold_load_ms;
    to->load_ms += more->load_ms;
    to->slope_ms += more->slope_ms;
    fuel_add(&to->fuel, &more->fuel);
}

double tally_coverage(const struct tally *t)
{
    return t->expected_ms > 0 ? (double)t->covered_ms / (double)t->expected_ms : 1;
}

double segment_odometer_m(const struct segment *s, bool *check)
{
    double by_odometer_m = s->odometer_end_m - s->odometer_start_m;
    double part_m = fabs(by_odometer_m - s->sum.distance_m);

    *check = false;
    if (!(by_odometer_m >= ODOMETER_FROM_M))
        return (double)NAN;
    *check = part_m > CHECK_M && part_m > CHECK_SHARE * by_odometer_m;
    return by_odometer_m;
}

const char *segment_word(enum segment_kind kind)
{
    static const char *const word[] = {"stop", "trip", "gap", "idle", "lapse"};

    return word[kind];
}

const char *segment_state_word(enum segment_state state)
{
    static const char *const word[] = {"open", "closed", "final", "superseded"};

    return word[state];
}

const char *end_reason_word(enum end_reason reason)
{
    static const char *const word[] = {"", "standing", "ignition_off", "gap", "silent"};

    return word[reason];
}

/* ---- the same row? */
static bool equal(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool same_fuel(const struct fuel_sum *a, const struct fuel_sum *b)
{
    for (int i = 0; i < FUEL_METHODS; i++)
        if (!equal(a->litres[i], b->litres[i]) || a->by_ms[i] != b->by_ms[i])
            return false;
    return a->expected_ms == b->expected_ms;
}

static bool same_tally(const struct tally *a, const struct tally *b)
{
    return equal(a->distance_m, b->distance_m) && equal(a->estimated_m, b->estimated_m) &&
           equal(a->max_kmh, b->max_kmh) && a->moving_ms == b->moving_ms &&
           a->engine_ms == b->engine_ms && a->idle_ms == b->idle_ms &&
           a->covered_ms == b->covered_ms && a->expected_ms == b->expected_ms &&
           a->high_rpm_ms == b->high_rpm_ms && a->rpm_ms == b->rpm_ms &&
           a->cold_load_ms == b->cold_load_ms && a->load_ms == b->load_ms &&
           a->slope_ms == b->slope_ms && same_fuel(&a->fuel, &b->fuel);
}

static bool same_place(struct place a, struct place b)
{
    return equal(a.lat, b.lat) && equal(a.lon, b.lon);
}

/* A closed row whose samples are gone is final: that makes it no other row. */
static bool same_state(const struct segment *fresh, const struct segment *old)
{
    return fresh->state == old->state ||
           (fresh->state == SEGMENT_CLOSED && old->state == SEGMENT_FINAL);
}

static bool same(const struct segment *a, const struct segment *b)
{
    return a->kind == b->kind && same_state(a, b) && a->provisional == b->provisional &&
           a->start_ms == b->start_ms && a->end_ms == b->end_ms && same_place(a->start, b->start) &&
           same_place(a->end, b->end) && same_tally(&a->sum, &b->sum) &&
           a->pause_ms == b->pause_ms && equal(a->odometer_start_m, b->odometer_start_m) &&
           equal(a->odometer_end_m, b->odometer_end_m) &&
           equal(a->level_start_percent, b->level_start_percent) &&
           equal(a->level_end_percent, b->level_end_percent) && a->reason == b->reason;
}

/* ---- whose row is it? */
struct spot { /* rows sorted by kind and start */
    const struct segment *row;
    size_t i;
};

struct pair {
    int64_t common_ms;
    size_t fresh, old;
};

struct matching {
    struct spot *fresh, *old;
    struct pair *pairs;
    size_t pairs_n, pairs_room;
    bool *found;      /* an old row: it is a fresh one */
    const char **ids; /* a table of those in use */
    size_t slots;     /* a power of two, at most half of them full */
};

static void matching_done(struct matching *m)
{
    free(m->fresh);
    free(m->old);
    free(m->pairs);
    free(m->found);
    free(m->ids);
}

static bool matching_init(struct matching *m, size_t fresh_n, size_t old_n)
{
    *m = (struct matching){.slots = 16};
    while (m->slots < 2 * (fresh_n + old_n))
        m->slots *= 2;
    m->fresh = calloc(fresh_n + 1, sizeof *m->fresh);
    m->old = calloc(old_n + 1, sizeof *m->old);
    m->found = calloc(old_n + 1, sizeof *m->found);
    m->ids = calloc(m->slots, sizeof *m->ids);
    return m->fresh && m->old && m->found && m->ids;
}

/* Length in common, and one more for the same start, so that rows without length are found too;
 * 0: none. */
static int64_t overlap(const struct segment *a, const struct segment *b)
{
    int64_t from_ms = a->start_ms > b->start_ms ? a->start_ms : b->start_ms;
    int64_t to_ms = a->end_ms < b->end_ms ? a->end_ms : b->end_ms;
    int64_t common_ms = to_ms > from_ms ? to_ms - from_ms : 0;

    return a->kind == b->kind ? common_ms + (a->start_ms == b->start_ms) : 0;
}

static int by_start(const void *a, const void *b)
{
    const struct spot *x = a, *y = b;

    if (x->row->kind != y->row->kind)
        return x->row->kind < y->row->kind ? -1 : 1;
    if (x->row->start_ms != y->row->start_ms)
        return x->row->start_ms < y->row->start_ms ? -1 : 1;
    return (x->i > y->i) - (x->i < y->i);
}

static void sort(struct spot *spots, const struct segment *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        spots[i] = (struct spot){&rows[i], i};
    qsort(spots, n, sizeof *spots, by_start);
}

static bool add_pair(struct matching *m, struct pair pair)
{
    if (m->pairs_n == m->pairs_room) {
        size_t room = m->pairs_room ? 2 * m->pairs_room : 16;
        struct pair *more = realloc(m->pairs, room * sizeof *more);

        if (!more)
            return false;
        m->pairs = more;
        m->pairs_room = room;
    }
    m->pairs[m->pairs_n++] = pair;
    return true;
}

/* Neither this row nor a later one has anything in common with `old`. */
static bool is_over(const struct segment *old, const struct segment *row)
{
    if (old->kind != row->kind)
        return old->kind < row->kind;
    return old->end_ms <= row->start_ms && old->start_ms < row->start_ms;
}

/* Neither `old` nor a later one has anything in common with this row. */
static bool is_beyond(const struct segment *old, const struct segment *row)
{
    if (old->kind != row->kind)
        return old->kind > row->kind;
    return old->start_ms >= row->end_ms && old->start_ms > row->start_ms;
}

/* Rows of a kind hardly lie over each other, so the pairs are about as many as the rows. */
static bool find_pairs(struct matching *m, size_t fresh_n, size_t old_n)
{
    size_t from = 0;

    for (size_t i = 0; i < fresh_n; i++) {
        const struct segment *row = m->fresh[i].row;

        while (from < old_n && is_over(m->old[from].row, row))
            from++;
        for (size_t j = from; j < old_n && !is_beyond(m->old[j].row, row); j++) {
            int64_t common_ms = overlap(row, m->old[j].row);

            if (common_ms > 0 && !add_pair(m, (struct pair){common_ms, m->fresh[i].i, m->old[j].i}))
                return false;
        }
    }
    return true;
}

static int by_overlap(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;

    if (x->common_ms != y->common_ms)
        return x->common_ms > y->common_ms ? -1 : 1;
    if (x->fresh != y->fresh)
        return x->fresh < y->fresh ? -1 : 1;
    return (x->old > y->old) - (x->old < y->old);
}

static size_t slot_of(const struct matching *m, const char *id)
{
    return (size_t)hash_bytes(0, id, strlen(id)) & (m->slots - 1);
}

/* Takes it into use; false: it was in use already. */
static bool use_id(struct matching *m, const char *id)
{
    size_t at = slot_of(m, id);

    for (; m->ids[at]; at = (at + 1) & (m->slots - 1))
        if (!strcmp(m->ids[at], id))
            return false;
    m->ids[at] = id;
    return true;
}

static void derive_id(struct matching *m, struct segment *s, const char *vin)
{
    char text[96];
    int again = 0;

    do {
        (void)snprintf(text, sizeof text, "%.20s %s %lld %d", vin, segment_word(s->kind),
                       (long long)s->start_ms, again++);
        uuid_of_text(s->id, text);
    } while (!use_id(m, s->id));
}

static void take_pairs(const struct matching *m, struct segment *fresh, bool *changed,
                       const struct segment *old)
{
    for (size_t k = 0; k < m->pairs_n; k++) {
        size_t i = m->pairs[k].fresh, j = m->pairs[k].old;

        if (fresh[i].version > 0 || m->found[j])
            continue;
        m->found[j] = true;
        memcpy(fresh[i].id, old[j].id, sizeof fresh[i].id);
        changed[i] = !same(&fresh[i], &old[j]);
        fresh[i].version = old[j].version + (changed[i] ? 1 : 0);
    }
}

static void name_rows(struct matching *m, struct segment *fresh, size_t fresh_n,
                      struct segment *old, size_t old_n, const char *vin)
{
    for (size_t j = 0; j < old_n; j++) {
        (void)use_id(m, old[j].id);
        if (m->found[j])
            continue;
        old[j].state = SEGMENT_SUPERSEDED;
        old[j].version++;
    }
    for (size_t i = 0; i < fresh_n; i++) {
        if (fresh[i].version > 0)
            continue;
        derive_id(m, &fresh[i], vin);
        fresh[i].version = 1;
    }
}

bool segment_reconcile(struct segment *fresh, bool *changed, size_t fresh_n, struct segment *old,
                       size_t old_n, const char *vin)
{
    struct matching m;
    bool done = matching_init(&m, fresh_n, old_n);

    if (done) {
        sort(m.fresh, fresh, fresh_n);
        sort(m.old, old, old_n);
        done = find_pairs(&m, fresh_n, old_n);
    }
    if (done) {
        for (size_t i = 0; i < fresh_n; i++) {
            fresh[i].version = 0;
            fresh[i].id[0] = '\0';
            changed[i] = true;
        }
        if (m.pairs_n > 0)
            qsort(m.pairs, m.pairs_n, sizeof *m.pairs, by_overlap);
        take_pairs(&m, fresh, changed, old);
        name_rows(&m, fresh, fresh_n, old, old_n, vin);
    }
    matching_done(&m);
    return done;
}
