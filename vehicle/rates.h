/* vehicle/rates.h - how often a car tells what, by the state it is in.  Pure.
 * Driving: all.  Parked: positions at 1 Hz for a minute (they make the anchor), then now and then
 * for a quarter of an hour, then one sample a heartbeat.  Battery empty: nothing.  Watched: as
 * driving, except with an empty battery. */
#ifndef VEHICLE_RATES_H
#define VEHICLE_RATES_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "lib/drive/power.h"

#define RATES_ANCHOR_MS 60000   /* so long after ignition off every fix is told */
#define RATES_PARKED_MS 60000   /* then one so often ... */
#define RATES_SETTLED_MS 900000 /* ... until then; afterwards one a heartbeat */
#define RATES_WATCH_MS 1000     /* age of a record while somebody watches */
#define RATES_NEVER INT64_MAX

struct rates_input {
    enum power_mode mode;
    int64_t off_for_ms; /* since the ignition went off; below 0: it is not off */
    int64_t now_ms;     /* our clock: for config/1's watch */
    int64_t record_ms;  /* of the settings */
    int64_t heartbeat_ms;
    const struct config *config;
};

struct rates {
    bool watched;
    int64_t record_ms;  /* age of a record */
    int64_t fix_ms;     /* between two positions of a standing car; 0: each one */
    int64_t voltage_ms; /* between two looks at the supply while the bus sleeps */
};

struct rates rates_of(const struct rates_input *in);

#endif
