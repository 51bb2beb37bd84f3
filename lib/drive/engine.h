/* lib/drive/engine.h - engine running and ignition, two facts that are each yes, no or unknown.
 * Pure; {0} starts with both unknown.  A stop-start (rpm 0, the ECU goes on answering) stops the
 * engine and leaves the ignition on. */
#ifndef LIB_DRIVE_ENGINE_H
#define LIB_DRIVE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

enum known { KNOWN_NOT = 0, KNOWN_NO, KNOWN_YES };

struct engine_settings {
    double running_rpm; /* 300: a starter turns the engine more slowly */
    int64_t answer_ms;  /* 10,000: how long an ECU's answer, or its engine speed, speaks for now */
    double
        dongle_kmh; /* 8: the ECU falls silent and GPS is this fast: unknown (unplugged), not off */
    int64_t still_ms; /* 300,000: after such a drive only so long a rest is off (ours: a light is
                         red for less) */
};
extern const struct engine_settings engine_defaults;

struct engine_input {
    int64_t t_ms;
    double rpm;          /* read now; NaN: not read.  Never a repeated old value */
    bool ecu_answered;   /* any answer of an ECU now (an rpm is one) */
    bool adapter_there;  /* the adapter itself answers, so that a silent ECU is the ECU's silence */
    double gps_kmh;      /* of a good fix now; NaN: none */
    enum known measured; /* ignition line or gateway; KNOWN_NOT: there is none */
};

/* What changed, or-ed. */
enum engine_fact {
    ENGINE_STARTED = 1,
    ENGINE_STOPPED = 2,
    IGNITION_ON = 4,
    IGNITION_OFF = 8,
    IGNITION_UNKNOWN = 16,
};

struct engine {
    enum known running, ignition;
    int64_t running_since_ms, ignition_since_ms; /* of the present value */
    int64_t t_ms, rpm_ms, ecu_ms;                /* newest input, rpm and answer */
    int64_t silent_ms; /* since when the adapter is there without an answer */
    bool drove_silent; /* GPS moved in this silence */
    enum known was;    /* running, when it was last known */
};

/* One moment; may be called with nothing but the time.  Ignition: measured, else an answer at most
 * answer_ms old is on; an adapter that has been there that long without an answer is off, unless
 * GPS moves; anything else is unknown.  A car known to be off stays off when it moves (it is towed)
 * until something answers or the adapter is gone.  Ignition off stops the engine.
 * ENGINE_STARTED and ENGINE_STOPPED skip over moments when nothing is known. */
unsigned engine_step(struct engine *e, const struct engine_settings *set,
                     const struct engine_input *in);

#endif
