/* services/ingest/handover.h - from one instance to the next without a gap: who has given a shard
 * up, or lost its lock, serves it on until another has held it for long enough to be subscribed,
 * and then still settles what it has in hand.  What reaches both is stored once: see shards.h.
 * Pure; one struct for a shard. */
#ifndef INGEST_HANDOVER_H
#define INGEST_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#define HANDOVER_SETTLE_MS 4000 /* a busy holder takes a while to subscribe */
#define HANDOVER_DRAIN_MS 30000 /* what came before that waits no longer in our queues */

struct handover {           /* all zero: not ours */
    bool receive;           /* to be subscribed */
    bool history, facts;    /* ours to acknowledge; what it means is ours to write */
    int64_t taken_since_ms; /* another was first seen to hold it, 0: none */
};

/* What the server says now: we hold the shard, and its facts; another holds the shard.  `now_ms`:
 * of a clock that only goes forward, above 0. */
void handover_step(struct handover *h, bool held, bool facts, bool taken, int64_t now_ms);
/* The facts are ours, and nobody else has been seen to take over: what has no number, and so no
 * order but that of its arrival, is still ours to write.  Whoever takes over hears the last of it
 * from the broker, which keeps it. */
bool handover_is_alone(const struct handover *h);

#endif
