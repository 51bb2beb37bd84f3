/* services/ingest/inflight.h - what is being worked on, in a file mapped into memory: it outlives
 * us, so that a record that ends this program does not end it for ever.
 *
 * Who is to blame for an end?  Where the thread that worked on a record crashed, that record, and
 * for certain: it is condemned at once.  Where the thread that stored a group crashed with none of
 * it in particular, all of the group: each is tried alone, which is certain in turn.  When we are
 * killed from outside a record that was being decoded is tried alone and condemned by the second
 * time, since that takes microseconds; nothing is held against a group, since the stores may just
 * be slow.
 *
 * One storing thread a lane and one decoding thread; inflight_judge from any. */
#ifndef INGEST_INFLIGHT_H
#define INGEST_INFLIGHT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"
#include "proto/topic.h"

#define INFLIGHT_GROUP_MAX 5000 /* records */

struct inflight;

enum verdict {
    VERDICT_NONE,      /* nothing is known against it */
    VERDICT_ALONE,     /* suspected: try it with no other */
    VERDICT_CONDEMNED, /* it ended us: do not decode it */
    VERDICT_UNREADABLE /* and once more since: not even its head */
};

/* Who stores: one thread each, with a group of its own. */
enum inflight_lane { LANE_HISTORY, LANE_BULK, LANE_URGENT, LANES };

/* Map DIR/inflight-SITE-INSTANCE, judge what it holds, watch for crashes from now on (process-wide:
 * one at a time).  `dir` "": nothing outlives us and nobody is ever suspected.
 *   ST_REJECT  the folder is missing or not writable, or another program has the file */
enum status inflight_open(struct inflight **out, const char *dir, const char *site,
                          const char *instance, struct fault *fault) MUST_CHECK;

/* Of topic, length, and both ends of the payload, where stream and seq are: some ten nanoseconds.
 * Never 0. */
uint64_t inflight_id(const struct topic *topic, const char *payload, size_t len);
enum verdict inflight_judge(const struct inflight *f, uint64_t id);

/* The decoding thread, a storing thread: first of all, once; a crash there is theirs. */
void inflight_i_decode(struct inflight *f);
void inflight_i_store(struct inflight *f, enum inflight_lane lane);

void inflight_decoding(struct inflight *f, uint64_t id); /* 0: no more */
/* The group, one call a record; inflight_stored ends it: nothing is held against its records any
 * more when they are, as `stored` says. */
void inflight_storing(struct inflight *f, enum inflight_lane lane, uint64_t id);
void inflight_stored(struct inflight *f, enum inflight_lane lane, bool stored);
/* Where this lane's thread writes the id it is at (record/at.h), 0 none; as long as `f`. */
_Atomic uint64_t *inflight_place(struct inflight *f, enum inflight_lane lane);

/* Somebody cut the file short under us, or its disk fails: what is in hand is in memory alone from
 * then on, so that the next crash tells of nobody.  The next open makes it whole. */
bool inflight_was_cut(const struct inflight *f);
size_t inflight_suspects(const struct inflight *f);
void inflight_close(struct inflight *f); /* an end nobody is to blame for; NULL is fine */

#endif
