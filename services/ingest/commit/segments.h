/* services/ingest/commit/segments.h - trips, stops, gaps and what lies over them, as rows.  Inside
 * the caller's transaction; one thread. Rows found anew are given the ids of those they are
 * (segment_reconcile): samples in order change unsettled rows only, a recompute also those it began
 * before. */
#ifndef INGEST_SEGMENTS_H
#define INGEST_SEGMENTS_H

#include "lib/store/postgres.h"
#include "services/ingest/facts/segment.h"

struct segments;

enum status segments_open(struct segments **out, struct pg *db, struct fault *fault) MUST_CHECK;

/* What was found of a vehicle: `settled` rows and, behind them, those still open (trip_view), each
 * kind in the order of time.  Copied.  `again_ms`: a recompute, of all rows that start at or after
 * it, but for what lies over others (idle, lapse) and ended at `base_ms`, where the stepping began,
 * or before: those it cannot find; INT64_MAX: no recompute.  The same vehicle at most once between
 * two writes. */
void segments_add(struct segments *s, const char *vin, const struct fuel_settings *fuel,
                  const struct segment *settled, size_t settled_n, const struct segment *open,
                  size_t open_n, int64_t again_ms, int64_t base_ms);

void segments_forget(struct segments *s); /* what was added */
/* Write what was added, and forget it.  Statuses as pg_run. */
enum status segments_write(struct segments *s, struct fault *fault) MUST_CHECK;

/* The rows of a vehicle that are not superseded and end at or after `from_ms`, sorted by start;
 * *rows is yours until the next call. */
enum status segments_read(struct segments *s, const char *vin, int64_t from_ms,
                          struct segment **rows, size_t *n, struct fault *fault) MUST_CHECK;

void segments_close(struct segments *s); /* NULL is fine */

#endif
