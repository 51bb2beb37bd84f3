/* services/ingest/car/car.c - one sight for all who look. */
#include "car.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/unfilled.h"

#define SHOW_MS 30000
#define SHOW_WALL_MS 10000

int64_t car_t_ms(const struct car *c)
{
    return c->sight.t_ms;
}

void car_lose(struct car *c, int64_t t_ms)
{
    memset(c, 0, sizeof *c);
    c->sight.t_ms = c->lost_ms = t_ms;
    if (t_ms > 0)
        c->wait_from_ms = 1;
}

/* How far since the last step.  What is known of the way never falls, while a trip's metres may: by
 * a fix a turn is shorter than by the speed.  The meter begins anew after a hole. */
static double way(struct car *c, const struct car_settings *set)
{
    bool begins = c->trip.meter.expected_ms == 0;
    double before_m = begins ? 0 : c->metered_m;

    c->metered_m = fmax(before_m, meter_distance_m(&c->trip.meter, &set->trip.meter));
    return c->metered_m - before_m;
}

static void place(struct found *f, const struct fix *fix)
{
    if (fix->t_ms > 0) {
        f->lat = fix->lat;
        f->lon = fix->lon;
    }
}

static void tell_level(const struct car *c, enum level_fact fact, const struct seen *seen,
                       struct car_out *out)
{
    const struct level *l = &c->trip.level;
    bool drop = fact == LEVEL_DROP;
    struct found *f;

    if (fact == LEVEL_NONE)
        return;
    f = car_out_add(out, drop ? FOUND_EVENT | FOUND_ALERT : FOUND_EVENT,
                    drop ? "fuel_drop" : "refuel", l->before_ms, seen->t_ms);
    if (!f)
        return;
    f->severity = ALERT_MAJOR;
    place(f, &c->trip.fix);
    (void)snprintf(f->data, sizeof f->data,
                   "{\"before_percent\":%.1f,\"after_percent\":%.1f,\"until\":%lld}",
                   l->before_percent, l->after_percent, (long long)l->after_ms);
}

/* The trip is told of no reading that the odometer refuses. */
static size_t step_trip(struct car *c, const struct car_settings *set, const struct seen *seen,
                        struct moment *m, struct segment rows[TRIP_OUT_MAX], enum level_fact *level)
{
    double told_m = m->v[MOMENT_ODOMETER];
    size_t n;

    if (isfinite(told_m) && !odometer_takes(&c->odometer, &odometer_defaults, seen->t_ms, told_m))
        m->v[MOMENT_ODOMETER] = (double)NAN;
    n = trip_step(&c->trip, &set->trip, seen, m, rows, level);
    m->v[MOMENT_ODOMETER] = told_m;
    return n;
}

static void step_odometer(struct car *c, const struct car_settings *set, const struct moment *m,
                          const struct seen *seen, struct car_out *out)
{
    struct found *f;

    if (odometer_step(&c->odometer, &odometer_defaults, m, seen, way(c, set)) != ODOMETER_RESET)
        return;
    f = car_out_add(out, FOUND_EVENT, "odometer_reset", seen->t_ms, seen->t_ms);
    if (!f)
        return;
    place(f, &c->trip.fix);
    (void)snprintf(f->data, sizeof f->data, "{\"before_km\":%.1f,\"after_km\":%.1f}",
                   c->odometer.before_m / 1000, c->odometer.read_m / 1000);
}

/* ---- where */
/* The place of the stop it is at, if it was there then. */
static bool stands_at(const struct trip *t, int64_t t_ms, double *lat, double *lon)
{
    return t->phase == TRIP_STANDS && !t->candidate && !t->now.hidden && t_ms >= t->now.start_ms &&
           t_ms <= t->t_ms && anchor_place(&t->anchor, lat, lon);
}

bool car_place(const struct car *c, int64_t t_ms, double *lat, double *lon, int64_t *off_ms)
{
    if (privacy_covers(&c->trip.privacy, t_ms))
        return false;
    if (trail_place(&c->trail, t_ms, lat, lon, off_ms))
        return true;
    *off_ms = 0;
    return stands_at(&c->trip, t_ms, lat, lon);
}

bool car_ask(struct car *c, const unsigned char id[16], int64_t t_ms, double *lat, double *lon)
{
    int64_t off_ms = 0;
    bool known = car_place(c, t_ms, lat, lon, &off_ms);

    if (!known || off_ms > TRAIL_EXACT_MS)
        trail_ask(&c->trail, id, t_ms);
    return known;
}

static void step_trail(struct car *c, const struct seen *seen, struct car_out *out)
{
    struct found_place place;
    struct trail_ask ask;
    int64_t off_ms;

    if (seen->good)
        trail_add(&c->trail, &seen->fix);
    while (trail_answer(&c->trail, seen->t_ms, seen->good, &ask)) {
        memcpy(place.id, ask.id, sizeof place.id);
        if (car_place(c, ask.t_ms, &place.lat, &place.lon, &off_ms))
            car_out_place(out, &place);
    }
}

/* What was found just now and tells no place happened where it was then. */
static void place_found(const struct car *c, size_t from, struct car_out *out)
{
    int64_t off_ms;

    for (size_t i = from; i < out->found_n; i++) {
        struct found *f = &out->found[i];

        if ((f->parts & (FOUND_EVENT | FOUND_ALERT)) && isnan(f->lat))
            (void)car_place(c, f->occurred_ms, &f->lat, &f->lon, &off_ms);
    }
}

/* Where it began, while that is known: an overspeed may last longer than the trail reaches back. */
static void place_start(const struct car *c, int64_t t_ms, struct overspeed_episode *e)
{
    double lat, lon;
    int64_t off_ms;

    if (e->start_ms == 0 || t_ms - e->start_ms > TRAIL_WITHIN_MS ||
        (e->placed && e->off_ms <= TRAIL_EXACT_MS) ||
        !car_place(c, e->start_ms, &lat, &lon, &off_ms) || (e->placed && off_ms >= e->off_ms))
        return;
    e->placed = true;
    e->off_ms = off_ms;
    e->lat = lat;
    e->lon = lon;
}

/* Zones, then the limits in them, then the rules about them. */
static void step_places(struct car *c, const struct car_settings *set, const struct seen *seen,
                        const struct reading *readings, size_t n, struct car_out *out)
{
    struct fix at UNFILLED;

    if ((set->fences.n > 0 || c->fences.stamp != set->fences.stamp) &&
        trip_place(&c->trip, seen, &at))
        fences_step(&c->fences, &set->fences, set->wall, seen->t_ms, &at, out);
    limits_step(&c->overspeed, &set->limits, &set->fences, &c->fences, seen, out);
    place_start(c, seen->t_ms, &c->overspeed.now);
    place_start(c, seen->t_ms, &c->overspeed.next.now);
    if (set->rules.n > 0 || c->rules.n > 0)
        rules_step(&c->rules, &set->rules, &c->fences, set->wall, seen->t_ms, readings, n, out);
}

void car_step_moment(struct car *c, const struct car_settings *set, struct moment *m,
                     const struct reading *readings, size_t n, struct car_out *out)
{
    struct segment rows[TRIP_OUT_MAX] UNFILLED;
    enum level_fact level;
    struct seen seen UNFILLED;
    size_t settled, found_n = out->found_n;
    int64_t before_ms;

    if (privacy_covers(&c->trip.privacy, m->t_ms)) /* a car drops it itself; whoever does not */
        m->v[MOMENT_LAT] = m->v[MOMENT_LON] = (double)NAN;
    before_ms = c->sight.t_ms;
    if (!sight_step(&c->sight, set->detect.here ? &sight_gateway : &sight_defaults, m, &seen))
        return;
    c->steps++;
    judged_step(&c->judged, set->stamp, before_ms);
    settled = step_trip(c, set, &seen, m, rows, &level);
    for (size_t i = 0; i < settled; i++)
        car_out_row(out, &rows[i]);
    step_trail(c, &seen, out);
    tell_level(c, level, &seen, out);
    step_odometer(c, set, m, &seen, out);
    cleared_step(&c->cleared, seen.t_ms, m->v[MOMENT_CLEARED_KM]);
    detect_step(&c->detect, &set->detect, m, &seen, out);
    step_places(c, set, &seen, readings, n, out);
    if (out->found_n > found_n)
        place_found(c, found_n, out);
}

void car_step(struct car *c, const struct car_settings *set, const struct moment_map *map,
              int64_t t_ms, const struct reading *readings, size_t n, struct car_out *out)
{
    struct moment m UNFILLED;

    moment_init(&m, t_ms);
    moment_take(&m, map, readings, n);
    car_step_moment(c, set, &m, readings, n, out);
}

bool car_shows(struct car *c, int64_t now_ms)
{
    const struct trip *t = &c->trip;
    bool other = t->now.start_ms != c->shown_start_ms || (int32_t)t->now.kind != c->shown_kind ||
                 t->held_n != c->shown_held;
    bool old = t->t_ms - c->shown_ms >= SHOW_MS && now_ms - c->shown_wall_ms >= SHOW_WALL_MS;
    bool switched = privacy_is_on(&t->privacy) != (c->shown_private != 0);

    if (!switched && t->phase == TRIP_STANDS && t->t_ms - t->now.start_ms < SHOW_MS &&
        t->held_n == 0)
        return false; /* a first record alone says little, and thousands may come at once */
    if (t->phase == TRIP_NOTHING || (!other && !old && !switched))
        return false;
    c->shown_ms = t->t_ms;
    c->shown_wall_ms = now_ms;
    c->shown_start_ms = t->now.start_ms;
    c->shown_kind = (int32_t)t->now.kind;
    c->shown_held = t->held_n;
    c->shown_private = privacy_is_on(&t->privacy);
    return true;
}
