/* services/ingest/again/silence.h - vehicles that have fallen silent become cases, unless the
 * silence is ours; their first record ends it, with what was missed.  One connection, one thread.
 */
#ifndef INGEST_SILENCE_H
#define INGEST_SILENCE_H

#include <stdbool.h>

#include "lib/store/postgres.h"
#include "proto/alert_change.h"

struct silence;

/* `start_quiet_ms`: so long after now nobody is called silent. */
enum status silence_open(struct silence **out, struct pg *db, int64_t now_ms,
                         int64_t start_quiet_ms, struct fault *fault) MUST_CHECK;

struct silence_look {
    bool (*is_ours)(void *self, const char *vin); /* the facts of this vehicle are ours to tell */
    void *self;
    bool broken; /* something this site depends on is away: then the silence is ours */
    int64_t now_ms;
};

/* One look at all.  Once per outage *alarm is true. */
enum status silence_step(struct silence *s, const struct silence_look *look, bool *alarm,
                         struct fault *fault) MUST_CHECK;

/* Alerts that the newest silence_step changed. */
const struct alert_change_message *silence_changes(const struct silence *s, size_t *n);

void silence_close(struct silence *s); /* NULL is fine */

#endif
