/* services/ingest/facts/fuel.c - rates, and their integral. */
#include "fuel.h"

#include <math.h>
#include <string.h>

#define AIR_G_MOL 28.97
#define GAS_J_MOL_K 8.314
#define KELVIN 273.15
#define HOUR_MS 3600000.0
#define CLOSED_LOOP 2
#define OPEN_OR_CUT 4 /* PID 03: open loop by load, or fuel cut by deceleration */

const struct fuel_settings fuel_defaults = FUEL_DEFAULTS;

enum { RPM, MAP, INTAKE, MAF, THROTTLE, FUEL_STATUS, LAMBDA, EQUIVALENCE };
static const enum moment_value inputs[FUEL_INPUTS] = {
    [RPM] = MOMENT_RPM,           [MAP] = MOMENT_MAP,
    [INTAKE] = MOMENT_INTAKE,     [MAF] = MOMENT_MAF,
    [THROTTLE] = MOMENT_THROTTLE, [FUEL_STATUS] = MOMENT_FUEL_STATUS,
    [LAMBDA] = MOMENT_LAMBDA,     [EQUIVALENCE] = MOMENT_EQUIVALENCE,
};

double fuel_air_g_s(double rpm, double map_kpa, double intake_kelvin, double displacement_l,
                    double volumetric_efficiency)
{
    return rpm / 120 * map_kpa / intake_kelvin * displacement_l * volumetric_efficiency *
           AIR_G_MOL / GAS_J_MOL_K;
}

static double newest(const struct fuel *f, const struct fuel_settings *set, int input, int64_t t_ms)
{
    if (f->at_ms[input] > 0 && t_ms - f->at_ms[input] <= set->hold_ms)
        return f->value[input];
    return (double)NAN;
}

/* Air per fuel against the ideal.  Petrol without any figure runs at 1; a diesel never does. */
static double lambda(const struct fuel *f, const struct fuel_settings *set, int64_t t_ms)
{
    double measured = newest(f, set, LAMBDA, t_ms);
    double commanded = newest(f, set, EQUIVALENCE, t_ms);

    if (measured > 0.5 && measured < set->lambda_max)
        return measured;
    if (set->kind != FUEL_PETROL)
        return (double)NAN;
    if (newest(f, set, FUEL_STATUS, t_ms) == CLOSED_LOOP && commanded > 0.5 && commanded < 2)
        return commanded;
    return 1;
}

static bool fuel_is_cut(const struct fuel *f, const struct fuel_settings *set, int64_t t_ms)
{
    double throttle = newest(f, set, THROTTLE, t_ms);

    return newest(f, set, FUEL_STATUS, t_ms) == OPEN_OR_CUT && f->least_throttle > 0 &&
           throttle <= f->least_throttle + set->closed_percent &&
           newest(f, set, RPM, t_ms) > set->cut_rpm;
}

/* Burnt with so much air, l/h. */
static double of_air(const struct fuel *f, const struct fuel_settings *set, double air_g_s,
                     int64_t t_ms)
{
    bool diesel = set->kind == FUEL_DIESEL;
    double afr = diesel ? set->diesel_afr : set->petrol_afr;
    double g_l = diesel ? set->diesel_g_l : set->petrol_g_l;

    return air_g_s * 3600 / (afr * lambda(f, set, t_ms) * g_l);
}

static struct fuel_rate rate_now(const struct fuel *f, const struct fuel_settings *set,
                                 const struct moment *m, enum known running)
{
    const double *v = m->v;
    double g_l = set->kind == FUEL_DIESEL ? set->diesel_g_l : set->petrol_g_l;
    bool burns = set->kind == FUEL_PETROL || set->kind == FUEL_DIESEL;
    struct fuel_rate rate = {(double)NAN, FUEL_NONE};
    double map_kpa, kelvin;

    if (set->kind == FUEL_ELECTRIC)
        return rate;
    if (v[MOMENT_LITRES_H] >= 0)
        return (struct fuel_rate){v[MOMENT_LITRES_H], FUEL_DIRECT};
    if (v[MOMENT_FUEL_G_S] >= 0 && burns)
        return (struct fuel_rate){v[MOMENT_FUEL_G_S] * 3600 / g_l, FUEL_MASS};
    if (!burns)
        return rate;
    map_kpa = newest(f, set, MAP, m->t_ms);
    kelvin = newest(f, set, INTAKE, m->t_ms) + KELVIN;
    if (v[MOMENT_MAF] >= 0)
        rate = (struct fuel_rate){of_air(f, set, v[MOMENT_MAF], m->t_ms), FUEL_MAF};
    else if (v[MOMENT_RPM] >= 0 && map_kpa >= 0 && kelvin > 0 && set->displacement_l > 0 &&
             isnan(newest(f, set, MAF, m->t_ms)))
        rate =
            (struct fuel_rate){of_air(f, set,
                                      fuel_air_g_s(v[MOMENT_RPM], map_kpa, kelvin,
                                                   set->displacement_l, set->volumetric_efficiency),
                                      m->t_ms),
                               FUEL_DENSITY};
    if (isnan(rate.litres_h))
        return (struct fuel_rate){(double)NAN, FUEL_NONE};
    if (running == KNOWN_NO || fuel_is_cut(f, set, m->t_ms))
        rate.litres_h = 0;
    return rate;
}

static void take_inputs(struct fuel *f, const struct moment *m, enum known running)
{
    double throttle = m->v[MOMENT_THROTTLE];

    for (int i = 0; i < FUEL_INPUTS; i++) {
        if (!isfinite(m->v[inputs[i]]))
            continue;
        f->value[i] = m->v[inputs[i]];
        f->at_ms[i] = m->t_ms;
    }
    if (running == KNOWN_YES && throttle > 0 &&
        (f->least_throttle == 0 || throttle < f->least_throttle))
        f->least_throttle = throttle;
}

void fuel_step(struct fuel *f, const struct fuel_settings *set, const struct moment *m,
               enum known running, struct fuel_sum *sum)
{
    int64_t dt_ms = m->t_ms - f->t_ms;
    struct fuel_rate rate;

    if (dt_ms <= 0)
        return;
    take_inputs(f, m, running);
    rate = rate_now(f, set, m, running);
    if (f->t_ms == 0) {
        f->rate = rate;
        f->t_ms = m->t_ms;
        return;
    }
    if (isnan(rate.litres_h) && isfinite(f->rate.litres_h) && dt_ms < set->hole_ms)
        return; /* a sample without engine values between two that have them */
    if (running != KNOWN_NO || isfinite(rate.litres_h))
        sum->expected_ms += dt_ms;
    if (dt_ms <= set->hole_ms && isfinite(rate.litres_h) && isfinite(f->rate.litres_h)) {
        sum->litres[rate.method] +=
            (rate.litres_h + f->rate.litres_h) / 2 * (double)dt_ms / HOUR_MS;
        sum->by_ms[rate.method] += dt_ms;
    }
    f->rate = rate;
    f->t_ms = m->t_ms;
}

void fuel_add(struct fuel_sum *to, const struct fuel_sum *more)
{
    for (int i = 0; i < FUEL_METHODS; i++) {
        if (more->by_ms[i] == 0)
            continue; /* nor litres then: of a moment that is all but one, or all */
        to->litres[i] += more->litres[i];
        to->by_ms[i] += more->by_ms[i];
    }
    to->expected_ms += more->expected_ms;
}

static int64_t covered_ms(const struct fuel_sum *sum)
{
    int64_t all_ms = 0;

    for (int i = 0; i < FUEL_METHODS; i++)
        all_ms += sum->by_ms[i];
    return all_ms;
}

double fuel_litres(const struct fuel_sum *sum)
{
    double all = 0;

    if (covered_ms(sum) == 0)
        return (double)NAN;
    for (int i = 0; i < FUEL_METHODS; i++)
        all += sum->litres[i];
    return all;
}

double fuel_coverage(const struct fuel_sum *sum)
{
    return sum->expected_ms > 0 ? fmin(1, (double)covered_ms(sum) / (double)sum->expected_ms) : 0;
}

enum fuel_method fuel_main_method(const struct fuel_sum *sum, double *share)
{
    int64_t all_ms = covered_ms(sum);
    enum fuel_method best = FUEL_NONE;

    for (int i = 1; i < FUEL_METHODS; i++)
        if (sum->by_ms[i] > sum->by_ms[best])
            best = (enum fuel_method)i;
    if (share)
        *share = all_ms > 0 ? (double)sum->by_ms[best] / (double)all_ms : 0;
    return best;
}

double fuel_per_100_km(const struct fuel_sum *sum, const struct fuel_settings *set,
                       double distance_m)
{
    if (!(distance_m >= set->shown_from_m) || fuel_coverage(sum) < set->shown_coverage)
        return (double)NAN;
    return fuel_litres(sum) / distance_m * 100000;
}

double fuel_co2_kg(const struct fuel_settings *set, double litres)
{
    switch (set->kind) {
    case FUEL_PETROL:
        return litres * set->petrol_kg_l;
    case FUEL_DIESEL:
        return litres * set->diesel_kg_l;
    case FUEL_OTHER:
        return litres * set->other_kg_l;
    default:
        return (double)NAN;
    }
}

bool fuel_from_level(struct fuel_sum *sum, const struct fuel_settings *set, double from_percent,
                     double to_percent, int64_t duration_ms)
{
    if (covered_ms(sum) > 0 || set->kind == FUEL_ELECTRIC || !(set->tank_l > 0) ||
        !(from_percent > to_percent) || duration_ms <= 0)
        return false;
    sum->litres[FUEL_LEVEL] = (from_percent - to_percent) / 100 * set->tank_l;
    sum->by_ms[FUEL_LEVEL] = duration_ms;
    sum->expected_ms = duration_ms;
    return true;
}

void fuel_forget_level(struct fuel_sum *sum)
{
    sum->litres[FUEL_LEVEL] = 0;
    sum->by_ms[FUEL_LEVEL] = 0;
}

const char *fuel_word(enum fuel_method method)
{
    static const char *const word[FUEL_METHODS] = {"none", "direct",        "mass",
                                                   "maf",  "speed_density", "level"};

    return word[method];
}

enum fuel_kind fuel_kind_of(const char *word)
{
    if (!strcmp(word, "petrol") || !strcmp(word, "hybrid"))
        return FUEL_PETROL;
    if (!strcmp(word, "diesel"))
        return FUEL_DIESEL;
    if (!strcmp(word, "electric"))
        return FUEL_ELECTRIC;
    return *word ? FUEL_OTHER : FUEL_UNKNOWN;
}
