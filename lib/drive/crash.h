/* lib/drive/crash.h - a crash, or what may become one.  Pure; {0} starts.
 * With an IMU: a vector of 2.5 g for 20 ms at 15 km/h or more.  Without: the speed falls from 30
 * km/h or more to standing at a mean of 0.8 g (no glitch limit here), and then a second witness
 * speaks: ECU or supply lost, or the engine stopped and no move.  Never from a speed alone.
 * A CRASH_PENDING is the moment to write the camera's ring to flash: it dies with the power. */
#ifndef LIB_DRIVE_CRASH_H
#define LIB_DRIVE_CRASH_H

#include <stdbool.h>
#include <stdint.h>

#include "engine.h"
#include "hold.h"
#include "speed.h"

struct crash_settings {
    double imu_g;          /* 2.5, of the vector without gravity ... */
    int64_t imu_ms;        /* ... for 20 ms (others: 2.0 from 25 km/h; 3.0 missed about half) */
    int64_t imu_hole_ms;   /* 80: samples further apart do not add up */
    double imu_kmh;        /* 15 or more within ... */
    int64_t imu_before_ms; /* ... the 5,000 ms before */
    double from_kmh;       /* 30 */
    double mean_g;         /* 0.8 */
    double stop_kmh;       /* 1 is standing by OBD, ... */
    double gps_stop_kmh;   /* ... 2 by GPS (as in motion.h) */
    int64_t witness_ms;    /* 10,000 for the ECU, the supply or the engine to go */
    int64_t still_ms;      /* 60,000 without a move once the engine has stopped */
    double move_kmh;       /* 3 (GPS 5) is a move: a stop-start goes on */
    double gps_move_kmh;
    double drives_kmh; /* 10 or more ... */
    int64_t drives_ms; /* ... within 15,000 of the stop: it was none */
    int64_t quiet_ms;  /* 60,000: further impacts belong to the same crash */
};
extern const struct crash_settings crash_defaults;

enum crash_fact {
    CRASH_NONE = 0,
    CRASH_PENDING,   /* the fall: save what dies with the power, and wait */
    CRASH_DROPPED,   /* no second witness: forget it */
    CRASH_RAISED,    /* alert, severity critical, at c->t_ms */
    CRASH_CORRECTED, /* the raised one drives on: clear it; a harsh_braking, if there is one, stays
                      */
};

struct crash_input {
    int64_t t_ms;
    enum speed_source source; /* OBD or GPS; anything else: no speed now */
    double kmh;               /* with the time of its own answer */
    bool ecu_lost;            /* the ECU stopped answering, or the adapter is gone */
    bool supply_lost;         /* a hold-up supply says so */
    enum known running;       /* the engine */
};

struct crash {
    int64_t t_ms;    /* of the present or last crash: standing reached, or the impact */
    double from_kmh; /* speed before; NaN: not known */
    double peak_g;   /* mean of the fall, or the largest vector */
    bool pending, raised_by_speed;
    bool engine_stopped;         /* within witness_ms of the stop */
    int64_t began_ms;            /* of the fall */
    int64_t newest_ms;           /* newest input */
    bool was_lost;               /* ecu_lost or supply_lost in the newest input ... */
    int64_t lost_ms;             /* ... since */
    struct readings readings[2]; /* OBD, GPS */
    int64_t fast_ms;             /* newest speed of imu_kmh or more */
    double fast_kmh;
    struct hold impact;
    int64_t imu_ms;
    double impact_g;
};

enum crash_fact crash_step(struct crash *c, const struct crash_settings *set,
                           const struct crash_input *in);
/* Acceleration without gravity, m/s2; `vector` is its length. */
enum crash_fact crash_imu(struct crash *c, const struct crash_settings *set, int64_t t_ms,
                          double vector_ms2);

#endif
