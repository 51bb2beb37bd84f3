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

#endif
