/* services/ingest/record/newest.h - the newest value of each signal of one vehicle.  Pure; one
 * thread. A few dozen signals per vehicle: a small sorted array beats anything cleverer. */
#ifndef INGEST_NEWEST_H
#define INGEST_NEWEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/text.h"
#include "proto/live.h"
#include "proto/telemetry.h"

enum origin { ORIGIN_OBD, ORIGIN_GPS };

/* Two words, times a dozen signals, times thousands of vehicles. */
struct newest_value {
    double value;
    uint64_t t_ms : 43;  /* its own time, up to NEWEST_T_MAX, in the year 2248 */
    uint64_t ahead : 10; /* by so many NEWEST_STEP_MS that was ahead of us, rounded up */
    uint64_t signal : 10;
    uint64_t origin : 1;
};
#define NEWEST_T_MAX ((INT64_C(1) << 43) - 1)
#define NEWEST_SIGNAL_MAX 1023
#define NEWEST_STEP_MS 1024

struct newest {
    int64_t t_ms;                /* of the newest sample, or when it came; 0 none */
    struct newest_value *values; /* sorted by signal */
    uint32_t count, room;
};

void newest_done(struct newest *n);

/* A clock may be this much ahead of ours before it is called wrong. */
#define NEWEST_AHEAD_MS 1000

/* Take the samples of a record in; late ones change only what is older still.  A sample from after
 * `latest_ms` (when the record came, plus NEWEST_AHEAD_MS) keeps its time, but counts as of then,
 * to a second: a clock that is ahead would otherwise hold the picture still until the others have
 * caught up with it.  True when something changed. */
bool newest_merge(struct newest *n, const struct telemetry *record, int64_t latest_ms);
/* The same, but keeps only what newest_live asks for: a fraction of the memory. */
bool newest_merge_shown(struct newest *n, const struct telemetry *record, int64_t latest_ms);
/* Take one value in, newer wins; one from beyond NEWEST_T_MAX or before 1970 is none. */
bool newest_take(struct newest *n, uint16_t signal, int64_t t_ms, double value, enum origin origin);

const struct newest_value *newest_find(const struct newest *n,
                                       uint16_t signal); /* NULL: never measured */

/* {"Vehicle.Speed":[50,1795248000000,"obd"],...}: the column vehicle_state.signals.  A fourth entry
 * says by how many ms its time was ahead when it came. */
void newest_print(const struct newest *n, struct text *out);
/* The reverse; what is not understood is left out. */
void newest_read(struct newest *n, const char *json, size_t len);

/* What the map shows.  Position, speed and heading count while they are within 10 s of the newest
 * sample: an old heading beside a new position would be a lie. */
void newest_live(const struct newest *n, struct live *out);

#endif
