/* services/ingest/again/recompute.h - facts of one vehicle once more, from the history: what waited
 * for a gap that is closed now, or given up; and, from a checkpoint on, what samples that came too
 * late change.  One connection, one thread, not the writer's: no ack waits for it.  Doing it twice
 * gives the same rows. */
#ifndef INGEST_RECOMPUTE_H
#define INGEST_RECOMPUTE_H

#include <stdbool.h>

#include "due_again.h"
#include "lib/store/influx.h"
#include "lib/store/postgres.h"
#include "proto/alert_change.h"
#include "proto/vin.h"

struct recompute;

/* Borrows all. */
enum status recompute_open(struct recompute **out, struct pg *db, struct influx *influx,
                           const struct due_again_settings *due, struct fault *fault) MUST_CHECK;

/* One that is due, and taken (due_again_take).  ST_NONE: nothing was written, for more samples came
 * meanwhile and it is due again soon, or for what came late is older than the history. */
enum status recompute_vehicle(struct recompute *r, struct due_again *due, int64_t now_ms,
                              struct fault *fault) MUST_CHECK;

/* Write open rows of vehicles that have fallen silent as they stand: what was stepped since they
 * were written last, and what an hour without records closes; and what time alone brings about in
 * zones.  Of so few that nobody waits long for their rows; *n of them, the most: there may be more.
 */
#define RECOMPUTE_SILENT_MAX 16
enum status recompute_silent(struct recompute *r, bool (*is_ours)(void *self, const char *vin),
                             void *self, int64_t now_ms, size_t *n, struct fault *fault) MUST_CHECK;

/* Alerts that the newest recompute_vehicle or recompute_silent changed. */
const struct alert_change_message *recompute_changes(const struct recompute *r, size_t *n);

void recompute_close(struct recompute *r); /* NULL is fine */

#endif
