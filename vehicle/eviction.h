/* vehicle/eviction.h - what leaves the outbox: what every required site has and is old enough; when
 * there is no room, what they have however young, then the oldest of all; and records that are not
 * what was written.  Numbers that will never come are told in an outbox_lost event.  All within a
 * journal's transaction.  Main thread only. */
#ifndef VEHICLE_EVICTION_H
#define VEHICLE_EVICTION_H

#include "ledger.h"
#include "lib/metrics.h"
#include "outbox.h"

#define EVICTION_BATCH 200 /* records deleted in one commit: more would stall it */

struct eviction {
    int64_t limit_bytes, keep_ms;
    struct outbox *outbox;
    struct ledger *ledgers;
    struct metric *lost, *spoiled;
    double lost_now[STREAMS], spoiled_now[STREAMS]; /* in this transaction */
};

/* Borrows outbox and ledgers (one per stream). */
void eviction_init(struct eviction *e, int64_t limit_bytes, int64_t keep_ms, struct outbox *outbox,
                   struct ledger *ledgers);

/* After the records of a commit were put: the usual. */
enum status eviction_pass(struct eviction *e, int64_t now_ms, enum clock_source clock,
                          struct fault *fault) MUST_CHECK;

/* Before them, on a disk that has no room: at most `max` records go, stored ones if there are any,
 * else the oldest of the bulk stream; never an urgent one. */
enum status eviction_make_room(struct eviction *e, int64_t max, int64_t now_ms,
                               enum clock_source clock, struct fault *fault) MUST_CHECK;

void eviction_begin(struct eviction *e);     /* a transaction begins: nothing has gone yet */
void eviction_committed(struct eviction *e); /* what went is counted */

#endif
