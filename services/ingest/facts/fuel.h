/* services/ingest/facts/fuel.h - litres and CO2, each with the method it was found by.  Pure; {0}
 * starts. Never a mean of momentary values: litres are the integral of a rate over the time that
 * has one, and what has none is missing, not zero.  Electric cars have no litres. */
#ifndef INGEST_FUEL_H
#define INGEST_FUEL_H

#include <stdbool.h>
#include <stdint.h>

#include "moment.h"

enum fuel_kind { FUEL_UNKNOWN = 0, FUEL_PETROL, FUEL_DIESEL, FUEL_ELECTRIC, FUEL_OTHER };
enum fuel_method { FUEL_NONE = 0, FUEL_DIRECT, FUEL_MASS, FUEL_MAF, FUEL_DENSITY, FUEL_LEVEL };
#define FUEL_METHODS 6

struct fuel_settings {
    enum fuel_kind kind;
    double displacement_l;           /* NaN: not known, no speed density */
    double tank_l;                   /* NaN: not known, no litres from the level */
    double volumetric_efficiency;    /* 0.85 until fill-ups calibrate it, 0.60 .. 1.10 */
    double petrol_afr, petrol_g_l;   /* 14.7, 745 */
    double diesel_afr, diesel_g_l;   /* 14.5, 830; with measured lambda only */
    double petrol_kg_l, diesel_kg_l; /* CO2 of a litre: 2.35, 2.69 */
    double other_kg_l;               /* NaN until an operator sets one */
    double lambda_max;     /* 1.99: from here on the sensor is at its end, and measures nothing */
    double cut_rpm;        /* 1,200: above idle (ours) */
    double closed_percent; /* 2 above the least throttle seen is closed (ours) */
    int64_t hold_ms;       /* 15,000: an input older than that is not used */
    int64_t hole_ms;       /* 15,000: longer holes are not integrated over */
    double shown_from_m;   /* 1,000: no l/100 km below ... */
    double shown_coverage; /* ... or with less than 0.9 covered */
};
/* An initialiser, for settings that hold these. */
#define FUEL_DEFAULTS                                                                              \
    {                                                                                              \
        .kind = FUEL_UNKNOWN, .displacement_l = NAN, .tank_l = NAN, .volumetric_efficiency = 0.85, \
        .petrol_afr = 14.7, .petrol_g_l = 745, .diesel_afr = 14.5, .diesel_g_l = 830,              \
        .petrol_kg_l = 2.35, .diesel_kg_l = 2.69, .other_kg_l = NAN, .lambda_max = 1.99,           \
        .cut_rpm = 1200, .closed_percent = 2, .hold_ms = 15000, .hole_ms = 15000,                  \
        .shown_from_m = 1000, .shown_coverage = 0.9,                                               \
    }
extern const struct fuel_settings fuel_defaults;

struct fuel_rate {
    double litres_h; /* NaN: none */
    enum fuel_method method;
};

struct fuel_sum {
    double litres[FUEL_METHODS]; /* by method */
    int64_t by_ms[FUEL_METHODS]; /* the time each stood for */
    int64_t expected_ms;         /* all time in which an engine may have burnt something */
};

#define FUEL_INPUTS 8
struct fuel {
    double value[FUEL_INPUTS];  /* newest of each input ... */
    int64_t at_ms[FUEL_INPUTS]; /* ... of when; 0: never */
    double least_throttle;      /* seen while running; 0: none yet */
    struct fuel_rate rate;      /* of t_ms */
    int64_t t_ms;
};

/* One moment: the time since the last one is added to `sum`.  f->rate is the rate of now. */
void fuel_step(struct fuel *f, const struct fuel_settings *set, const struct moment *m,
               enum known running, struct fuel_sum *sum);

/* The air an engine takes in, g/s, from its speed and the pressure and temperature before it. */
double fuel_air_g_s(double rpm, double map_kpa, double intake_kelvin, double displacement_l,
                    double volumetric_efficiency);

void fuel_add(struct fuel_sum *to, const struct fuel_sum *more);
double fuel_litres(const struct fuel_sum *sum);   /* NaN: nothing measured */
double fuel_coverage(const struct fuel_sum *sum); /* 0 .. 1 */
enum fuel_method fuel_main_method(const struct fuel_sum *sum,
                                  double *share); /* of the litres' time */
double fuel_per_100_km(const struct fuel_sum *sum, const struct fuel_settings *set,
                       double distance_m); /* NaN: too short, or too little of it known */
double fuel_co2_kg(const struct fuel_settings *set, double litres); /* NaN: no factor */
/* From the level alone: of a whole trip, never of a moment.  True when litres were found. */
bool fuel_from_level(struct fuel_sum *sum, const struct fuel_settings *set, double from_percent,
                     double to_percent, int64_t duration_ms);
void fuel_forget_level(struct fuel_sum *sum); /* what that found */

const char *
fuel_word(enum fuel_method method); /* "none" "direct" "mass" "maf" "speed_density" "level" */
enum fuel_kind fuel_kind_of(const char *word); /* of vehicle.fuel; a hybrid burns petrol */

#endif
