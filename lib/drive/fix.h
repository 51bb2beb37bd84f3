/* lib/drive/fix.h - which positions are good enough to decide anything.  Pure; {0} starts.
 * Receivers report jumps of 200 m with an accuracy of 1.9 m, so accuracy alone proves nothing. */
#ifndef LIB_DRIVE_FIX_H
#define LIB_DRIVE_FIX_H

#include <stdint.h>

struct fix {
    int64_t t_ms;
    double lat, lon;    /* degrees */
    double accuracy_m;  /* horizontal, NaN: not told */
    double speed_kmh;   /* NaN: not told */
    double heading_deg; /* 0 .. 360, NaN: not told */
};

struct fix_settings {
    double accuracy_max_m;     /* 50: coarser fixes are drawn, and used for nothing */
    double accuracy_assumed_m; /* 15 when the receiver does not tell */
    double jump_factor;        /* 1.5 times the larger known speed of both ends ... */
    double jump_slack_ms;      /* ... + 10 m/s is still a drive */
    double jump_unknown_ms;    /* 70 m/s when neither end knows its speed */
    int agreeing;              /* 3 rejected fixes that agree with each other are the new truth */
};
extern const struct fix_settings fix_defaults;

enum fix_verdict {
    FIX_GOOD,
    FIX_COARSE,  /* less accurate than allowed */
    FIX_JUMP,    /* too far from the last good one for the time between */
    FIX_INVALID, /* not finite, out of range, 0/0, negative accuracy */
    FIX_LATE,    /* not after the last one looked at */
};

struct fix_filter {
    struct fix good;     /* the last good one; t_ms 0: none yet */
    struct fix rejected; /* the last jump of the present run */
    int rejected_n;      /* jumps in a row that agree with each other */
};

/* Judge a fix.  Only FIX_GOOD and FIX_JUMP change the state. */
enum fix_verdict fix_step(struct fix_filter *f, const struct fix_settings *set,
                          const struct fix *fix);

/* What to reckon with: the accuracy told, or the one assumed. */
double fix_accuracy_m(const struct fix_settings *set, const struct fix *fix);

/* Speed in km/h that leads from one fix to the next, NaN unless b is after a. */
double fix_leg_kmh(const struct fix *a, const struct fix *b);

#endif
