/* vehicle/deadband.h - which readings are worth telling.  Pure: times come with the samples.
 * A signal is told when it left its band around what was told last, when it has not been told for
 * its silence, when it was not measured for a while, and the first time.  What is told is always a
 * reading of that very moment, never an older one.  Signals of a group go together: a position
 * without its accuracy, or half of one, would mean something else.
 * Bands, silences and groups are data: vehicle/deadbands.csv.  `all` there: every reading counts
 * (the rules count samples of speed, and a speed without an engine speed beside it means GPS). */
#ifndef VEHICLE_DEADBAND_H
#define VEHICLE_DEADBAND_H

#include <stddef.h>
#include <stdint.h>

#include "proto/telemetry.h"

#define DEADBAND_SIGNALS 1024 /* ids below; those above are always told */
#define DEADBAND_GAP_MS 30000 /* not measured for so long: the next reading is told */

struct deadband {
    struct deadband_signal {
        int64_t told_ms, seen_ms; /* 0: never */
        double told;
    } signals[DEADBAND_SIGNALS];
};

void deadband_init(struct deadband *d); /* nothing was told yet: also after the clock was set */

/* The readings of one sample, in VSS units as they would be stored: those to be told stay, in
 * order.  At most 64 of them.  Returns how many; 0: the sample says nothing new. */
size_t deadband_pass(struct deadband *d, int64_t t_ms, struct reading *readings, size_t n);

#endif
