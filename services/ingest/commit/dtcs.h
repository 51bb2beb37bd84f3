/* services/ingest/commit/dtcs.h - trouble codes as rows: read, stepped over one report (dtc_life),
 * written. Inside the caller's transaction; one thread. */
#ifndef INGEST_DTCS_H
#define INGEST_DTCS_H

#include "lib/store/postgres.h"
#include "services/ingest/car/found.h"
#include "services/ingest/record/record.h"

struct dtcs;

enum status dtcs_open(struct dtcs **out, struct pg *db, struct fault *fault) MUST_CHECK;

/* One diagnostics/1; what it means is added to `found`. */
enum status dtcs_take(struct dtcs *d, const struct record *r, struct car_out *found,
                      struct fault *fault) MUST_CHECK;

void dtcs_close(struct dtcs *d); /* NULL is fine */

#endif
