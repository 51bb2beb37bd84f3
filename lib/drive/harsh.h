/* lib/drive/harsh.h - harsh acceleration, braking and cornering, one event per manoeuvre.
 * Pure; {0} starts.  Accelerations in g, speeds in km/h.
 * With an inertial sensor (IMU): |a| >= T for 250 ms.  Without: the least-squares slope of the
 * speed over true readings, OBD before GPS, never the two mixed; corners from GPS, v x heading
 * rate.  No law fixes the thresholds; GPS alone understates peaks. */
#ifndef LIB_DRIVE_HARSH_H
#define LIB_DRIVE_HARSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fix.h"
#include "hold.h"
#include "speed.h"

enum harsh_kind { HARSH_ACCELERATION = 0, HARSH_BRAKING, HARSH_CORNERING };
#define HARSH_KINDS 3
#define HARSH_BANDS 3
enum harsh_source { HARSH_NONE = 0, HARSH_GPS, HARSH_OBD, HARSH_IMU }; /* better ones are greater */

struct harsh_settings {
    double threshold_g[HARSH_KINDS];  /* T by kind: car 0.35 0.40 0.45, van 0.30 0.36 0.40,
                                         heavy 0.25 0.30 0.32 */
    double band[HARSH_BANDS];         /* 1, 1.25, 1.6 times T */
    double end_factor;                /* 0.83: below 0.83 T it is over */
    int64_t join_ms;                  /* 2,000: the same kind again within this is the same event */
    int64_t span_min_ms, span_max_ms; /* 1,500 .. 2,500 for slopes and heading rates */
    int64_t step_ms;                  /* 800: steps of peak_g are at least this long */
    double glitch_g;                  /* 1.2: no car does more, so the speed is wrong */
    double braking_from_kmh;          /* 10 before braking ... */
    double acceleration_to_kmh;       /* ... and after accelerating */
    double cornering_kmh;             /* 30 on average over the fixes */
    double imu_cornering_kmh;         /* 15 */
    int64_t imu_hold_ms;              /* 250 */
    int64_t imu_hole_ms; /* 80: at 25 Hz two samples lie 40 ms apart, one may be lost */
    int64_t source_ms;   /* 10,000 without the better source before the next one counts */
    int64_t speed_ms;    /* 5,000: how long a speed speaks for what the IMU feels */
};
extern const struct harsh_settings harsh_car, harsh_van, harsh_heavy;

struct harsh_event {
    enum harsh_kind kind;
    enum harsh_source source;
    int64_t t_ms;        /* began: first reading of the first slope, first sample with an IMU */
    int64_t duration_ms; /* to the last reading that was still at 0.83 T or more */
    double peak_g;       /* steepest step inside of at least step_ms; corner, IMU: greatest |a| */
    double slope_g;      /* greatest slope, the measure of the band; NaN with an IMU, where it is
                            the level that held */
    double speed_before_kmh; /* NaN: not known */
    int band;                /* 1 .. 3 */
};

/* "minor" for band 1, "major" above; "harsh_braking" and so on. */
const char *harsh_severity(const struct harsh_event *event);
const char *harsh_type(enum harsh_kind kind);

struct harsh_run {
    bool open;       /* a manoeuvre that is not complete yet */
    bool over;       /* it fell below 0.83 T */
    int64_t last_ms; /* newest sample at 0.83 T or more */
    double after_kmh;
    struct harsh_event event;
    bool ready; /* `complete` is to be told by the present call */
    struct harsh_event complete;
};

#define HARSH_FIXES 8
struct harsh {
    int64_t t_ms;         /* newest input of any kind */
    int64_t source_ms[4]; /* newest input by source */
    enum harsh_source readings_of;
    struct readings readings;
    struct speed_reading
        doubted; /* a reading further off than glitch_g allows, until the next one */
    struct speed_reading
        heading[HARSH_FIXES];        /* of the latest fixes, unwrapped degrees, not km/h ... */
    double heading_kmh[HARSH_FIXES]; /* ... and their speeds */
    size_t fixes;
    struct hold held[HARSH_KINDS][HARSH_BANDS]; /* IMU: how long at each band */
    double imu_peak_g[HARSH_KINDS];
    double speed_kmh; /* the newest taken, of speed_ms */
    int64_t speed_ms;
    struct harsh_run run[HARSH_KINDS];
};

/* Each takes one reading with the time of its own answer and writes the events that are complete
 * by then, at most HARSH_KINDS: an event is told when nothing can join it any more, 4.5 s
 * after its end (2.25 s with an IMU).  What is not valid, or not after the newest of its source,
 * has no effect. */
size_t harsh_speed(struct harsh *h, const struct harsh_settings *set, int64_t t_ms,
                   enum speed_source source, double kmh, struct harsh_event out[HARSH_KINDS]);
/* A good fix (lib/drive/fix.h): its speed counts as a GPS reading, its heading for corners. */
size_t harsh_fix(struct harsh *h, const struct harsh_settings *set, const struct fix *fix,
                 struct harsh_event out[HARSH_KINDS]);
/* Gravity removed, oriented, m/s2: forward and to the left.  At least 25 a second, or nothing
 * holds. */
size_t harsh_imu(struct harsh *h, const struct harsh_settings *set, int64_t t_ms,
                 double forward_ms2, double left_ms2, struct harsh_event out[HARSH_KINDS]);
/* Time passed without a reading: tells what is complete. */
size_t harsh_pass(struct harsh *h, const struct harsh_settings *set, int64_t t_ms,
                  struct harsh_event out[HARSH_KINDS]);
/* The end of the input: tells what is open. */
size_t harsh_flush(struct harsh *h, const struct harsh_settings *set,
                   struct harsh_event out[HARSH_KINDS]);

#endif
