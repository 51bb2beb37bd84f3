/* lib/drive/tow.c - towed or carried away. */
#include "tow.h"

#include "geo.h"
#include "speed.h"

#include <math.h>

const struct tow_settings tow_defaults = {
    .away_m = 200,
    .apart_ms = 10000,
    .speed_kmh = 10,
    .speed_ms = 30000,
    .hole_ms = 15000,
    .position_ms = 60000,
    .stop_kmh = 2,
    .go_kmh = 5,
    .stood_ms = 900000,
    .anchor_ms = 60000,
};

static enum tow_fact release(struct tow *t)
{
    bool open = t->open;

    t->open = t->standing = false;
    t->off_ms = 0;
    t->away = t->fast = t->stood = (struct hold){0};
    anchor_clear(&t->anchor);
    return open ? TOW_ENDED : TOW_NONE;
}

static bool is_away(const struct tow *t, const struct tow_settings *set, const struct fix *fix)
{
    double lat, lon, accuracy_m = fix_accuracy_m(&fix_defaults, fix);

    return anchor_place(&t->anchor, &lat, &lon) &&
           geo_distance_m(lat, lon, fix->lat, fix->lon) - accuracy_m > set->away_m;
}

static double speed_of(const struct tow *t, const struct fix *fix)
{
    return speed_valid(fix->speed_kmh) ? fix->speed_kmh : fix_leg_kmh(&t->last, fix);
}

static enum tow_fact look(struct tow *t, const struct tow_settings *set, const struct fix *fix)
{
    double kmh = speed_of(t, fix);
    int64_t away_ms, fast_ms;

    away_ms = hold_step(&t->away, is_away(t, set, fix), fix->t_ms, INT64_MAX);
    fast_ms = hold_step(&t->fast, kmh >= set->speed_kmh, fix->t_ms, set->hole_ms);
    if (away_ms < set->apart_ms && fast_ms < set->speed_ms) {
        if (kmh < set->stop_kmh && t->away.since_ms == 0 && fix->t_ms - t->off_ms <= set->anchor_ms)
            anchor_add(&t->anchor, fix->lat, fix->lon);
        return TOW_NONE;
    }
    t->open = true;
    t->since_ms = away_ms >= set->apart_ms ? t->away.since_ms : t->fast.since_ms;
    t->told_ms = fix->t_ms;
    t->standing = false;
    return TOW_BEGAN;
}

static enum tow_fact follow(struct tow *t, const struct tow_settings *set, const struct fix *fix)
{
    double kmh = speed_of(t, fix);

    if (kmh < set->stop_kmh)
        t->standing = true;
    else if (kmh >= set->go_kmh)
        t->standing = false;
    if (hold_step(&t->stood, t->standing, fix->t_ms, INT64_MAX) >= set->stood_ms) {
        (void)release(t);
        t->off_ms = fix->t_ms;
        anchor_add(&t->anchor, fix->lat, fix->lon);
        return TOW_STOOD;
    }
    if (fix->t_ms - t->told_ms < set->position_ms)
        return TOW_NONE;
    t->told_ms = fix->t_ms;
    return TOW_POSITION;
}

enum tow_fact tow_step(struct tow *t, const struct tow_settings *set, int64_t t_ms,
                       enum known ignition, const struct fix *good)
{
    enum tow_fact fact = TOW_NONE;

    if (t_ms <= t->t_ms)
        return TOW_NONE;
    t->t_ms = t_ms;
    if (good && (good->t_ms <= t->last.t_ms || !geo_valid(good->lat, good->lon)))
        good = NULL;
    if (ignition != KNOWN_NO) {
        fact = release(t);
    } else {
        if (t->off_ms == 0) {
            t->off_ms = t_ms;
            if (t->last.t_ms > 0)
                anchor_add(&t->anchor, t->last.lat, t->last.lon);
        }
        if (good && t->anchor.n == 0)
            anchor_add(&t->anchor, good->lat, good->lon);
        if (good)
            fact = t->open ? follow(t, set, good) : look(t, set, good);
    }
    if (good)
        t->last = *good;
    return fact;
}
