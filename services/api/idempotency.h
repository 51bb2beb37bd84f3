/* services/api/idempotency.h - a change sent twice happens once: its first answer is kept for 24 h.
 * Key, change and answer are one transaction, so a change that failed leaves no trace of its key.
 */
#ifndef API_IDEMPOTENCY_H
#define API_IDEMPOTENCY_H

#include "workers.h"

/* Inside the tenant's transaction, before the change.
 *   ST_OK    go on
 *   ST_NONE  do not: the answer is set (the first one again, or 422 for another request under the
 * same key) */
enum status idempotency_begin(struct worker *w, const struct request *r, struct answer *a,
                              struct fault *fault) MUST_CHECK;
/* After the change, before the commit: keep the answer. */
enum status idempotency_end(struct worker *w, const struct request *r, const struct answer *a,
                            struct fault *fault) MUST_CHECK;

#endif
