/* services/ingest/facts/moment.h - one sample as the facts see it, and what it means.  Pure.
 * A moment is the sample's own values, NaN where nothing was measured; a sight is what they say
 * together with those before: good fix, speed and its source, standing, engine, ignition.  Trips,
 * zones and limits all look through the same sight, so that they never disagree. */
#ifndef INGEST_MOMENT_H
#define INGEST_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/drive/engine.h"
#include "lib/drive/fix.h"
#include "lib/drive/motion.h"
#include "lib/drive/speed.h"

struct reading; /* proto/telemetry.h */

enum moment_value {
    MOMENT_SPEED = 0, /* km/h: the car's with an engine speed beside it, else GPS's */
    MOMENT_LAT,
    MOMENT_LON,
    MOMENT_ACCURACY,      /* m */
    MOMENT_HEADING,       /* degrees */
    MOMENT_VOLTAGE_STATE, /* LowVoltageSystemState: 0 undefined, 1 .. 3 off, 4 and 5 on */
    MOMENT_RUNNING,       /* 0 or 1 */
    MOMENT_RPM,
    MOMENT_LOAD,        /* % */
    MOMENT_COOLANT,     /* degrees Celsius */
    MOMENT_MAP,         /* kPa */
    MOMENT_INTAKE,      /* degrees Celsius */
    MOMENT_MAF,         /* g/s */
    MOMENT_THROTTLE,    /* % */
    MOMENT_FUEL_STATUS, /* PID 03 */
    MOMENT_LEVEL,       /* % */
    MOMENT_PTO,         /* 0 or 1 */
    MOMENT_RUN_TIME,    /* s since the engine started, PID 1F */
    MOMENT_LAMBDA,      /* measured, 24 .. 2B and 34 .. 3B */
    MOMENT_EQUIVALENCE, /* commanded, PID 44 */
    MOMENT_LITRES_H,    /* PID 5E */
    MOMENT_FUEL_G_S,    /* PID 9D */
    MOMENT_ENGINE_H,    /* PID 7F */
    MOMENT_IDLE_H,
    MOMENT_ODOMETER,   /* m, PID A6 */
    MOMENT_CLEARED_KM, /* since codes were cleared, PID 31 */
    MOMENT_VOLTS,      /* of the 12 or 24 V battery */
    MOMENT_VALUES
};
#define MOMENT_OTHER MOMENT_VALUES /* where goes what is none of them */

struct moment {
    int64_t t_ms;
    bool ecu;                    /* some value came from an ECU */
    double v[MOMENT_VALUES + 1]; /* the last is MOMENT_OTHER */
};

/* Which value a signal is: built once, read by all. */
#define MOMENT_SIGNALS 1024
struct moment_map {
    uint8_t value_of[MOMENT_SIGNALS]; /* enum moment_value or MOMENT_OTHER */
    bool of_ecu[MOMENT_SIGNALS];
};
void moment_map_init(struct moment_map *map);

void moment_init(struct moment *m, int64_t t_ms); /* nothing measured */
void moment_take(struct moment *m, const struct moment_map *map, const struct reading *readings,
                 size_t n);

/* Where they stand in samples of the same signals in the same order: looked up once.  What one
 * sample left in `m` the next one takes the place of. */
#define MOMENT_PLACES_MAX 64
struct moment_places {
    size_t n;
    bool ecu;
    struct {
        uint16_t place, value;
    } at[MOMENT_PLACES_MAX];
};
/* Of at most MOMENT_PLACES_MAX readings. */
void moment_places_init(struct moment_places *p, const struct moment_map *map,
                        const struct reading *readings, size_t n);
void moment_take_alike(struct moment *m, const struct moment_places *p, int64_t t_ms,
                       const struct reading *readings);

struct sight_settings {
    struct fix_settings fix;
    struct motion_settings motion;
    struct engine_settings engine;
    int64_t leg_ms; /* 10,000: where no speed is told, one is taken over at least so long (ours:
                       over a second a resting receiver wanders at walking pace) */
    bool off_stays; /* ignition told off is off in the samples after it, too (below) */
    int64_t off_hole_ms; /* 3,600,000: but not over such a hole */
};
/* Of a car with an agent, which says off in each round as long as there is an adapter to ask. */
extern const struct sight_settings sight_defaults;
/* Of any other: it may tell the ignition in samples of its own, and only when it changes.  Off
 * stays until something else is told, the engine runs, or an ECU answers that had ten seconds to
 * fall asleep. */
extern const struct sight_settings sight_gateway;

struct sight {
    struct fix_filter fix;
    struct motion motion;
    struct engine engine;
    struct fix leg;  /* where the present leg began */
    struct fix left; /* where the one before did */
    double leg_kmh;
    int64_t told_off_ms; /* ignition told off, newest time, and nothing against it since; 0: no */
    int64_t t_ms;
};

struct seen {
    int64_t t_ms;
    int64_t since_ms; /* since the moment before; 0: the first */
    bool good;        /* `fix` is a good one, of now */
    struct fix fix;
    double accuracy_m; /* of it, told or assumed */
    struct speed speed;
    enum motion_state motion;
    int64_t motion_since_ms;
    bool going;   /* fast enough, not yet often enough to be moving */
    bool leaving; /* going, or a leg is under way that may tell so */
    enum known running, ignition;
};

/* Look at one moment.  False, and no effect: not after the last one. */
bool sight_step(struct sight *s, const struct sight_settings *set, const struct moment *m,
                struct seen *out);

#endif
