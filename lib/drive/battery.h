/* lib/drive/battery.h - what the voltage of the vehicle's battery says.  Pure; {0} starts.
 * Volts are of a 12 V system; with 24 V every threshold is double. */
#ifndef LIB_DRIVE_BATTERY_H
#define LIB_DRIVE_BATTERY_H

#include <stdbool.h>
#include <stdint.h>

#include "engine.h"
#include "hold.h"

struct battery_settings {
    int64_t rest_ms;          /* 600,000 after the engine stopped it is at rest */
    double low_v;             /* 12.2 or less at rest ... */
    int64_t low_ms;           /* ... for 180,000: minor */
    double empty_v;           /* 11.8 or less at rest, twice ... */
    int64_t empty_ms;         /* ... 60,000 apart: major, and power down */
    double charging_v;        /* less than 12.8 while running (regulated alternators dip) ... */
    int64_t charging_ms;      /* ... for 300,000 ... */
    int64_t running_ms;       /* ... once it has run for 60,000: major */
    double over_v;            /* more than 15.0 ... */
    int64_t over_ms;          /* ... for 10,000: major */
    int64_t dip_ms;           /* 10,000: shorter dips (cranking) are none */
    double rested_v;          /* 12.5 or more at rest ... */
    int64_t rested_ms;        /* ... for 600,000, or ... */
    double charged_v;         /* ... 13.2 or more while running ... */
    int64_t charged_ms;       /* ... for 120,000 clears */
    double truck_v;           /* 18: a median at rest above this is a 24 V system */
    int64_t hole_ms;          /* 7,500,000: two heartbeats; readings further apart prove nothing */
    int64_t running_hole_ms;  /* 60,000: the same while the engine runs */
    int nominal_v;            /* 0: find out; 12 or 24: told */
    int64_t low_heartbeat_ms; /* 3,600,000: no heartbeat of a parked car before when low */
};
extern const struct battery_settings battery_defaults;

struct battery_input {
    int64_t t_ms;
    double volts;       /* NaN: not read now; 0 .. 60 is believed */
    enum known running; /* unknown is neither rest nor running */
    bool cranking;      /* the starter turns (0 < rpm < 300, or state 5): the reading is no judge */
};

enum battery_kind { BATTERY_LOW = 0, BATTERY_EMPTY, BATTERY_CHARGING, BATTERY_OVER };
#define BATTERY_KINDS 4
/* Facts, or-ed: 1 << kind raised, 16 << kind cleared. */
#define BATTERY_RAISED(kind) (1U << (kind))
#define BATTERY_CLEARED(kind) (16U << (kind))

struct battery {
    bool open[BATTERY_KINDS];
    int64_t since_ms[BATTERY_KINDS]; /* first reading of what raised it */
    double volts;                    /* newest reading */
    int64_t t_ms;                    /* newest input */
    int64_t off_ms, on_ms;           /* engine known off, running since; 0: it is not */
    struct hold held[BATTERY_KINDS], rested, charged;
    int64_t dip_ms[2];     /* a dip began in `rested`, `charged`; 0: none */
    float rest[5], any[5]; /* latest readings, for the median */
    int rests, anys;
};

/* One moment.  Low and empty clear at rest or running, not charging and too much only running:
 * a rested battery proves no alternator. */
unsigned battery_step(struct battery *b, const struct battery_settings *set,
                      const struct battery_input *in);

bool battery_is_24v(const struct battery *b, const struct battery_settings *set);
const char *battery_severity(enum battery_kind kind); /* "minor" for low, "major" */
const char *battery_word(enum battery_kind kind);     /* "low", "empty", "charging", "over" */
/* Time between two heartbeats of a parked car that else has one each `parked_ms`. */
int64_t battery_heartbeat_ms(const struct battery *b, const struct battery_settings *set,
                             int64_t parked_ms);

#endif
