/* services/ingest/again/scores.h - the eco score of trips that are over.  One connection, one
 * thread. */
#ifndef INGEST_SCORES_H
#define INGEST_SCORES_H

#include "lib/store/postgres.h"

/* Those that have none yet, or whose row or events changed since; a hundred at most. */
enum status scores_step(struct pg *db, struct fault *fault) MUST_CHECK;

#endif
