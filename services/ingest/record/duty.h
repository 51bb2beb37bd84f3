/* services/ingest/record/duty.h - two sites store the same stream, each its own history; what it
 * means is written once.  Who does that: the owner of the vehicle's shard, on whichever site; and
 * whoever sees that the owner does not.  Only a hint to save work: the row of the facts' watermark
 * is locked by whoever writes them, so two that do lose and double nothing. */
#ifndef INGEST_DUTY_H
#define INGEST_DUTY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/ack.h"
#include "proto/vin.h"

#define DUTY_PATIENCE_MS 3000 /* the owner's, before another writes the facts of a stream */

/* Shards as bits, told by main, asked by the writer. */
struct duty {
    _Atomic uint64_t history;    /* ours of this site: we acknowledge them */
    _Atomic uint64_t facts;      /* ours of all sites */
    _Atomic uint64_t unnumbered; /* ... and nobody else has begun to receive them: what no watermark
                                  * puts in order is written by one alone */
    atomic_bool others;          /* there are other sites: they want to hear of our facts */
};

bool duty_has(_Atomic uint64_t *shards, const char *vin);

/* Is record `seq` of a stream ours to understand, although its shard is another's?  `history` and
 * `facts` are from before this group; `facts_age_ms`: since those moved last.
 * It came again and its facts are still missing; or the owner is behind what we have stored for too
 * long. Pure. */
bool duty_takes_over(const struct watermark *history, const struct watermark *facts,
                     int64_t facts_age_ms, int64_t seq);

#endif
