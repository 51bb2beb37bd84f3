/* services/ingest/again/reread.h - a vehicle's samples once more, out of the history.  One thread.
 */
#ifndef INGEST_REREAD_H
#define INGEST_REREAD_H

#include "lib/store/influx.h"
#include "proto/telemetry.h"

typedef void reread_step(void *self, int64_t t_ms, const struct reading *readings, size_t n);

/* Every sample after `after_ms` up to `until_ms`, oldest first, page by page.  Statuses as
 * influx_query; ST_RETRY too once stop was asked for: nothing that was stepped counts then. */
enum status reread_each(struct influx *db, const char *vin, int64_t after_ms, int64_t until_ms,
                        reread_step *step, void *self, struct fault *fault) MUST_CHECK;

#endif
