/* tests/sim/fleet/drive.h - what a simulated car measures: a function of car and time alone, so
 * that a record can be made again and whoever checks a database knows every value. Pure. */
#ifndef FLEET_DRIVE_H
#define FLEET_DRIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/telemetry.h"

#define DRIVE_SIGNALS_MAX 17

struct drive_plan {
    size_t signals; /* the first so many of the list in drive.c */
    size_t samples; /* a record */
    int64_t step_ms;
    int64_t start_ms; /* time of the first sample of record 1 */
    bool columnar;
};

/* Signal number `k` (0 ..) and its value, rounded as the signal table says. */
uint16_t drive_signal(size_t k);
double drive_value(unsigned car, size_t k, int64_t t_ms);

/* Record `seq` (from 1) of a car, into `scratch` and as bytes; returns their number, 0: over
 * `size`. */
size_t drive_record(const struct drive_plan *plan, unsigned car, const char *stream, int64_t seq,
                    struct telemetry *scratch, char *out, size_t size);

/* An alert of the same numbering, its id made of VIN, stream and seq; returns its length. */
size_t drive_alert(const struct drive_plan *plan, const char *vin, const char *stream, int64_t seq,
                   char *out, size_t size);

#endif
