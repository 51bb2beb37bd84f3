/* vehicle/obd/pids.h - service 01 bytes to signals.  SAE J1979; the rows are written from
 * proto/obd_pids.csv.  Pure. */
#ifndef VEHICLE_OBD_PIDS_H
#define VEHICLE_OBD_PIDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/telemetry.h"

#define PID_READINGS_MAX 4 /* signals of one PID, at most */
#define PID_ALL 256

/* How many data bytes follow the PID; 0: not in the table. */
size_t pid_byte_count(uint8_t pid);

/* The signals a PID fills: their number, and their ids in `out`. */
size_t pid_signals(uint8_t pid, uint16_t out[PID_READINGS_MAX]);

/* Decode the data bytes of one PID: the number of readings, 0 when too short or not valid.  Not
 * rounded. */
size_t pid_decode(uint8_t pid, const uint8_t *data, size_t len,
                  struct reading out[PID_READINGS_MAX]);

/* Some sensors have another range than the table says: 50 tells that of the air flow (10).
 * `max_maf_gs`: what 50 said, 0 or NAN the usual.  Changes the reading of PID 10 in place. */
void pid_rescale(double max_maf_gs, uint8_t pid, struct reading *readings, size_t n);

/* Decode a whole answer `41 <pid> data ...`, `len` bytes, to a request for `asked_count` PIDs (in
 * any order). A PID that was not asked, or is not in the table, ends it: nothing behind it can be
 * trusted. Calls `take` for each PID that gave readings, and returns how many PIDs were in it. */
size_t pid_decode_answer(const uint8_t *bytes, size_t len, const uint8_t *asked, size_t asked_count,
                         void (*take)(void *self, uint8_t pid, const struct reading *readings,
                                      size_t n),
                         void *self);

#endif
