/* services/ingest/commit/walls.h - the clocks of time zones, as PostgreSQL knows them.  One
 * connection, one thread. */
#ifndef INGEST_WALLS_H
#define INGEST_WALLS_H

#include "lib/store/postgres.h"
#include "services/ingest/facts/wall.h"

struct walls;

enum status walls_open(struct walls **out, struct pg *db, struct fault *fault) MUST_CHECK;
/* The clock of an IANA zone, over the time samples are taken from; its address stays.  Asked of the
 * database once an hour. */
enum status walls_fetch(struct walls *w, const char *zone, int64_t now_ms, const struct wall **out,
                        struct fault *fault) MUST_CHECK;
void walls_close(struct walls *w); /* NULL is fine */

#endif
