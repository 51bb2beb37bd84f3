/* services/ingest/again/reread.h - a vehicle's samples once more, out of the history.  One thread.
 */
#ifndef INGEST_REREAD_H
#define INGEST_REREAD_H

#include "lib/store/influx.h"
#include "proto/telemetry.h"

typedef void reread_step(void *self, int64_t t_ms, const struct reading *readings, size_t n);

/* No more at a time: at two a second that is fourteen hours of each of sixty days. */
#define REREAD_MOST 6000000

/* Every sample after `after_ms` up to `until_ms`, oldest first, page by page; *left of them, and it
 * goes down by as many as there were.  Statuses as influx_query; ST_REJECT too when there are more,
 * and ST_RETRY once stop was asked for: nothing that was stepped counts then. */
enum status reread_each(struct influx *db, const char *vin, int64_t after_ms, int64_t until_ms,
                        int64_t *left, reread_step *step, void *self,
                        struct fault *fault) MUST_CHECK;

#endif
