/* services/ingest/upkeep.h - what time alone does to rows: small points clear after a day, rows
 * whose samples are gone are final, of old days one checkpoint is enough.  One connection, one
 * thread; doing it twice does nothing. */
#ifndef INGEST_UPKEEP_H
#define INGEST_UPKEEP_H

#include "lib/store/postgres.h"

enum status upkeep_step(struct pg *db, struct fault *fault) MUST_CHECK;

#endif
