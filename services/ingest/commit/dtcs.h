/* services/ingest/commit/dtcs.h - trouble codes as rows: read, stepped over one report (dtc_life),
 * written. Inside the caller's transaction; one thread. */
#ifndef INGEST_DTCS_H
#define INGEST_DTCS_H

#include "lib/store/postgres.h"
#include "services/ingest/car/found.h"
#include "services/ingest/facts/cleared.h"
#include "services/ingest/record/record.h"

struct dtcs;

enum status dtcs_open(struct dtcs **out, struct pg *db, struct fault *fault) MUST_CHECK;

/* A vehicle: then its reports, then what came late among them.  `cleared` is what its samples tell
 * as they are stepped, and stays yours. */
void dtcs_begin(struct dtcs *d, const struct cleared *cleared);
/* One diagnostics/1; what it means is added to `found`.  `detects`: another vehicle's VIN in it is
 * told by us, not by the car. */
enum status dtcs_take(struct dtcs *d, const struct record *r, bool detects, struct car_out *found,
                      struct fault *fault) MUST_CHECK;
/* Where one was older than the newest known (cars send the newest first), or comes before another
 * of its time (they are in the order of their numbers): the life of the codes is
 * stepped anew over the reports that are stored, the newest 1,000 of them, in order of time; what
 * is older than those changes nothing.  `found` gets what came of it since the late one in place of
 * what dtcs_take had found: every event that is not stored yet, but alerts only of how things stand
 * in the end; events that are stored are corrected where they lie.  *gone are
 * events that are withdrawn, and yours until the next. */
enum status dtcs_settle(struct dtcs *d, const char *vin, struct car_out *found, struct found **gone,
                        size_t *gone_n, struct fault *fault) MUST_CHECK;

void dtcs_close(struct dtcs *d); /* NULL is fine */

#endif
