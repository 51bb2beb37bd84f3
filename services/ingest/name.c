/* services/ingest/name.c */
#include "name.h"

#include "lib/log.h"

static void tell(struct name *n)
{
    if (!n->ours && !n->told)
        log_error("instance.twice",
                  "site=%s instance=%s reason=\"another instance of this name is at work; this one "
                  "stands by: give each a name of its own (--instance)\"",
                  n->site, n->instance);
    if (n->ours && n->told)
        log_info("instance.alone", "site=%s instance=%s", n->site, n->instance);
    n->told = !n->ours;
}

/* Did we get it; does another process have it?  A session of our own that broke may have it still,
 * until the server misses it. */
static enum status ask(const struct name *n, struct pg *db, PGresult **rows, struct fault *fault)
{
    const char *params[] = {n->site, n->instance};

    return pg_run(db,
                  "SELECT pg_try_advisory_lock(hashtext('vigie name ' || $1), hashtext($2)), "
                  "EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
                  "WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted "
                  "AND l.classid::bigint = hashtext('vigie name ' || $1)::bigint & 4294967295 "
                  "AND l.objid::bigint = hashtext($2)::bigint & 4294967295 "
                  "AND a.datname = current_database() "
                  "AND a.application_name <> current_setting('application_name'))",
                  2, params, rows, fault);
}

enum status name_step(struct name *n, struct pg *db, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st;
    bool got;

    if (n->connections == pg_connections(db))
        return ST_OK;
    if ((st = ask(n, db, &rows, fault)) != ST_OK)
        return st;
    got = PQgetvalue(rows, 0, 0)[0] == 't';
    n->ours = got || PQgetvalue(rows, 0, 1)[0] == 'f';
    n->connections = got ? pg_connections(db) : 0;
    PQclear(rows);
    tell(n);
    return ST_OK;
}
