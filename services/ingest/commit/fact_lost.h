/* services/ingest/commit/fact_lost.h - what is known of cars whose state cannot be read: what was
 * shown of them, which of their alerts are open, whose records they came from.  With that they
 * begin until the rest is computed again from the history.  Inside the caller's transaction; one
 * thread. */
#ifndef INGEST_FACT_LOST_H
#define INGEST_FACT_LOST_H

#include "lib/store/postgres.h"
#include "services/ingest/car/car.h"

struct fact_lost { /* all zero to begin with */
    PGresult *shown, *told;
};

/* Of those VINs, an array in binary format. */
enum status fact_lost_read(struct fact_lost *l, struct pg *db, const struct pg_array *vins,
                           struct fault *fault) MUST_CHECK;
/* One of them whose newest sample was stepped at t_ms. */
void fact_lost_begin(const struct fact_lost *l, const char *vin, int64_t t_ms, struct car *out);
void fact_lost_forget(struct fact_lost *l);

#endif
