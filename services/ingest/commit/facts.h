/* services/ingest/commit/facts.h - from the records of a group to what they mean: trips, stops,
 * events and the like.  Inside the caller's transaction; one thread. Facts step in the order of
 * seq.  Beyond a gap they wait, for ten minutes without progress at most; what comes after they
 * have gone on is late.  Both are read again from the history, where every record is before it
 * comes here. */
#ifndef INGEST_FACTS_H
#define INGEST_FACTS_H

#include "lib/store/postgres.h"
#include "marks.h"
#include "proto/alert_change.h"
#include "services/ingest/record/record.h"

struct facts;

enum status facts_open(struct facts **out, struct pg *db, struct fault *fault) MUST_CHECK;

/* Queue what locks and reads where those vehicles stand of which something is new. */
enum status facts_ask(struct facts *f, struct record *const *records, const bool *fresh, size_t n,
                      int64_t now_ms, struct fault *fault) MUST_CHECK;
/* Once that has been waited for, step over what is new; `marks` as they are with this group.  What
 * it writes is queued. */
enum status facts_write(struct facts *f, const struct marks *marks, int64_t now_ms,
                        struct fault *fault) MUST_CHECK;

/* Its statements without rows, where columns_rehearse is on. */
enum status facts_rehearse(struct facts *f, struct fault *fault) MUST_CHECK;

/* Alerts that the newest facts_write changed: to be published once that is committed. */
const struct alert_change_message *facts_changes(const struct facts *f, size_t *n);

void facts_close(struct facts *f); /* NULL is fine */

#endif
