/* services/ingest/again/minutes.h - the thread that computes 1-minute values (measurement
 * telemetry_1m, kept two years, without positions) out of the samples, again for every ten minutes
 * that were touched: so late data counts.  One such thread of a site works, the others stand by. */
#ifndef INGEST_MINUTES_H
#define INGEST_MINUTES_H

#include <stdint.h>

#include "proto/status.h"

struct minutes;

struct minutes_options {
    const char *pg, *influx, *site; /* borrowed until minutes_join */
    int64_t wait_ms;                /* what was touched rests that long first; 0: nothing to do */
};

enum status minutes_start(struct minutes **out, const struct minutes_options *options,
                          struct fault *fault) MUST_CHECK;
/* Ends soon after stop was asked for (lib/stop).  NULL is fine. */
void minutes_join(struct minutes *m);

#endif
