/* lib/drive/crash.c - impacts, and falls of speed with a second witness. */
#include "crash.h"

#include <math.h>

const struct crash_settings crash_defaults = {
    .imu_g = 2.5,
    .imu_ms = 20,
    .imu_hole_ms = 80,
    .imu_kmh = 15,
    .imu_before_ms = 5000,
    .from_kmh = 30,
    .mean_g = 0.8,
    .stop_kmh = 1,
    .gps_stop_kmh = 2,
    .witness_ms = 10000,
    .still_ms = 60000,
    .move_kmh = 3,
    .gps_move_kmh = 5,
    .drives_kmh = 10,
    .drives_ms = 15000,
    .quiet_ms = 60000,
};

/* The fall that ends with the newest reading: over every start from which the speed only fell, the
 * greatest mean.  A hard end of a long slowing down counts as it is. */
static bool fell(const struct crash_settings *set, const struct readings *r, struct crash *c)
{
    const struct speed_reading *end = &r->at[r->n - 1];
    double best_g = 0;

    for (size_t i = r->n - 1; i > 0 && r->at[i - 1].kmh > r->at[i].kmh; i--) {
        const struct speed_reading *start = &r->at[i - 1];
        double dt_s = (double)(end->t_ms - start->t_ms) / 1000;
        double g = (start->kmh - end->kmh) / dt_s / DRIVE_G_KMH_S;

        if (start->kmh < set->from_kmh || g <= best_g)
            continue;
        best_g = g;
        c->began_ms = start->t_ms;
        c->from_kmh = start->kmh;
    }
    c->peak_g = best_g;
    return best_g >= set->mean_g;
}

static enum crash_fact watch(struct crash *c, const struct crash_settings *set,
                             const struct crash_input *in)
{
    struct readings *r = &c->readings[in->source == SPEED_GPS];
    double stop_kmh = in->source == SPEED_GPS ? set->gps_stop_kmh : set->stop_kmh;
    struct crash seen = *c;

    if (!readings_add(r, in->t_ms, in->kmh) || in->kmh >= stop_kmh)
        return CRASH_NONE;
    if (c->raised_by_speed || (c->t_ms > 0 && in->t_ms - c->t_ms < set->quiet_ms) ||
        !fell(set, r, &seen))
        return CRASH_NONE;
    c->began_ms = seen.began_ms;
    c->from_kmh = seen.from_kmh;
    c->peak_g = seen.peak_g;
    c->t_ms = in->t_ms;
    c->pending = true;
    c->engine_stopped = false;
    return CRASH_PENDING;
}

/* What becomes of a pending one. */
static enum crash_fact await(struct crash *c, const struct crash_settings *set,
                             const struct crash_input *in, bool moves)
{
    int64_t since_ms = in->t_ms - c->t_ms;

    if (moves) {
        c->pending = false;
        c->t_ms = 0;
        return CRASH_DROPPED;
    }
    if (since_ms <= set->witness_ms && in->running == KNOWN_NO)
        c->engine_stopped = true;
    else if (in->running == KNOWN_YES)
        c->engine_stopped = false; /* a stop-start comes back */
    if ((c->lost_ms >= c->began_ms && c->lost_ms - c->t_ms <= set->witness_ms && c->was_lost) ||
        (c->engine_stopped && since_ms >= set->still_ms)) {
        c->pending = false;
        c->raised_by_speed = true;
        return CRASH_RAISED;
    }
    if (since_ms > set->witness_ms && !c->engine_stopped) {
        c->pending = false;
        c->t_ms = 0;
        return CRASH_DROPPED;
    }
    return CRASH_NONE;
}

static void lost(struct crash *c, const struct crash_input *in)
{
    bool now_lost = in->ecu_lost || in->supply_lost;

    if (now_lost && !c->was_lost)
        c->lost_ms = in->t_ms;
    c->was_lost = now_lost;
}

enum crash_fact crash_step(struct crash *c, const struct crash_settings *set,
                           const struct crash_input *in)
{
    bool gps = in->source == SPEED_GPS;
    bool known = (gps || in->source == SPEED_OBD) && speed_valid(in->kmh);
    enum crash_fact fact = CRASH_NONE;

    if (in->t_ms <= c->newest_ms)
        return CRASH_NONE;
    c->newest_ms = in->t_ms;
    lost(c, in);
    if (known && in->kmh >= set->imu_kmh) {
        c->fast_ms = in->t_ms;
        c->fast_kmh = in->kmh;
    }
    if (c->raised_by_speed) {
        bool drives = known && in->kmh >= set->drives_kmh;

        if (drives && in->t_ms - c->t_ms <= set->drives_ms)
            fact = CRASH_CORRECTED;
        if (fact == CRASH_CORRECTED || in->t_ms - c->t_ms > set->quiet_ms)
            c->raised_by_speed = false;
    }
    if (known && !c->pending) {
        enum crash_fact fall = watch(c, set, in);

        fact = fact == CRASH_NONE ? fall : fact;
    } else if (known) {
        (void)readings_add(&c->readings[gps], in->t_ms, in->kmh);
    }
    if (c->pending) {
        double move_kmh = gps ? set->gps_move_kmh : set->move_kmh;
        enum crash_fact turn = await(c, set, in, known && in->kmh >= move_kmh);

        fact = turn == CRASH_NONE ? fact : turn;
    }
    return fact;
}

enum crash_fact crash_imu(struct crash *c, const struct crash_settings *set, int64_t t_ms,
                          double vector_ms2)
{
    double g = vector_ms2 / DRIVE_G_MS2;
    int64_t held_ms;

    if (!isfinite(vector_ms2) || vector_ms2 < 0 || t_ms <= c->imu_ms)
        return CRASH_NONE;
    c->imu_ms = t_ms;
    held_ms = hold_step(&c->impact, g >= set->imu_g, t_ms, set->imu_hole_ms);
    if (held_ms < 0)
        return CRASH_NONE;
    c->impact_g = held_ms == 0 ? g : fmax(c->impact_g, g);
    if (held_ms < set->imu_ms || c->fast_ms == 0 ||
        c->impact.since_ms - c->fast_ms > set->imu_before_ms)
        return CRASH_NONE;
    if (!c->pending && c->t_ms > 0 && t_ms - c->t_ms < set->quiet_ms) {
        c->peak_g = fmax(c->peak_g, c->impact_g);
        return CRASH_NONE;
    }
    c->pending = c->raised_by_speed = false;
    c->t_ms = c->impact.since_ms;
    c->from_kmh = c->fast_kmh;
    c->peak_g = c->impact_g;
    return CRASH_RAISED;
}
