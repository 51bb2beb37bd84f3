/* lib/drive/speed.h - one speed out of several sources, and slopes over true readings.  Pure.
 * Speeds are km/h, accelerations g.  Never resample or hold a speed before asking for its slope:
 * one count of PID 0D in a second is 0.028 g already, and a carried value invents steps. */
#ifndef LIB_DRIVE_SPEED_H
#define LIB_DRIVE_SPEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DRIVE_G_MS2 9.80665               /* standard gravity */
#define DRIVE_G_KMH_S (DRIVE_G_MS2 * 3.6) /* 1 g is 35.3 km/h more every second */
#define SPEED_MAX_KMH 400.0

enum speed_source {
    SPEED_NONE = 0,
    SPEED_OBD, /* the car's own, PID 0D */
    SPEED_GPS, /* Doppler */
    SPEED_LEG, /* distance between two good fixes over time: no speed at all was measured */
};

struct speed {
    double kmh; /* NaN with SPEED_NONE */
    enum speed_source source;
};

/* Finite and 0 .. 400; NaN is neither more nor less. */
static inline bool speed_valid(double kmh)
{
    return kmh >= 0 && kmh <= SPEED_MAX_KMH;
}

/* Told by the car or by its receiver, not worked out from a way. */
static inline bool speed_measured(enum speed_source source)
{
    return source == SPEED_OBD || source == SPEED_GPS;
}

/* The best there is: OBD, else GPS, else leg.  What is not valid (NaN: not measured) is absent. */
struct speed speed_choose(double obd_kmh, double gps_kmh, double leg_kmh);

/* A speed of a sample whose source is not told: without engine speed it is taken for GPS. */
struct speed speed_of_sample(double kmh, double engine_rpm);

struct speed_reading {
    int64_t t_ms; /* of its own answer */
    double kmh;
};

/* The latest readings of one source, oldest first.  {0} is empty. */
#define READINGS_MAX 32
struct readings {
    struct speed_reading at[READINGS_MAX];
    size_t n;
};

#define READINGS_REPEAT_MS                                                                         \
    1000 /* an unchanged speed sooner than this is the same reading, carried */
#define READINGS_SPACING_MS 50 /* sooner than this a reading adds nothing: 32 still span 1.5 s */

/* Take a reading in.  False, and no effect: not valid, not after the newest, a carried repeat, or
 * too close to the newest. */
bool readings_add(struct readings *r, int64_t t_ms, double kmh);

/* Least-squares slope of n readings, in their unit per second; NaN unless their times differ. */
double reading_fit(const struct speed_reading *at, size_t n);

/* Least-squares slope in g over the fewest latest readings, at least 3, that span
 * span_min_ms .. span_max_ms; *from is the first of them (NULL is fine).
 * NaN: too few, or polled too slowly to tell. */
double readings_slope_g(const struct readings *r, int64_t span_min_ms, int64_t span_max_ms,
                        size_t *from);

/* Steepest step in g between readings first .. newest that lie at least step_ms apart, each with
 * the closest such; `sign` +1 looks for the greatest rise, -1 for the greatest fall; steps above
 * limit_g are glitches.  0: none. */
double readings_peak_g(const struct readings *r, size_t first, int64_t step_ms, int sign,
                       double limit_g);

#endif
