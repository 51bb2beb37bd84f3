/* lib/drive/idle.c - idling. */
#include "idle.h"

#include <math.h>

const struct idle_settings idle_defaults = IDLE_DEFAULTS;

static void extend(struct idle *i, const struct idle_settings *set, int64_t t_ms, double litres_h)
{
    struct idle_span *now = &i->now;
    int64_t dt_ms = t_ms - now->last_ms;

    if (now->since_ms == 0) {
        now->since_ms = t_ms;
    } else if (dt_ms <= set->integrate_ms && isfinite(litres_h) && isfinite(i->litres_h)) {
        now->litres += (litres_h + i->litres_h) / 2 * (double)dt_ms / 3600000;
        now->measured_ms += dt_ms;
    }
    now->last_ms = t_ms;
    i->litres_h = litres_h;
}

static bool finish(struct idle *i)
{
    bool told = i->told;

    if (told)
        i->ended = i->now;
    i->now = (struct idle_span){0};
    i->told = false;
    return told;
}

enum idle_fact idle_step(struct idle *i, const struct idle_settings *set,
                         const struct idle_input *in)
{
    bool idling = in->running == KNOWN_YES && in->motion == MOTION_STANDING && in->pto != KNOWN_YES;
    bool hole = i->now.since_ms > 0 && in->t_ms - i->now.last_ms > set->hole_ms;
    enum idle_fact fact = IDLE_NONE;

    if (in->t_ms <= i->t_ms || (idling && in->leaving))
        return IDLE_NONE;
    i->t_ms = in->t_ms;
    if ((!idling || hole) && finish(i))
        fact = IDLE_ENDED;
    if (!idling)
        return fact;
    extend(i, set, in->t_ms, in->litres_h >= 0 ? in->litres_h : (double)NAN);
    if (!i->told && i->now.last_ms - i->now.since_ms >= set->after_ms) {
        i->told = true;
        fact = IDLE_BEGAN;
    }
    return fact;
}
