/* services/ingest/facts/score.h - the eco score of a trip.  Pure.
 * 100 x (1 - sum of penalties / sum of caps) over what was measured; each lost point can be traced
 * to what lost it. */
#ifndef INGEST_SCORE_H
#define INGEST_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum score_term { SCORE_HARSH = 0, SCORE_IDLE, SCORE_OVERSPEED, SCORE_RPM, SCORE_COLD };
#define SCORE_TERMS 5

struct score_settings {
    double weight[SCORE_TERMS]; /* 1, 40, 100, 50, 50 */
    double cap[SCORE_TERMS];    /* 40, 20, 20, 10, 10 */
    double band_weight[3];      /* 1, 2, 4 of bands 1, 2, 3 */
    double least_km;            /* 1: a shorter trip has none; harsh events count on at least ... */
    double harsh_km;            /* ... 5 km */
    double least_caps;          /* 60: with less measured there is no score */
};
extern const struct score_settings score_defaults;

struct score_sums {
    double km;
    int bands[3]; /* harsh events of band 1, 2, 3 that were not dismissed */
    double idle_s, engine_s;
    double above_s, moving_s;
    double high_rpm_s, cold_s;  /* of engine_s */
    bool measured[SCORE_TERMS]; /* was there anything that could have told? */
};

struct score {
    bool present;
    double value;                /* 0 .. 100, one decimal, half up */
    double penalty[SCORE_TERMS]; /* capped; NaN: not measured */
};

struct score score_trip(const struct score_sums *sums, const struct score_settings *set);

#endif
