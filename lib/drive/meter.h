/* lib/drive/meter.h - how far a car went.  Pure; {0} starts.  Metres, km/h.
 * The sum of legs while moving: great circle between good fixes at most 15 s apart, else the
 * integral of the speed, else a straight line, which is told apart as estimated.  Standing adds
 * nothing, so a parked car does not drift; what lies between the last sample that stood and the one
 * that is surely moving counts when that comes. */
#ifndef LIB_DRIVE_METER_H
#define LIB_DRIVE_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "fix.h"

struct meter_settings {
    int64_t hole_ms; /* 15,000: longer holes are not integrated over, but lower the coverage */
    int64_t line_ms; /* 300,000: longer ago a fix does not tell from where it left */
};
/* An initialiser, for settings that hold these. */
#define METER_DEFAULTS                                                                             \
    {                                                                                              \
        .hole_ms = 15000, .line_ms = 300000,                                                       \
    }
extern const struct meter_settings meter_defaults;

struct meter_input {
    int64_t t_ms;
    bool moving;            /* motion.state == MOTION_MOVING */
    double kmh;             /* OBD, else GPS; NaN: none now */
    const struct fix *good; /* a good fix of now, or NULL */
    bool leaving;           /* not moving, and perhaps no longer standing */
};

struct meter {
    double settled_m;                /* legs that will not change */
    double estimated_m;              /* straight lines over holes, not in settled_m */
    double pending_m;                /* integral of the speed since the last fix */
    double held_m, held_pending_m;   /* the same while leaving: of whole legs, since the last fix */
    double held_estimated_m;         /* straight lines while leaving */
    int64_t moving_ms, held_ms;      /* of covered_ms what is in the way, and what may yet be */
    int64_t covered_ms, expected_ms; /* time in intervals of at most hole_ms, and all time */
    int64_t t_ms;                    /* newest sample */
    int64_t fix_ms;                  /* last good fix, 0: none */
    double lat, lon;
    int64_t kmh_ms; /* newest speed, 0: none */
    double kmh;
    bool moving, moved; /* at t_ms; at any time since the last fix */
    bool broken;        /* pending_m does not cover all the time since the last fix */
};

void meter_step(struct meter *m, const struct meter_settings *set, const struct meter_input *in);

/* All of it, estimated too.  Never falls: the integral shows once the last fix is 15 s old. */
double meter_distance_m(const struct meter *m, const struct meter_settings *set);
double meter_coverage(const struct meter *m); /* 0 .. 1; 1 before any time has passed */

#endif
