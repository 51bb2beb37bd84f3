/* services/api/purge.h - what is kept how long, and the proof that it was deleted.  One run, one
 * connection, one thread. */
#ifndef API_PURGE_H
#define API_PURGE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/store/influx.h"
#include "lib/store/postgres.h"

#define SAMPLES_DAYS 60

struct purge {
    struct pg *pg;
    struct influx *influx;
    const char *site;
    bool dry; /* count, and change nothing: the proof says what it would have said */
};

/* One row of the proof.  `unit`: what `removed` counts, "rows", "values" or "places".  `oldest_ms`:
 * of what is left when all that was to go has gone; 0: nothing is. */
enum status purge_file(struct purge *p, const char *kind, const char *kept, int64_t removed,
                       const char *unit, int64_t oldest_ms, struct fault *fault) MUST_CHECK;

/* Rows of PostgreSQL, in batches: whoever works there waits for milliseconds. */
enum status purge_rows(struct purge *p, struct fault *fault) MUST_CHECK;

/* Samples of this site's InfluxDB, of each customer as long as it wants, filed per customer and per
 * vehicle; then how old the rest is. */
enum status purge_samples(struct purge *p, int64_t now_ms, struct fault *fault) MUST_CHECK;

#endif
