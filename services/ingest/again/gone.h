/* services/ingest/again/gone.h - samples that a purge deleted before their time. */
#ifndef INGEST_GONE_H
#define INGEST_GONE_H

#include <stdint.h>

#include "lib/store/postgres.h"

/* Those of a vehicle before *until_ms (ms since 1970 UTC; 0: none) are gone, or about to be.
 * Statuses as pg_run. */
enum status gone_until(struct pg *db, const char *vin, int64_t *until_ms,
                       struct fault *fault) MUST_CHECK;

#endif
