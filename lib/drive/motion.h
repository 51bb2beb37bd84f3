/* lib/drive/motion.h - standing or moving, with hysteresis.  Pure; {0} starts as unknown.
 * Ignition, engine running and moving are three facts: this is the third, lib/drive/engine.h has
 * the others. */
#ifndef LIB_DRIVE_MOTION_H
#define LIB_DRIVE_MOTION_H

#include <stdbool.h>
#include <stdint.h>

#include "speed.h"

struct motion_settings {
    double stop_kmh, go_kmh;         /* OBD: standing below 1, moving from 3 */
    double gps_stop_kmh, gps_go_kmh; /* GPS and legs: below 2, from 5: receivers wander */
    int go_samples; /* 2 samples running; the first of them is the time of departure */
};
extern const struct motion_settings motion_defaults;

enum motion_state { MOTION_UNKNOWN = 0, MOTION_STANDING, MOTION_MOVING };
enum motion_fact { MOTION_SAME = 0, MOTION_STOPPED, MOTION_STARTED };

struct motion {
    enum motion_state state;
    int64_t since_ms; /* first sample of this state: arrival or departure, not confirmation */
    int64_t t_ms;     /* newest sample taken */
    int64_t going_ms; /* first of the samples running that are fast enough, 0: none */
    int going;
};

/* One sample.  `speed` comes from speed_choose or speed_of_sample; SPEED_NONE changes nothing but
 * with ignition known off, which means standing whatever GPS says.  A hole changes nothing: between
 * two standing samples the car stood.  MOTION_STOPPED and MOTION_STARTED happened at m->since_ms.
 */
enum motion_fact motion_step(struct motion *m, const struct motion_settings *set, int64_t t_ms,
                             struct speed speed, bool ignition_known_off);

#endif
