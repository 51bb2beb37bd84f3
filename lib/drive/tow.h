/* lib/drive/tow.h - a car that moves with its ignition off.  Pure; {0} starts.
 * Standing is not asked of motion.h here: ignition off means standing there, tow excepted. */
#ifndef LIB_DRIVE_TOW_H
#define LIB_DRIVE_TOW_H

#include <stdbool.h>
#include <stdint.h>

#include "anchor.h"
#include "engine.h"
#include "fix.h"
#include "hold.h"

struct tow_settings {
    double away_m;       /* more than 200 m from the anchor, net of the fix's accuracy ... */
    int64_t apart_ms;    /* ... by 2 good fixes at least 10,000 ms apart and none nearer between */
    double speed_kmh;    /* or GPS at 10 or more ... */
    int64_t speed_ms;    /* ... for 30,000 */
    int64_t hole_ms;     /* 15,000: fixes further apart do not add up to such a speed */
    int64_t position_ms; /* 60,000 between positions told meanwhile */
    double stop_kmh, go_kmh; /* 2 and 5: standing by GPS, as in motion.h */
    int64_t stood_ms;        /* 900,000 standing: it has arrived, and a person looks */
    int64_t anchor_ms;       /* 60,000: fixes so soon after ignition off make the anchor */
};
extern const struct tow_settings tow_defaults;

enum tow_fact {
    TOW_NONE = 0,
    TOW_BEGAN,    /* at since_ms */
    TOW_POSITION, /* time to send a position */
    TOW_STOOD, /* stands again; the place is the new anchor, so that the next move is a new tow */
    TOW_ENDED, /* ignition on, or no longer known to be off */
};

struct tow {
    bool open;
    int64_t since_ms; /* first sample of what raised it */
    int64_t off_ms;   /* ignition known off since, 0: it is not */
    int64_t t_ms;     /* newest moment */
    int64_t told_ms;  /* newest TOW_BEGAN or TOW_POSITION */
    struct fix last;  /* newest good fix; survives ignition changes */
    struct anchor anchor;
    struct hold away, fast, stood;
    bool standing;
};

/* One moment: the ignition, and the good fix of now or NULL.  Without a speed in the fix the way
 * from the last one gives it.  The anchor is where the car stood within a minute of ignition off,
 * else its last good fix before, else its first after. */
enum tow_fact tow_step(struct tow *t, const struct tow_settings *set, int64_t t_ms,
                       enum known ignition, const struct fix *good);

#endif
