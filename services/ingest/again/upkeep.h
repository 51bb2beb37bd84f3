/* services/ingest/again/upkeep.h - what time alone does to rows: small points clear after a day,
 * rows whose samples are gone are final, of old days one checkpoint is enough.  One connection, one
 * thread; doing it twice does nothing. */
#ifndef INGEST_UPKEEP_H
#define INGEST_UPKEEP_H

#include "lib/store/postgres.h"
#include "proto/alert_change.h"

#define UPKEEP_ALERTS 1000 /* cleared in a step at most */

/* The alerts it cleared, *n of them, are to be told: it is committed then. */
enum status upkeep_step(struct pg *db, struct alert_change_message cleared[UPKEEP_ALERTS],
                        size_t *n, struct fault *fault) MUST_CHECK;
/* Of vehicles that were retired: their cases are over, their plans and contracts warn of nothing.
 */
enum status upkeep_retired(struct pg *db, struct alert_change_message cleared[UPKEEP_ALERTS],
                           size_t *n, struct fault *fault) MUST_CHECK;

#endif
