/* lib/store/line.h - InfluxDB line protocol: measurement `telemetry`, tag vin, fields = VSS paths,
 * floats, ms. Names come from the compiled tables only; nothing from outside is ever written but a
 * valid VIN and finite doubles. */
#ifndef LIB_STORE_LINE_H
#define LIB_STORE_LINE_H

#include "lib/text.h"
#include "proto/telemetry.h"

/* Append one line per sample that has readings; returns how many lines. */
size_t line_add(struct text *out, const char *vin, const struct telemetry *record,
                size_t first_sample, size_t count);

/* The same into `room` bytes at `out`: from sample *next on whole lines as long as one more surely
 * fits.  *next moves on, *lines grows; returns the bytes written.  A line of `count` readings
 * surely fits into LINE_ROOM(count); more than what is returned may have been written over, within
 * `room`. */
#define LINE_ROOM(count) (64 + (size_t)(count) * (SIGNAL_FIELD_MAX + 32))
size_t line_fill(char *out, size_t room, const char *vin, const struct telemetry *record,
                 size_t *next, size_t *lines);

/* How long the lines of all its samples are, at most; 0: not known.  Most often that is nearly what
 * they are. */
size_t line_most(const struct telemetry *record);

#endif
