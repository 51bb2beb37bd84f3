/* services/api/series.h - measured values out of InfluxDB.  Which vehicle may be read was decided
 * before, in PostgreSQL; here VIN and times are bind parameters and names come from the compiled
 * table. */
#ifndef API_SERIES_H
#define API_SERIES_H

#include <stdbool.h>

#include "lib/store/influx.h"
#include "proto/signals.h"
#include "reduce.h"

struct series_query {
    const char *vin;
    int64_t from_ms, to_ms; /* both included */
    size_t most;            /* spans or places at most */
    bool minutes;           /* series: of 1-minute values, for times whose samples are gone */
};

/* One signal, reduced; out->spans is yours to free.  ST_RETRY: InfluxDB is away. */
struct series {
    struct span *spans;
    size_t count;
};
enum status series_read(struct influx *db, const struct series_query *q, uint16_t signal,
                        struct series *out, struct fault *fault) MUST_CHECK;

struct places {
    struct place *items;
    size_t count;
};
/* Where it was, thinned to one place per bucket when there are more than q->most, and how fast: GPS
 * and engine speak at moments of their own.  out->items is yours to free. */
enum status places_read(struct influx *db, const struct series_query *q, struct places *out,
                        struct fault *fault) MUST_CHECK;

#endif
