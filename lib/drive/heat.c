/* lib/drive/heat.c - overheating. */
#include "heat.h"

#include <math.h>

const struct heat_settings heat_defaults = {
    .hot_celsius = 110,
    .hot_ms = 30000,
    .boiling_celsius = 118,
    .boiling_ms = 10000,
    .cool_celsius = 105,
    .cool_ms = 60000,
    .step_celsius = 20,
    .step_ms = 10000,
    .broken_low = -40,
    .broken_high = 215,
    .hole_ms = 60000,
};

static bool believed(struct heat *h, const struct heat_settings *set, int64_t since_any_ms,
                     int64_t t_ms, double celsius)
{
    bool near = h->trusted_ms == 0 || fabs(celsius - h->trusted_celsius) <= set->step_celsius;
    bool stepped = !near && t_ms - h->trusted_ms <= set->step_ms;

    if (stepped)
        h->doubted = true;
    if (near || since_any_ms > set->step_ms || (!stepped && celsius < set->cool_celsius))
        h->doubted = false;
    if (h->doubted)
        return false;
    h->trusted_ms = t_ms;
    h->trusted_celsius = celsius;
    return true;
}

enum heat_fact heat_step(struct heat *h, const struct heat_settings *set, int64_t t_ms,
                         double coolant_celsius)
{
    int64_t since_any_ms = t_ms - h->t_ms, hot_ms, boiling_ms;

    if (!isfinite(coolant_celsius) || t_ms <= h->t_ms)
        return HEAT_NONE;
    h->t_ms = t_ms;
    if (coolant_celsius <= set->broken_low || coolant_celsius >= set->broken_high) {
        h->doubted = h->trusted_ms > 0;
        return HEAT_NONE;
    }
    if (!believed(h, set, since_any_ms, t_ms, coolant_celsius))
        return HEAT_NONE;
    hot_ms = hold_step(&h->hot, coolant_celsius >= set->hot_celsius, t_ms, set->hole_ms);
    boiling_ms =
        hold_step(&h->boiling, coolant_celsius >= set->boiling_celsius, t_ms, set->hole_ms);
    if (h->open != HEAT_NONE)
        h->peak_celsius = fmax(h->peak_celsius, coolant_celsius);
    if (h->open != HEAT_CRITICAL && boiling_ms >= set->boiling_ms) {
        if (h->open == HEAT_NONE)
            h->since_ms = h->boiling.since_ms;
        h->peak_celsius = fmax(h->open == HEAT_NONE ? 0 : h->peak_celsius, coolant_celsius);
        return h->open = HEAT_CRITICAL;
    }
    if (h->open == HEAT_NONE && hot_ms >= set->hot_ms) {
        h->since_ms = h->hot.since_ms;
        h->peak_celsius = coolant_celsius;
        return h->open = HEAT_MAJOR;
    }
    if (hold_step(&h->cool, h->open != HEAT_NONE && coolant_celsius < set->cool_celsius, t_ms,
                  set->hole_ms) < set->cool_ms)
        return HEAT_NONE;
    h->open = HEAT_NONE;
    h->cool = (struct hold){0};
    return HEAT_CLEARED;
}
