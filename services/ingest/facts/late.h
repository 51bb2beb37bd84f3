/* services/ingest/facts/late.h - which records facts step over now, which come late, and what is
 * looked at again because of them.  Pure; {0} starts. Facts step in seq order up to the first open
 * gap: a backlog sent after the newest record is old, not late.  A gap that is announced as lost,
 * or makes no progress for ten minutes, is stepped over; what comes for it after that is late. */
#ifndef INGEST_LATE_H
#define INGEST_LATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segment.h"

struct late_settings {
    int64_t patience_ms; /* 600,000 without progress */
    int64_t settle_ms;   /* 30,000 after the last late batch the recompute begins */
    int64_t longest_ms;  /* 60 days: the raw history; nothing older is looked at again */
};
extern const struct late_settings late_defaults;

/* One stream of a vehicle. */
struct order {
    int64_t upto;        /* facts have stepped over every seq up to this */
    int64_t progress_ms; /* when that last moved, or the gap after it opened */
    bool waits;          /* there is something beyond a gap */
};
enum order_verdict { ORDER_NOW = 0, ORDER_WAIT, ORDER_LATE };

/* A record that was stored just now.  ORDER_NOW: step; the caller then offers those that waited. */
enum order_verdict order_take(struct order *o, int64_t seq, int64_t now_ms);
/* The gap before `next` (the first seq stored beyond it) is passed over when it was lost, or after
 * ten minutes.  True when facts may go on with `next`. */
bool order_pass(struct order *o, const struct late_settings *set, int64_t next, bool lost,
                int64_t now_ms);

/* The late samples of a vehicle that no recompute has seen yet. */
struct late {
    int64_t earliest_ms, latest_ms; /* 0: none */
    int64_t batch_ms;               /* when the newest of them came */
};
void late_take(struct late *l, int64_t first_ms, int64_t last_ms, int64_t now_ms);
bool late_due(const struct late *l, const struct late_settings *set, int64_t now_ms);

/* What to look at again: from the segment before the one the earliest sample lies in, to the end of
 * the one after the latest.  `rows` are the vehicle's trips, stops and gaps, sorted.  The state to
 * begin with is the newest saved at or before *from_ms.  False: nothing to do, or all of it is
 * older than the history.  Idle and lapse rows may be among `rows`, and do not count. */
bool late_window(const struct late *l, const struct late_settings *set, const struct segment *rows,
                 size_t n, int64_t now_ms, int64_t *from_ms, int64_t *to_ms);

#endif
