/* services/ingest/facts/level.h - the fuel gauge, read at rest: drops and fill-ups.  Pure; {0}
 * starts. The level sloshes while the car moves, so only readings at rest count: the median of the
 * last minute before the ignition went off against that of a minute after it is on again.  A car
 * that drives off and does not rest for long, or is turned off on arrival, has filled up where the
 * median of minutes on the road is higher than slosh makes it: nothing burns upwards. */
#ifndef INGEST_LEVEL_H
#define INGEST_LEVEL_H

#include <stdint.h>

#include "moment.h"

struct level_settings {
    int64_t median_ms; /* 60,000 of standing make a median */
    int64_t from_ms;   /* after ignition on: from 60,000 ... */
    int64_t to_ms;     /* ... to 180,000 */
    int64_t late_ms;   /* 900,000: where it did not stand then, its next stand within this (ours) */
    int64_t flip_ms;   /* 30,000: the ignition off for less than that is no pause */
    double drop_percent, drop_l; /* at least 8 % and 5 l less: a drop */
    double rise_percent;         /* at least 8 % more: a fill-up */
    int64_t road_ms;             /* 300,000 of driving, from from_ms on, make a median (ours) */
    double road_percent;         /* that shows a fill-up of at least 16 % (ours) */
    double tank_l;               /* NaN: not known, the litres are not asked */
};
/* An initialiser, for settings that hold these. */
#define LEVEL_DEFAULTS                                                                             \
    {                                                                                              \
        .median_ms = 60000, .from_ms = 60000, .to_ms = 180000, .late_ms = 900000,                  \
        .flip_ms = 30000, .drop_percent = 8, .drop_l = 5, .rise_percent = 8, .road_ms = 300000,    \
        .road_percent = 16, .tank_l = NAN,                                                         \
    }
extern const struct level_settings level_defaults;

#define LEVEL_READINGS 16
#define LEVEL_ROAD_LEAST 6 /* on the road: of some 100 s at least */
struct level_window {
    int64_t first_ms;
    int32_t after_ms[LEVEL_READINGS]; /* first_ms */
    float percent[LEVEL_READINGS];
    int n;
};

enum level_fact { LEVEL_NONE = 0, LEVEL_DROP, LEVEL_REFUEL };

struct level {
    struct level_window window; /* readings at rest with the ignition on, of the last minute */
    double rest_percent;        /* median of the newest window */
    bool any, fresh;            /* there is one; it is of the present stand */
    int64_t off_ms, on_ms;      /* ignition off since, on since; 0: it is not */
    bool waiting;               /* a pause has ended and the level after it is not known yet */
    double before_percent, after_percent; /* of the newest fact */
    bool
        before_fresh; /* read in the stand that ended in the pause; a drop needs that, a rise not */
    int64_t before_ms, after_ms; /* ignition off and on around it */
    struct level_window road;    /* while waiting: the first readings on the road */
    int64_t t_ms;
};

/* LEVEL_DROP and LEVEL_REFUEL happened between before_ms and after_ms. */
enum level_fact level_step(struct level *l, const struct level_settings *set,
                           const struct seen *seen, double percent);

double level_at_rest(const struct level *l); /* newest median, NaN: none */

#endif
