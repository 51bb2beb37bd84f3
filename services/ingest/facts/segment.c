/* services/ingest/facts/segment.c - rows of time, told apart and found again. */
#include "segment.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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
           same_fuel(&a->fuel, &b->fuel);
}

static bool same_place(struct place a, struct place b)
{
    return equal(a.lat, b.lat) && equal(a.lon, b.lon);
}

static bool same(const struct segment *a, const struct segment *b)
{
    return a->kind == b->kind && a->state == b->state && a->provisional == b->provisional &&
           a->start_ms == b->start_ms && a->end_ms == b->end_ms && same_place(a->start, b->start) &&
           same_place(a->end, b->end) && same_tally(&a->sum, &b->sum) &&
           a->pause_ms == b->pause_ms && equal(a->odometer_start_m, b->odometer_start_m) &&
           equal(a->odometer_end_m, b->odometer_end_m) &&
           equal(a->level_start_percent, b->level_start_percent) &&
           equal(a->level_end_percent, b->level_end_percent) && a->reason == b->reason;
}

/* ---- whose row is it? */
/* Length in common, and one more for the same start, so that rows without length are found too;
 * 0: none. */
static int64_t overlap(const struct segment *a, const struct segment *b)
{
    int64_t from_ms = a->start_ms > b->start_ms ? a->start_ms : b->start_ms;
    int64_t to_ms = a->end_ms < b->end_ms ? a->end_ms : b->end_ms;
    int64_t common_ms = to_ms > from_ms ? to_ms - from_ms : 0;

    return a->kind == b->kind ? common_ms + (a->start_ms == b->start_ms) : 0;
}

static bool taken(const char *id, const struct segment *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(rows[i].id, id))
            return true;
    return false;
}

static bool best_pair(const struct segment *fresh, size_t fresh_n, const struct segment *old,
                      size_t old_n, size_t *best_fresh, size_t *best_old)
{
    int64_t best = 0;

    for (size_t i = 0; i < fresh_n; i++) {
        for (size_t j = 0; j < old_n && fresh[i].version == 0; j++) {
            int64_t common = taken(old[j].id, fresh, fresh_n) ? 0 : overlap(&fresh[i], &old[j]);

            if (common <= best)
                continue;
            best = common;
            *best_fresh = i;
            *best_old = j;
        }
    }
    return best > 0;
}

static void derive_id(struct segment *s, const char *vin, const struct segment *fresh,
                      size_t fresh_n, const struct segment *old, size_t old_n)
{
    char text[96], id[UUID_TEXT + 1];

    for (int again = 0;; again++) {
        (void)snprintf(text, sizeof text, "%.20s %s %lld %d", vin, segment_word(s->kind),
                       (long long)s->start_ms, again);
        uuid_of_text(id, text);
        if (!taken(id, fresh, fresh_n) && !taken(id, old, old_n))
            break;
    }
    memcpy(s->id, id, sizeof id);
}

void segment_reconcile(struct segment *fresh, bool *changed, size_t fresh_n, struct segment *old,
                       size_t old_n, const char *vin)
{
    size_t i, j;

    for (i = 0; i < fresh_n; i++) {
        fresh[i].version = 0;
        fresh[i].id[0] = '\0';
        changed[i] = true;
    }
    while (best_pair(fresh, fresh_n, old, old_n, &i, &j)) {
        memcpy(fresh[i].id, old[j].id, sizeof fresh[i].id);
        changed[i] = !same(&fresh[i], &old[j]);
        fresh[i].version = old[j].version + (changed[i] ? 1 : 0);
    }
    for (j = 0; j < old_n; j++) {
        if (taken(old[j].id, fresh, fresh_n))
            continue;
        old[j].state = SEGMENT_SUPERSEDED;
        old[j].version++;
    }
    for (i = 0; i < fresh_n; i++) {
        if (fresh[i].version > 0)
            continue;
        derive_id(&fresh[i], vin, fresh, fresh_n, old, old_n);
        fresh[i].version = 1;
    }
}
