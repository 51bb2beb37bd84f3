/* services/ingest/shards.h - which of the 64 shards are ours: PostgreSQL advisory locks, and
 * subscriptions to match. The instances of a site hold 64 / n each, and the first of them, in the
 * order of their backends' pids, one more of what is left over; what one gives up or loses, another
 * takes within two seconds, and the one receives until the other does (handover).  One that
 * cannot reach the broker does not count while another can (reach).
 * One that gives no sign of life for `frozen_wait_ms` is ended as a client (peers.h; 0: never).
 * Of two with one name one stands by (name).
 * Of those it holds an instance also takes the facts that no other site has. Called from main's
 * loop; one thread.  Two instances that serve one shard for a moment are harmless: every write is
 * idempotent and the watermark row is locked. */
#ifndef INGEST_SHARDS_H
#define INGEST_SHARDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/receiver.h"
#include "proto/status.h"
#include "record/duty.h"

struct shards;

enum status shards_open(struct shards **out, const char *conninfo, const char *site,
                        const char *instance, struct receiver *reader, struct duty *duty,
                        int64_t frozen_wait_ms, struct fault *fault) MUST_CHECK;

/* Give up what is over our share, take what nobody holds up to it; subscribe to match.
 * `connected`: to the broker, so that what we take is received and answered.
 * ST_RETRY: the database is away; what we held stays subscribed until somebody can tell otherwise.
 */
enum status shards_step(struct shards *s, bool connected, struct fault *fault) MUST_CHECK;

/* As of the last step: another instance has our name, or nobody could tell yet; we hold nothing,
 * and leave the broker to it. */
bool shards_stand_by(const struct shards *s);

/* The same before an orderly end: give all up.  *left: another receives what we did, or there is
 * none.  Ask again until then, for as long as that may take; anything but ST_OK: do not wait. */
enum status shards_leave(struct shards *s, bool *left, struct fault *fault) MUST_CHECK;

size_t shards_owned(const struct shards *s);
bool shards_has(const struct shards *s, unsigned shard);
/* How many one of `instances` holds that has `rank` others before it.  When another joins, no share
 * grows, and when one leaves none shrinks: so nothing moves twice.  Pure. */
size_t shards_share(size_t instances, size_t rank);
void shards_close(struct shards *s); /* the locks go with the connection; NULL is fine */

#endif
