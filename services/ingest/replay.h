/* services/ingest/replay.h - dead letters somebody wants decoded again go the way of every record,
 * into the writer's queue.  Called from main's loop; one thread. */
#ifndef INGEST_REPLAY_H
#define INGEST_REPLAY_H

#include "lib/queue.h"
#include "proto/status.h"
#include "shards.h"

struct replay;

/* `shards` and `to` (of struct record *, ownership passes) are borrowed, the rest is copied. */
enum status replay_open(struct replay **out, const char *conninfo, const char *site,
                        const struct shards *shards, struct queue *to,
                        struct fault *fault) MUST_CHECK;

/* Take what is asked for, of vehicles whose shard is ours, 100 at a time.  What was taken and
 * settled by nobody is taken again after a minute. ST_RETRY: the database is away */
enum status replay_step(struct replay *r, struct fault *fault) MUST_CHECK;

void replay_close(struct replay *r); /* NULL is fine */

#endif
