/* services/ingest/facts/trip_measure.c - way, time and fuel between two moments; the rows as they
 * stand.
 */
#include "trip_inside.h"

#include <math.h>

#include "lib/drive/geo.h"

/* Faster than the reading before by more than a car gains: the next one tells. */
static bool glitches(const struct trip *t, const struct trip_settings *set, const struct seen *seen)
{
    int64_t dt_ms = seen->t_ms - t->meter.kmh_ms;
    double gain_kmh = set->gain_ms2 * 3.6 * fmax(1, (double)dt_ms / 1000); /* clocks are coarse */

    return t->meter.kmh_ms > 0 && seen->speed.kmh - t->meter.kmh > gain_kmh;
}

static void measure_way(struct trip *t, const struct trip_settings *set, const struct seen *seen,
                        struct tally *delta)
{
    bool measured = speed_measured(seen->speed.source);
    struct meter_input in = {
        .t_ms = seen->t_ms,
        .moving = seen->motion == MOTION_MOVING,
        .leaving = seen->leaving,
        .kmh = measured ? seen->speed.kmh : (double)NAN,
        .good = seen->good ? &seen->fix : NULL,
    };
    int64_t moving_ms;
    bool glitch;
    double all_m;

    if (t->t_ms > 0 && seen->t_ms - t->t_ms > set->bridge_ms) {
        t->meter = (struct meter){0}; /* what lies in the hole is the gap's to tell */
        t->metered_m = t->metered_estimated_m = 0;
    }
    glitch = glitches(t, set, seen);
    moving_ms = t->meter.moving_ms;
    meter_step(&t->meter, &set->meter, &in);
    delta->moving_ms = t->meter.moving_ms - moving_ms;
    all_m = t->meter.settled_m + t->meter.estimated_m + t->meter.pending_m;
    delta->distance_m = all_m - t->metered_m;
    delta->estimated_m = t->meter.estimated_m - t->metered_estimated_m;
    t->metered_m = all_m;
    t->metered_estimated_m = t->meter.estimated_m;
    if (in.moving && measured && !glitch)
        delta->max_kmh = seen->speed.kmh;
}

static void idle_row(const struct idle_span *span, struct trip *t, struct segment *s)
{
    segment_init(s, SEGMENT_IDLE, span->since_ms);
    s->end_ms = span->last_ms;
    s->sum.idle_ms = s->sum.expected_ms = span->last_ms - span->since_ms;
    s->sum.covered_ms = span->measured_ms;
    s->sum.fuel.expected_ms = s->sum.idle_ms;
    s->sum.fuel.by_ms[t->fuel.rate.method] = span->measured_ms;
    s->sum.fuel.litres[t->fuel.rate.method] = span->litres;
    if (t->fix.t_ms > 0 && !privacy_covers(&t->privacy, span->since_ms))
        s->start = s->end = (struct place){t->fix.lat, t->fix.lon};
}

/* Idling counts once it has lasted long enough, then all of it. */
static void measure_idle(struct trip *t, const struct trip_settings *set, const struct seen *seen,
                         const struct moment *m, struct tally *delta, struct rows *rows)
{
    double pto = m->v[MOMENT_PTO];
    bool told = t->idle.told;
    int64_t last_ms = t->idle.now.last_ms;
    struct idle_input in = {
        .t_ms = seen->t_ms,
        .running = seen->running,
        .motion = seen->motion,
        .pto = isnan(pto) ? KNOWN_NOT
               : pto != 0 ? KNOWN_YES
                          : KNOWN_NO,
        .litres_h = t->fuel.rate.litres_h,
        .leaving = seen->going,
    };
    enum idle_fact fact = idle_step(&t->idle, &set->idle, &in);

    if (fact == IDLE_BEGAN) {
        delta->idle_ms = t->idle.now.last_ms - t->idle.now.since_ms;
    } else if (fact == IDLE_NONE && told) {
        delta->idle_ms = t->idle.now.last_ms - last_ms;
    } else if (fact == IDLE_ENDED) {
        struct segment row;

        idle_row(&t->idle.ended, t, &row);
        row.state = SEGMENT_CLOSED;
        trip_tell(rows, &row);
    }
}

/* What is not good for an engine; a value that is not read now is not held. */
static void measure_strain(const struct trip_settings *set, const struct moment *m, int64_t dt_ms,
                           struct tally *delta)
{
    double coolant = m->v[MOMENT_COOLANT], load = m->v[MOMENT_LOAD];

    if (isfinite(m->v[MOMENT_RPM])) {
        delta->rpm_ms = dt_ms;
        delta->high_rpm_ms = m->v[MOMENT_RPM] > set->high_rpm ? dt_ms : 0;
    }
    if (isfinite(coolant) && isfinite(load)) {
        delta->load_ms = dt_ms;
        delta->cold_load_ms = coolant < set->cold_celsius && load > set->hard_percent ? dt_ms : 0;
    }
}

/* Slower polling shows no harsh manoeuvre. */
static void measure_slope(struct trip *t, const struct trip_settings *set, const struct seen *seen,
                          struct tally *delta)
{
    if (!speed_measured(seen->speed.source))
        return;
    if (t->told_ms[1] > 0 && seen->t_ms - t->told_ms[1] <= set->slope_ms)
        delta->slope_ms = delta->moving_ms;
    t->told_ms[1] = t->told_ms[0];
    t->told_ms[0] = seen->t_ms;
}

void trip_measure(struct trip *t, const struct trip_settings *set, const struct seen *seen,
                  const struct moment *m, struct rows *rows, struct tally *delta)
{
    int64_t dt_ms = t->t_ms > 0 ? seen->t_ms - t->t_ms : 0;
    bool whole = dt_ms <= set->meter.hole_ms;

    *delta = (struct tally){0};
    measure_way(t, set, seen, delta);
    fuel_step(&t->fuel, &set->fuel, m, seen->running, &delta->fuel);
    measure_idle(t, set, seen, m, delta, rows);
    delta->expected_ms = dt_ms;
    delta->covered_ms = whole ? dt_ms : 0;
    measure_slope(t, set, seen, delta);
    if (whole && seen->running == KNOWN_YES && t->running == KNOWN_YES) {
        delta->engine_ms = dt_ms;
        measure_strain(set, m, dt_ms, delta);
    }
    t->running = seen->running;
}

int64_t trip_carried(struct trip *t, const struct trip_settings *set, const struct seen *seen)
{
    struct place at;

    if (!seen->good)
        return 0;
    if (seen->ignition != KNOWN_NO || !anchor_place(&t->anchor, &at.lat, &at.lon) ||
        geo_distance_m(at.lat, at.lon, seen->fix.lat, seen->fix.lon) - seen->accuracy_m <=
            set->same_place_m) {
        t->away_ms = 0;
        return 0;
    }
    t->away_ms = t->away_ms > 0 ? t->away_ms : seen->t_ms;
    return seen->t_ms - t->away_ms >= set->carried_ms ? t->away_ms : 0;
}

bool trip_was_carried(const struct trip *t)
{
    return t->carried_ms > t->now.start_ms;
}

void trip_rest(struct trip *t, const struct trip_settings *set, const struct seen *seen,
               bool carried)
{
    if (carried) {
        t->carried_ms = seen->t_ms;
        t->away_ms = 0;
        anchor_clear(&t->anchor);
    } else if (seen->good && (!trip_was_carried(t) || seen->speed.kmh <= set->rest_kmh)) {
        if (trip_was_carried(t) && t->anchor.n == 0)
            t->carried_ms = seen->t_ms;
        anchor_add(&t->anchor, seen->fix.lat, seen->fix.lon);
    }
}

bool trip_place(const struct trip *t, const struct seen *seen, struct fix *out)
{
    bool rests = seen->motion == MOTION_STANDING && !seen->going && !t->candidate;

    if (!seen->good)
        return false;
    *out = seen->fix;
    out->accuracy_m = seen->accuracy_m;
    if (rests)
        (void)anchor_place(&t->anchor, &out->lat, &out->lon);
    return true;
}

/* ---- the view */
static void silence(const struct trip *t, const struct trip_settings *set, int64_t now_ms,
                    struct segment *s)
{
    if (now_ms - t->t_ms <= set->lapse_ms || s->kind != SEGMENT_TRIP)
        return;
    s->state = SEGMENT_CLOSED;
    s->provisional = true;
    s->reason = END_SILENT;
    if (t->stand.since_ms > 0)
        s->end_ms = t->stand.since_ms;
}

/* While it is private an open row tells no place it is at; a stop that began so never does. */
static void hide(const struct trip *t, struct segment *s)
{
    const struct place nowhere = {(double)NAN, (double)NAN};

    if (!privacy_is_on(&t->privacy) && !(s->kind == SEGMENT_STOP && s->hidden))
        return;
    s->end = nowhere;
    if (s->kind != SEGMENT_TRIP)
        s->start = nowhere;
}

size_t trip_view(const struct trip *t, const struct trip_settings *set, int64_t now_ms,
                 struct segment out[TRIP_OUT_MAX])
{
    struct rows rows = {.out = out};
    struct trip copy;

    if (t->phase == TRIP_NOTHING)
        return 0;
    for (int i = 0; i < t->held_n; i++)
        trip_tell(&rows, &t->held[i]);
    copy = *t;
    copy.now.end_ms = t->t_ms;
    if (t->phase == TRIP_DRIVES && t->stand.since_ms > 0)
        tally_add(&copy.now.sum, &t->next.sum);
    if (t->candidate) { /* not yet a trip, so still the stop */
        struct tally next = t->next.sum;

        next.distance_m = next.estimated_m = next.max_kmh = 0;
        tally_add(&copy.now.sum, &next);
    }
    if (t->fix.t_ms > 0)
        copy.now.end = (struct place){t->fix.lat, t->fix.lon};
    if (copy.now.kind == SEGMENT_STOP) {
        (void)anchor_place(&t->anchor, &copy.now.end.lat, &copy.now.end.lon);
        copy.now.start = copy.now.end;
    }
    hide(t, &copy.now);
    silence(t, set, now_ms, &copy.now);
    trip_tell(&rows, &copy.now);
    if (t->idle.told) {
        struct segment row;

        idle_row(&t->idle.now, &copy, &row);
        hide(t, &row);
        trip_tell(&rows, &row);
    }
    return rows.n;
}
