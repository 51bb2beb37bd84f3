/* services/ingest/peers.c - the session that a main loop asks for shards with is an instance's sign
 * of life. */
#include "peers.h"

#include <stdio.h>
#include <stdlib.h>

#include "frozen.h"
#include "lib/clock.h"
#include "lib/log.h"

#define LOOK_MS 900 /* the main loop comes once a second, and more often while it connects */
#define MICROSECONDS(column) "(extract(epoch FROM " column ") * 1000000)::bigint"
#define OURS "a.datname = current_database() AND a.usename = current_user"

struct peers {
    int64_t wait_ms;
    int64_t look_ms; /* when to look next */
    struct frozen frozen;
    bool refused; /* it was told that we may not */
};

enum status peers_open(struct peers **out, int64_t wait_ms, struct fault *fault)
{
    struct peers *p = calloc(1, sizeof *p);

    if (!p)
        return fault_set(fault, ST_FATAL, "out of memory");
    p->wait_ms = wait_ms;
    *out = p;
    return ST_OK;
}

void peers_close(struct peers *p)
{
    free(p);
}

/* Of those that wait for their client; one row without a session where there is none. */
static enum status ask(struct pg *db, PGresult **rows, struct fault *fault)
{
    return pg_run(db,
                  "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint, "
                  "a.pid, " MICROSECONDS("a.backend_start") ", " MICROSECONDS(
                      "a.state_change") " FROM (VALUES (1)) AS clock LEFT JOIN pg_stat_activity a "
                                        "ON "
                                        "a.application_name LIKE 'vigie-ingest-shards %' AND " OURS
                                        " AND a.pid <> pg_backend_pid() AND a.wait_event_type = "
                                        "'Client' "
                                        "AND a.state_change IS NOT NULL",
                  0, NULL, rows, fault);
}

static size_t read_sessions(const PGresult *rows, struct frozen_session *out)
{
    size_t n = 0;

    for (int r = 0; r < PQntuples(rows) && n < FROZEN_SESSIONS_MAX; r++)
        if (!PQgetisnull(rows, r, 1))
            out[n++] = (struct frozen_session){pg_text_int8(rows, r, 1), pg_text_int8(rows, r, 2),
                                               pg_text_int8(rows, r, 3)};
    return n;
}

/* All of its process, unless it has stirred since we looked. */
static enum status end(struct peers *p, struct pg *db, const struct frozen_session *s,
                       struct fault *fault)
{
    char pid[24], begun[24], changed[24];
    const char *params[] = {pid, begun, changed};
    PGresult *rows = NULL;
    enum status st;

    snprintf(pid, sizeof pid, "%lld", (long long)s->pid);
    snprintf(begun, sizeof begun, "%lld", (long long)s->begun_us);
    snprintf(changed, sizeof changed, "%lld", (long long)s->changed_us);
    st = pg_run(
        db,
        "SELECT count(*) FILTER (WHERE pg_terminate_backend(o.pid)) "
        "FROM pg_stat_activity a JOIN pg_stat_activity o "
        "ON split_part(o.application_name, ' ', 2) = split_part(a.application_name, ' ', 2) "
        "AND o.application_name LIKE 'vigie-ingest-%' AND o.datname = a.datname "
        "AND o.usename = a.usename WHERE a.pid = $1::bigint AND " OURS " AND " MICROSECONDS(
            "a.backend_start") " = $2::bigint AND " MICROSECONDS("a.state_change") " = $3::bigint",
        3, params, &rows, fault);
    if (st == ST_OK && pg_text_int8(rows, 0, 0) > 0)
        log_warn("peer.frozen",
                 "session=%s sessions=%s reason=\"an instance of ingest has given no sign of life "
                 "for %lld ms; its sessions are ended, so that others serve its cars\"",
                 pid, PQgetvalue(rows, 0, 0), (long long)p->wait_ms);
    PQclear(rows);
    return st;
}

/* A server that lets nobody be ended is no reason to serve no car. */
static enum status end_all(struct peers *p, struct pg *db, const struct frozen_session *silent,
                           size_t n, struct fault *fault)
{
    for (size_t i = 0; i < n; i++) {
        enum status st = end(p, db, &silent[i], fault);

        if (st == ST_RETRY)
            return st;
        if (st != ST_OK && !p->refused)
            log_error("peer.kept", "session=%lld reason=\"%s\"", (long long)silent[i].pid,
                      fault->text);
        p->refused = st != ST_OK;
    }
    return ST_OK;
}

enum status peers_step(struct peers *p, struct pg *db, struct fault *fault)
{
    struct frozen_session sessions[FROZEN_SESSIONS_MAX], silent[FROZEN_SESSIONS_MAX];
    int64_t boot_ms = clock_boot_ms();
    PGresult *rows = NULL;
    enum status st;
    size_t n;

    if (p->wait_ms == 0 || boot_ms < p->look_ms)
        return ST_OK;
    p->look_ms = boot_ms + LOOK_MS;
    if ((st = ask(db, &rows, fault)) != ST_OK)
        return st;
    n = read_sessions(rows, sessions);
    n = frozen_look(&p->frozen, sessions, n, pg_text_int8(rows, 0, 0), clock_boot_ms(), p->wait_ms,
                    silent);
    PQclear(rows);
    return end_all(p, db, silent, n, fault);
}
