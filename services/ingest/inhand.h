/* services/ingest/inhand.h - which records wait to be stored, so that one that comes again
 * meanwhile does not wait there twice: when the stores are behind, what is sent again would be most
 * of what they do.  A guess that may be wrong either way: what is turned away wrongly is not
 * acknowledged and comes again, what is let in wrongly is stored twice, as one row.  Lock-free: one
 * thread takes and asks, any lets go. */
#ifndef INGEST_INHAND_H
#define INGEST_INHAND_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/status.h"

#define INHAND_FRESH_MS                                                                            \
    1000 /* what comes twice at once is let in, and counted as it always was                       \
          */
#define INHAND_STALE_MS 60000

struct inhand;

enum status inhand_open(struct inhand **out, struct fault *fault) MUST_CHECK;

/* Of a record's vehicle, stream and number.  Never 0. */
uint64_t inhand_key(const char *vin, const char *stream, int64_t seq);
/* `now_ms` of a clock that never jumps, as of inhand_has. */
void inhand_take(struct inhand *h, uint64_t key, int64_t now_ms);
/* Is it waiting since more than a second, and less than a minute? */
bool inhand_has(const struct inhand *h, uint64_t key, int64_t now_ms);
/* It waits no longer, stored or not.  A key of 0 is fine. */
void inhand_drop(struct inhand *h, uint64_t key);

void inhand_close(struct inhand *h); /* NULL is fine */

#endif
