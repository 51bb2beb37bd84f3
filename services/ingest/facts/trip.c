/* services/ingest/facts/trip.c - the machine; trip_measure.c adds up what happens in it. */
#include "trip_inside.h"

#include <math.h>

#include "lib/drive/geo.h"
#include "proto/unfilled.h"

const struct trip_settings trip_defaults = {
    .start_kmh = 8,
    .start_away_m = 100,
    .start_fixes = 2,
    .least_m = 100,
    .least_away_m = 50,
    .end_ms = 200000,
    .off_ms = 60000,
    .flip_ms = 30000,
    .nudge_m = 5,
    .bridge_ms = 300000,
    .lapse_ms = 3600000,
    .lapse_ms1 = 1.11,
    .same_place_m = 200,
    .most_kmh = 300,
    .fuel_stop_ms = 900000,
    .high_rpm = 4500,
    .carried_ms = 10000,
    .rest_kmh = 2,
    .slope_ms = 2500,
    .gain_ms2 = 15,
    .cold_celsius = 60,
    .hard_percent = 70,
    .meter = METER_DEFAULTS,
    .idle = IDLE_DEFAULTS,
    .fuel = FUEL_DEFAULTS,
    .level = LEVEL_DEFAULTS,
};

void trip_tell(struct rows *rows, const struct segment *s)
{
    if (rows->n < TRIP_OUT_MAX)
        rows->out[rows->n++] = *s;
}

static struct place nowhere(void)
{
    return (struct place){(double)NAN, (double)NAN};
}

/* Where the car stands, or stood last. */
static struct place where(const struct trip *t)
{
    struct place at = nowhere();

    if (!anchor_place(&t->anchor, &at.lat, &at.lon) && t->fix.t_ms > 0)
        at = (struct place){t->fix.lat, t->fix.lon};
    return at;
}

static double odometer(const struct trip *t)
{
    return t->odometer_known ? t->odometer_m : (double)NAN;
}

static void flush(struct trip *t, struct rows *rows)
{
    for (int i = 0; i < t->held_n; i++)
        trip_tell(rows, &t->held[i]);
    t->held_n = 0;
}

/* Where a trip ended or a stop was: not to be told?  A trip ends where the stop after it begins. */
static bool ends_hidden(const struct trip *t, const struct segment *s, int64_t end_ms)
{
    if (s->kind == SEGMENT_STOP)
        return s->hidden;
    return t->stand.since_ms == end_ms ? t->next.hidden : privacy_covers(&t->privacy, end_ms);
}

static void close_now(struct trip *t, const struct trip_settings *set, int64_t end_ms,
                      enum end_reason reason)
{
    struct segment *s = &t->now;

    s->state = SEGMENT_CLOSED;
    s->end_ms = end_ms;
    s->reason = reason;
    s->end = ends_hidden(t, s, end_ms) ? nowhere() : where(t);
    s->odometer_end_m = odometer(t);
    s->level_end_percent = level_at_rest(&t->level);
    if (s->kind == SEGMENT_STOP)
        s->start = s->end;
    else
        (void)fuel_from_level(&s->sum.fuel, &set->fuel, s->level_start_percent,
                              s->level_end_percent, s->end_ms - s->start_ms);
}

static void next_init(struct trip *t, enum segment_kind kind, int64_t start_ms)
{
    segment_init(&t->next, kind, start_ms);
    t->next.hidden = privacy_covers(&t->privacy, start_ms);
}

/* ---- a stop, and what may be a trip's beginning */
static void candidate_open(struct trip *t, int64_t start_ms)
{
    next_init(t, SEGMENT_TRIP, start_ms);
    if (!t->next.hidden)
        t->next.start = where(t);
    t->next.odometer_start_m = odometer(t);
    t->next.level_start_percent = level_at_rest(&t->level);
    t->candidate = true;
    t->started = t->got_away = false;
    t->start_run = 0;
    t->stand = (struct stand){0};
}

/* It was jitter, or a manoeuvre: the stop goes on, with what was burnt and without the way. */
static void candidate_withdraw(struct trip *t)
{
    t->next.sum.distance_m = t->next.sum.estimated_m = t->next.sum.max_kmh = 0;
    tally_add(&t->now.sum, &t->next.sum);
    t->candidate = false;
    t->stand = (struct stand){0};
}

static bool was_refuelled(const struct trip *t, const struct segment *stop)
{
    return t->refuelled_ms[1] > stop->start_ms && t->refuelled_ms[0] < stop->end_ms;
}

/* The trip before, its fuel stop and this trip are one. */
static void join(struct trip *t, const struct trip_settings *set)
{
    struct segment *before = &t->held[0], *stop = &t->held[1];

    if (t->phase != TRIP_DRIVES || t->held_n != 2 ||
        stop->end_ms - stop->start_ms > set->fuel_stop_ms || !was_refuelled(t, stop))
        return;
    t->stand.at_m += before->sum.distance_m;
    tally_add(&before->sum, &stop->sum);
    before->pause_ms += stop->end_ms - stop->start_ms;
    tally_add(&before->sum, &t->now.sum);
    before->state = SEGMENT_OPEN;
    before->reason = END_NONE;
    before->level_start_percent =
        (double)NAN;                      /* the gauge rose on the way: it tells nothing, ... */
    fuel_forget_level(&before->sum.fuel); /* ... of the half before it neither */
    before->end = nowhere();
    t->now = *before;
    t->held_n = 0;
}

static void candidate_confirm(struct trip *t, const struct trip_settings *set, struct rows *rows)
{
    bool fuel_stop = t->held_n == 1 && t->next.start_ms - t->now.start_ms <= set->fuel_stop_ms;

    close_now(t, set, t->next.start_ms, END_NONE);
    if (t->now.end_ms > t->now.start_ms) { /* one without length is only the first sample */
        if (fuel_stop)
            t->held[t->held_n++] = t->now;
        else
            flush(t, rows);
        if (!fuel_stop)
            trip_tell(rows, &t->now);
    }
    t->now = t->next;
    t->phase = TRIP_DRIVES;
    t->candidate = false;
    t->stand = (struct stand){0};
    anchor_clear(&t->anchor);
    join(t, set);
}

/* Has it gone far or fast enough?  GPS alone has to say so twice running. */
static bool starts(struct trip *t, const struct trip_settings *set, const struct seen *seen)
{
    struct place from = t->next.start;
    bool fast = speed_valid(seen->speed.kmh) && seen->speed.kmh >= set->start_kmh;
    bool hidden = privacy_covers(&t->privacy, seen->t_ms); /* speed alone has to do then */
    double away_m = seen->good && isfinite(from.lat)
                        ? geo_distance_m(from.lat, from.lon, seen->fix.lat, seen->fix.lon)
                        : 0;

    if (seen->speed.source == SPEED_OBD || (hidden && fast) ||
        away_m - seen->accuracy_m > set->least_away_m)
        t->got_away = true;
    if (seen->speed.source == SPEED_OBD && fast)
        return true;
    if (seen->good || hidden)
        t->start_run = fast || away_m > set->start_away_m ? t->start_run + 1 : 0;
    return t->start_run >= set->start_fixes;
}

/* Has it stood long enough for a trip to be over, and why? */
static enum end_reason stood(const struct trip *t, const struct trip_settings *set)
{
    if (t->stand.since_ms == 0)
        return END_NONE;
    if (t->off_ms > 0 && t->on_ms == 0 && t->t_ms - t->off_ms >= set->off_ms &&
        t->t_ms - t->stand.since_ms >= set->off_ms)
        return END_IGNITION_OFF;
    return t->t_ms - t->stand.since_ms >= set->end_ms ? END_STANDING : END_NONE;
}

static void stand_still(struct trip *t, const struct seen *seen, double distance_m)
{
    /* moving: nobody knows any more whether it does */
    int64_t since_ms = seen->motion == MOTION_MOVING ? t->speed_ms : seen->motion_since_ms;

    if (t->stand.since_ms > 0)
        return;
    t->stand.since_ms = since_ms > t->resumed_ms ? since_ms : t->resumed_ms;
    t->stand.at_m = distance_m;
}

/* It stands; or was it towed?  On the way each place is left again at once, and no stop. */
static void rest(struct trip *t, const struct trip_settings *set, const struct seen *seen,
                 struct rows *rows)
{
    int64_t away_ms = trip_carried(t, set, seen);

    if (away_ms > 0 && (!trip_was_carried(t) || away_ms - t->carried_ms >= set->end_ms)) {
        close_now(t, set, away_ms, END_NONE);
        flush(t, rows);
        trip_tell(rows, &t->now);
        next_init(t, SEGMENT_STOP, away_ms);
        t->now = t->next;
    }
    trip_rest(t, set, seen, away_ms > 0);
}

static void step_standing(struct trip *t, const struct trip_settings *set, const struct seen *seen,
                          const struct tally *delta, int64_t depart_ms, struct rows *rows)
{
    bool moves = seen->motion == MOTION_MOVING;

    if (!t->candidate && (moves || seen->going)) {
        candidate_open(t, depart_ms);
    } else if (t->candidate && !moves && !seen->going && t->next.sum.moving_ms == 0 &&
               t->next.sum.distance_m == 0) {
        candidate_withdraw(t); /* a single fast sample */
    }
    tally_add(t->candidate ? &t->next.sum : &t->now.sum, delta);
    if (t->candidate && t->next.sum.moving_ms > seen->t_ms - t->next.start_ms)
        t->next.sum.moving_ms = seen->t_ms - t->next.start_ms; /* a leg began before the trip */
    if (!t->candidate) {
        t->now.sum.distance_m = t->now.sum.estimated_m = t->now.sum.max_kmh = 0;
        rest(t, set, seen, rows);
        return;
    }
    if (isnan(t->next.start.lat) && seen->good && !t->next.hidden)
        t->next.start = (struct place){seen->fix.lat, seen->fix.lon};
    if (!moves) {
        stand_still(t, seen, t->next.sum.distance_m);
        if (!seen->going && stood(t, set) != END_NONE)
            candidate_withdraw(t);
        return;
    }
    if (t->next.sum.distance_m - t->stand.at_m >= set->nudge_m)
        t->stand = (struct stand){0};
    t->started = starts(t, set, seen) || t->started;
    if (t->started && t->got_away && t->next.sum.distance_m >= set->least_m)
        candidate_confirm(t, set, rows);
}

/* ---- a trip, and what may be its end */
static void arrive(struct trip *t, const struct trip_settings *set, int64_t at_ms,
                   enum end_reason reason, struct rows *rows)
{
    close_now(t, set, at_ms, reason);
    flush(t, rows);
    t->held[0] = t->now;
    t->held_n = 1;
    t->now = t->next;
    t->phase = TRIP_STANDS;
    t->candidate = false;
    t->stand = (struct stand){0};
}

static void step_driving(struct trip *t, const struct trip_settings *set, const struct seen *seen,
                         struct tally *delta, struct rows *rows)
{
    enum end_reason reason;

    t->now.sum.distance_m += delta->distance_m; /* standing adds none, so it is the trip's */
    t->now.sum.estimated_m += delta->estimated_m;
    delta->distance_m = delta->estimated_m = 0; /* what is left may be the stop's */
    if (seen->motion == MOTION_MOVING && t->speed_ms == seen->t_ms) {
        if (t->stand.since_ms > 0 && t->now.sum.distance_m - t->stand.at_m < set->nudge_m) {
            tally_add(&t->next.sum, delta); /* moved up by less than a car */
            return;
        }
        if (t->stand.since_ms > 0) {
            tally_add(&t->now.sum, &t->next.sum);
            t->stand = (struct stand){0};
            anchor_clear(&t->anchor);
        }
        tally_add(&t->now.sum, delta);
        return;
    }
    if (t->stand.since_ms == 0) {
        stand_still(t, seen, t->now.sum.distance_m);
        next_init(t, SEGMENT_STOP, t->stand.since_ms);
        anchor_clear(&t->anchor);
        if (t->stand.since_ms == seen->t_ms)
            tally_add(&t->now.sum, delta); /* the time until now was driven */
        else
            tally_add(&t->next.sum, delta);
    } else {
        tally_add(&t->next.sum, delta);
    }
    if (seen->good)
        anchor_add(&t->anchor, seen->fix.lat, seen->fix.lon);
    reason = stood(t, set);
    if (reason != END_NONE && !seen->going)
        arrive(t, set, t->stand.since_ms, reason, rows);
}

/* ---- gaps */
static void begin(struct trip *t, const struct trip_settings *set, const struct seen *seen,
                  struct rows *rows)
{
    struct tally nothing = {0};

    segment_init(&t->now, SEGMENT_STOP, seen->t_ms);
    t->now.hidden = privacy_covers(&t->privacy, seen->t_ms);
    t->phase = TRIP_STANDS;
    t->candidate = false;
    t->resumed_ms = seen->t_ms;
    t->stand = (struct stand){0};
    anchor_clear(&t->anchor);
    step_standing(t, set, seen, &nothing, seen->t_ms, rows);
}

/* How far apart the two ends of a hole are; NaN: nobody can tell.  An odometer that rose by more
 * than any car drives is no word of it. */
static double apart_m(const struct trip *t, const struct trip_settings *set,
                      const struct seen *seen, double odometer_m)
{
    struct place from = where(t);
    double rise_m = t->odometer_known ? odometer_m - t->odometer_m : (double)NAN;

    if (rise_m >= 0 && rise_m <= set->most_kmh / 3600 * (double)seen->since_ms)
        return rise_m;
    if ((t->phase == TRIP_DRIVES || t->candidate) && t->fix.t_ms > 0)
        from = (struct place){t->fix.lat, t->fix.lon};
    if (isfinite(from.lat) && seen->good)
        return geo_distance_m(from.lat, from.lon, seen->fix.lat, seen->fix.lon);
    if (t->phase == TRIP_STANDS ||
        (t->motion == MOTION_STANDING && seen->motion == MOTION_STANDING))
        return 0; /* a hole between two standing samples is standing */
    return (double)NAN;
}

static void lapse(struct trip *t, const struct seen *seen, double d_m, struct rows *rows)
{
    struct segment over;

    segment_init(&over, SEGMENT_LAPSE, t->t_ms);
    over.state = SEGMENT_CLOSED;
    over.end_ms = seen->t_ms;
    over.sum.distance_m = over.sum.estimated_m = d_m;
    if (!privacy_covers(&t->privacy, t->t_ms))
        over.start = where(t);
    if (seen->good)
        over.end = (struct place){seen->fix.lat, seen->fix.lon};
    trip_tell(rows, &over);
    t->now.sum.distance_m += d_m;
    t->now.sum.estimated_m += d_m;
    t->now.sum.expected_ms += seen->since_ms;
    t->now.sum.fuel.expected_ms += seen->since_ms; /* it burnt, and nobody knows how much */
    t->resumed_ms = seen->t_ms;
    t->stand = (struct stand){0};
    anchor_clear(&t->anchor);
}

static void lost(struct trip *t, const struct trip_settings *set, const struct seen *seen,
                 double d_m, struct rows *rows)
{
    struct segment gap;

    if (t->candidate)
        candidate_withdraw(t);
    close_now(t, set, t->t_ms, t->phase == TRIP_DRIVES ? END_GAP : END_NONE);
    if (t->phase == TRIP_DRIVES && t->stand.since_ms > 0)
        tally_add(&t->now.sum, &t->next.sum);
    flush(t, rows);
    if (t->now.end_ms > t->now.start_ms)
        trip_tell(rows, &t->now);
    segment_init(&gap, SEGMENT_GAP, t->t_ms);
    gap.state = SEGMENT_CLOSED;
    gap.end_ms = seen->t_ms;
    gap.start = t->now.end;
    gap.sum.distance_m = gap.sum.estimated_m = isfinite(d_m) ? d_m : 0;
    if (seen->good)
        gap.end = (struct place){seen->fix.lat, seen->fix.lon};
    trip_tell(rows, &gap);
    begin(t, set, seen, rows);
}

static void step_gap(struct trip *t, const struct trip_settings *set, const struct seen *seen,
                     double odometer_m, struct rows *rows)
{
    double d_m = apart_m(t, set, seen, odometer_m);
    double d_ms1 = d_m * 1000 / (double)seen->since_ms;
    struct tally nothing = {0};

    if (seen->since_ms <= set->lapse_ms && d_ms1 >= set->lapse_ms1 &&
        (t->phase == TRIP_DRIVES || t->candidate)) {
        if (t->phase == TRIP_STANDS) /* so far away it was no jitter */
            candidate_confirm(t, set, rows);
        else if (t->stand.since_ms > 0)
            tally_add(&t->now.sum, &t->next.sum);
        lapse(t, seen, d_m, rows);
        return;
    }
    if (!(d_m < set->same_place_m)) {
        lost(t, set, seen, d_m, rows);
        return;
    }
    if (t->phase == TRIP_DRIVES) {
        if (t->stand.since_ms == 0) {
            t->stand = (struct stand){t->t_ms, t->now.sum.distance_m};
            next_init(t, SEGMENT_STOP, t->t_ms);
            anchor_clear(&t->anchor);
        }
        arrive(t, set, t->stand.since_ms, END_STANDING, rows);
    } else if (t->candidate) {
        candidate_withdraw(t);
    }
    step_standing(t, set, seen, &nothing, seen->t_ms, rows);
}

/* ---- a moment */
static void ignition(struct trip *t, const struct trip_settings *set, const struct seen *seen)
{
    if (seen->ignition == KNOWN_NO) {
        t->off_ms = t->off_ms > 0 ? t->off_ms : seen->t_ms;
        t->on_ms = 0;
    } else if (t->off_ms > 0) {
        t->on_ms = t->on_ms > 0 ? t->on_ms : seen->t_ms;
        if (seen->t_ms - t->on_ms >= set->flip_ms)
            t->off_ms = t->on_ms = 0;
    }
}

static void remember(struct trip *t, const struct seen *seen, const struct moment *m,
                     int64_t before_ms)
{
    if (privacy_began(&t->privacy, before_ms, seen->t_ms))
        t->fix = (struct fix){0};
    if (seen->good)
        t->fix = seen->fix;
    if (isfinite(m->v[MOMENT_ODOMETER])) {
        t->odometer_m = m->v[MOMENT_ODOMETER];
        t->odometer_known = true;
    }
    t->motion = seen->motion;
}

size_t trip_step(struct trip *t, const struct trip_settings *set, const struct seen *seen,
                 const struct moment *m, struct segment out[TRIP_OUT_MAX], enum level_fact *level)
{
    struct rows rows = {.out = out};
    struct tally delta UNFILLED; /* trip_measure fills it */
    int64_t before_ms = t->t_ms;

    *level = LEVEL_NONE;
    if (seen->t_ms <= t->t_ms)
        return 0;
    trip_measure(t, set, seen, m, &rows, &delta);
    *level = level_step(&t->level, &set->level, seen, m->v[MOMENT_LEVEL]);
    if (*level == LEVEL_REFUEL) {
        t->refuelled_ms[0] = t->level.before_ms;
        t->refuelled_ms[1] = t->level.after_ms;
    }
    if (*level != LEVEL_NONE) /* found on the road, it is what the trip began with */
        (t->phase == TRIP_DRIVES ? &t->now : &t->next)->level_start_percent =
            t->level.after_percent;
    join(t, set); /* before a hole ends the trip that told it */
    if (seen->speed.source != SPEED_NONE || seen->motion != MOTION_MOVING)
        t->speed_ms = seen->t_ms;
    if (t->phase == TRIP_NOTHING)
        begin(t, set, seen, &rows);
    else if (seen->t_ms - before_ms > set->bridge_ms)
        step_gap(t, set, seen, m->v[MOMENT_ODOMETER], &rows);
    t->t_ms = seen->t_ms;
    ignition(t, set, seen);
    if (before_ms > 0 && seen->t_ms - before_ms <= set->bridge_ms) {
        if (t->phase == TRIP_STANDS)
            step_standing(t, set, seen, &delta, before_ms, &rows);
        else
            step_driving(t, set, seen, &delta, &rows);
    }
    join(t, set);
    remember(t, seen, m, before_ms);
    return rows.n;
}
