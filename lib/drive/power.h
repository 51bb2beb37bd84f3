/* lib/drive/power.h - when an agent works, when it only beats, when it switches itself off.
 * Pure; {0} starts awake.  Ignition may cut the supply at any moment: nothing here is needed for a
 * clean end, it only spares the battery. */
#ifndef LIB_DRIVE_POWER_H
#define LIB_DRIVE_POWER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine.h"

struct power_settings {
    int64_t drain_ms; /* 900,000 at most to empty the outbox once the ignition is off */
    int64_t grace_ms; /* 10,000 from the last commit to power down */
};
extern const struct power_settings power_defaults;

enum power_mode {
    POWER_AWAKE = 0, /* ignition on, or not known to be off */
    POWER_DRAINING,  /* ignition off: empty the outbox, ask the car nothing */
    POWER_BEATING,   /* one voltage read and one record per heartbeat */
    POWER_GRACE,     /* battery empty: finish the commit, announce `sleeping` */
    POWER_DOWN,      /* switch off */
};

struct power_input {
    int64_t t_ms;
    enum known ignition;
    bool outbox_empty;    /* nothing unacknowledged is left to send */
    bool battery_empty;   /* battery.open[BATTERY_EMPTY] */
    int64_t heartbeat_ms; /* battery_heartbeat_ms */
};

struct power {
    enum power_mode mode;
    int64_t since_ms; /* of the mode */
    int64_t beat_ms;  /* the last heartbeat */
    int64_t t_ms;
};

/* True when a heartbeat is due now (mode POWER_BEATING).  p->mode says what to do. */
bool power_step(struct power *p, const struct power_settings *set, const struct power_input *in);

#endif
