/* lib/drive/idle.h - engine running while standing.  Pure; {0} starts.
 * An idle lies over a stop or a trip; it is stamped at its first sample, not when it has lasted
 * long enough.  A stop-start (rpm 0) ends it: nothing is burnt. */
#ifndef LIB_DRIVE_IDLE_H
#define LIB_DRIVE_IDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine.h"
#include "motion.h"

struct idle_settings {
    int64_t after_ms;     /* 120,000 (others: 120 s, 200 s, 15 min) */
    int64_t integrate_ms; /* 15,000: over longer holes litres are not guessed */
    int64_t hole_ms;      /* 300,000: after a longer hole the idle ended with the last sample */
};
/* An initialiser, for settings that hold these. */
#define IDLE_DEFAULTS                                                                              \
    {                                                                                              \
        .after_ms = 120000, .integrate_ms = 15000, .hole_ms = 300000,                              \
    }
extern const struct idle_settings idle_defaults;

struct idle_input {
    int64_t t_ms;
    enum known running;       /* unknown counts as off */
    enum motion_state motion; /* unknown is not standing */
    enum known pto;           /* power take-off (PID 1E): yes means it works, which is no idling */
    double litres_h;          /* fuel rate; NaN: not known */
    bool leaving;             /* perhaps no longer standing: what follows tells whether it idled */
};

enum idle_fact { IDLE_NONE = 0, IDLE_BEGAN, IDLE_ENDED };

struct idle_span {
    int64_t since_ms;    /* first sample; 0: none */
    int64_t last_ms;     /* newest sample, or the last one */
    double litres;       /* burnt as far as measured ... */
    int64_t measured_ms; /* ... which is this much of it; 0: no litres, not 0 litres */
};

struct idle {
    struct idle_span now, ended; /* the present one, perhaps still too short; the last one told */
    bool told;                   /* IDLE_BEGAN was returned for the present one */
    double litres_h;             /* at now.last_ms */
    int64_t t_ms;                /* newest input */
};

/* IDLE_BEGAN at i->now.since_ms, told 120 s later; IDLE_ENDED: i->ended is what it was. */
enum idle_fact idle_step(struct idle *i, const struct idle_settings *set,
                         const struct idle_input *in);

#endif
