/* services/ingest/name.h - an instance's name at its site, which is its clients' id at the broker:
 * of two with one name each would throw the other out of there, for ever.  So the name is a lock in
 * PostgreSQL, and whoever does not get it stands by until it is free.  One thread. */
#ifndef INGEST_NAME_H
#define INGEST_NAME_H

#include <stdbool.h>

#include "lib/store/postgres.h"

struct name {
    char site[32], instance[32];
    unsigned connections; /* pg_connections when we got it: the lock goes with the session */
    bool ours;
    bool told; /* that it is another's */
};

/* Take the name, or ask for it once more; `db` is connected, and always the same.  Sets `ours`.
 *   ST_RETRY  the database is away: nobody can tell; `ours` stays */
enum status name_step(struct name *n, struct pg *db, struct fault *fault) MUST_CHECK;

#endif
