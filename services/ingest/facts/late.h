/* services/ingest/facts/late.h - what is looked at again because samples came late.  Pure.
 * Facts step in seq order up to the first open gap: a backlog sent after the newest record is old,
 * not late.  A gap that is announced as lost, or makes no progress for ten minutes, is stepped
 * over; what comes for it after that is late. */
#ifndef INGEST_LATE_H
#define INGEST_LATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segment.h"

struct late_settings {
    int64_t patience_ms; /* 600,000 without progress */
    int64_t longest_ms;  /* 60 days: the raw history; nothing older is looked at again */
};
extern const struct late_settings late_defaults;

/* How far back all samples are there for certain, where they are kept for so many days (0: as long
 * as the raw history): an hour less, for the time a recompute takes. */
int64_t late_history_ms(int keep_days);

/* The late samples of a vehicle that no recompute has seen yet. */
struct late {
    int64_t earliest_ms, latest_ms; /* 0: none */
};

/* What to look at again: from the segment before the one the earliest sample lies in, to the end of
 * the one after the latest.  `rows` are the vehicle's trips, stops and gaps, sorted.  The state to
 * begin with is the newest saved at or before *from_ms.  False: nothing to do, or all of it is
 * older than the history.  Idle and lapse rows may be among `rows`, and do not count. */
bool late_window(const struct late *l, const struct late_settings *set, const struct segment *rows,
                 size_t n, int64_t now_ms, int64_t *from_ms, int64_t *to_ms);

/* Where stepping has to begin from nothing so that it stands at `before_ms` as if it had been
 * stepped from the first sample on: at a stop, two hours before (or `reach_ms`, where something is
 * counted over more) and some rows further back, for what dwells, holds or repeats as long as that.
 * `rows` sorted, as above; 0: at the first sample. */
int64_t late_run_up(const struct segment *rows, size_t n, int64_t before_ms, int64_t reach_ms);

#endif
