/* lib/store/statement.c - statements go out together and are answered together: libpq's pipeline
 * mode, from the first that is queued to the one that waits.  In an error the server skips the
 * rest, so the first failure is the one that counts. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/stop.h"
#include "lib/store/postgres_inside.h"
#include "lib/store/sqlstate.h"

#define STOPPING_MS 2000 /* how much longer an answer may take once stop was asked for */
#define LOOK_MS 100      /* between two looks at whether it was */
#define NAME_MAX_LEN 31  /* of a prepared statement */

const char *pg_state(const struct pg *db)
{
    return db->state;
}

/* ---- what went wrong */
static enum status explain_failure(struct pg *db, const PGresult *r, bool kept, struct fault *fault)
{
    const char *state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
    const char *what = r ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    bool moved;
    enum status st;

    if (state && strlen(state) == STATE_LEN)
        memcpy(db->state, state, STATE_LEN + 1);
    moved = kept && strcmp(db->state, "0A000") == 0; /* the schema has changed under it */
    st = moved ? ST_RETRY : sqlstate_status(db->state);
    if (what)
        fault_set(fault, st, "%s %s", db->state, what);
    else
        pg_complain(db, st, fault);
    if (PQstatus(db->conn) != CONNECTION_OK || moved || strcmp(db->state, "25006") == 0)
        pg_hang_up(db); /* pg_ready connects again, elsewhere if the string lists several hosts */
    return st;
}

static enum status judge(struct pg *db, const PGresult *r, bool kept, struct fault *fault)
{
    enum status st;

    if (!r || PQresultStatus(r) == PGRES_FATAL_ERROR)
        return explain_failure(db, r, kept, fault);
    /* COPY wants pg_raw; an empty statement is a mistake */
    st = fault_set(fault, ST_FATAL, "%s: not a statement for pg_run",
                   PQresStatus(PQresultStatus(r)));
    pg_hang_up(db);
    return st;
}

/* Out of memory, or no connection any more: what libpq has of the queue cannot be taken back. */
static enum status give_up(struct pg *db, struct fault *fault)
{
    enum status st = pg_complain(db, ST_RETRY, fault);

    pg_hang_up(db);
    return st;
}

/* ---- answers */
/* Send what is left to send and read until a result is there (libpq itself would not read while it
 * sends, and the server not either while it answers).  False: our patience is at its end. */
static bool wait_for_result(struct pg *db, int64_t *deadline_ms)
{
    bool patient = db->patience_ms == 0, stopping = false;

    for (;;) {
        int unsent = PQflush(db->conn);
        struct pollfd one = {.fd = PQsocket(db->conn), .events = POLLIN};

        if (unsent < 0 || (unsent == 0 && !PQisBusy(db->conn)))
            return true; /* or a failure, which PQgetResult tells */
        if (unsent > 0)
            one.events |= POLLOUT;
        if (!patient && !stopping && !stop_pause(0)) {
            int64_t last_ms = clock_boot_ms() + STOPPING_MS;

            stopping = true;
            *deadline_ms = *deadline_ms < last_ms ? *deadline_ms : last_ms;
        }
        if (!patient && clock_boot_ms() >= *deadline_ms)
            return false;
        if (poll(&one, 1, patient ? -1 : LOOK_MS) > 0 && (one.revents & ~POLLOUT) &&
            !PQconsumeInput(db->conn))
            return true;
    }
}

/* The next result, NULL behind the last of a statement.  False: too late. */
static bool take_result(struct pg *db, int64_t *deadline_ms, PGresult **out)
{
    if (!wait_for_result(db, deadline_ms))
        return false;
    *out = PQgetResult(db->conn);
    return true;
}

static bool is_copy(const PGresult *r)
{
    ExecStatusType is = PQresultStatus(r);

    return is == PGRES_COPY_IN || is == PGRES_COPY_OUT || is == PGRES_COPY_BOTH;
}

/* The last result of one statement.  False: too late. */
static bool take_answer(struct pg *db, int64_t *deadline_ms, PGresult **out)
{
    PGresult *r;

    do {
        if (!take_result(db, deadline_ms, &r))
            return false;
        if (r) {
            PQclear(*out);
            *out = r;
        }
    } while (r && !is_copy(r) && PQstatus(db->conn) == CONNECTION_OK);
    return true;
}

static bool is_good(const PGresult *r)
{
    return r && (PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK);
}

/* Up to the end of all that was queued, which *reached says; *why: what the server found wrong
 * there and not before, as a constraint that is checked last.  False: too late. */
static bool take_end(struct pg *db, int64_t *deadline_ms, bool *reached, PGresult **why)
{
    *reached = false;
    for (int silent = 0; silent < 2 && PQstatus(db->conn) == CONNECTION_OK;) {
        PGresult *r;

        if (!take_result(db, deadline_ms, &r))
            return false;
        if (PQresultStatus(r) == PGRES_PIPELINE_SYNC) {
            PQclear(r);
            *reached = true;
            break;
        }
        silent = r ? 0 : silent + 1;
        if (r && !*why)
            *why = r;
        else
            PQclear(r);
    }
    return true;
}

/* All answers, which the server gives up to the first failure only; behind them the connection is
 * as it was before the first was queued.  False: too late. */
static bool take_answers(struct pg *db, size_t *failed)
{
    int64_t deadline_ms = clock_boot_ms() + db->patience_ms;
    PGresult *end = NULL;
    bool reached;

    *failed = db->queued_n;
    for (size_t i = 0; i < db->queued_n; i++) {
        if (!take_answer(db, &deadline_ms, &db->queued[i].result))
            return false;
        if (*failed == db->queued_n && !is_good(db->queued[i].result))
            *failed = i;
        if (PQstatus(db->conn) != CONNECTION_OK || is_copy(db->queued[i].result)) {
            if (*failed == db->queued_n)
                *failed = i; /* good by itself, but nothing comes after it */
            return true;
        }
    }
    if (!take_end(db, &deadline_ms, &reached, &end)) {
        PQclear(end);
        return false;
    }
    if ((end || !reached) && *failed == db->queued_n)
        --*failed; /* the last one's own answer was good, and worth nothing */
    if (end && is_good(db->queued[*failed].result)) {
        PQclear(db->queued[*failed].result);
        db->queued[*failed].result = end;
        end = NULL;
    }
    PQclear(end);
    if (PQexitPipelineMode(db->conn))
        PQsetnonblocking(db->conn, 0);
    return true;
}

/* Those from the failed one on were not prepared. */
static void forget_prepared(struct pg *db, size_t failed)
{
    for (size_t i = failed; i < db->queued_n; i++)
        if (db->queued[i].prepares)
            free(db->prepared[--db->prepared_count]);
}

static void hand_out(struct pg *db)
{
    for (size_t i = 0; i < db->queued_n; i++) {
        struct queued *q = &db->queued[i];

        if (q->rows)
            *q->rows = q->result;
        else
            PQclear(q->result);
    }
    db->queued_n = 0;
}

static enum status tell_failure(struct pg *db, size_t failed, struct fault *fault)
{
    PGresult *r = db->queued[failed].result;
    bool kept = db->queued[failed].kept;
    enum status st;

    db->queued[failed].result = NULL;
    forget_prepared(db, failed);
    while (db->queued_n > 0)
        PQclear(db->queued[--db->queued_n].result);
    st = judge(db, is_good(r) ? NULL : r, kept, fault);
    PQclear(r);
    if (db->conn && PQpipelineStatus(db->conn) != PQ_PIPELINE_OFF)
        pg_hang_up(db);
    return st;
}

enum status pg_settle(struct pg *db, struct fault *fault)
{
    size_t failed;

    db->state[0] = '\0';
    if (!db->conn)
        return fault_set(fault, ST_RETRY, "not connected to PostgreSQL");
    if (db->queued_n == 0)
        return ST_OK;
    if (!PQpipelineSync(db->conn))
        return give_up(db, fault);
    if (!take_answers(db, &failed)) {
        pg_hang_up(db);
        return fault_set(fault, ST_RETRY, "PostgreSQL did not answer within %d ms",
                         db->patience_ms);
    }
    if (failed < db->queued_n)
        return tell_failure(db, failed, fault);
    hand_out(db);
    return ST_OK;
}

/* ---- the queue */
/* Into pipeline mode, with room for two more. */
static enum status make_way(struct pg *db, struct fault *fault)
{
    enum status st;

    db->state[0] = '\0';
    if (!db->conn)
        return fault_set(fault, ST_RETRY, "not connected to PostgreSQL");
    if (db->queued_n + 2 > QUEUED_MAX && (st = pg_settle(db, fault)) != ST_OK)
        return st;
    if (db->queued_n == 0 && (PQsetnonblocking(db->conn, 1) || !PQenterPipelineMode(db->conn)))
        return give_up(db, fault);
    return ST_OK;
}

static enum status note(struct pg *db, int sent, struct queued q, struct fault *fault)
{
    if (!sent)
        return give_up(db, fault);
    db->queued[db->queued_n++] = q;
    return ST_OK;
}

/* The place of a statement's text among those prepared; behind the last: it is not. */
static size_t find_prepared(const struct pg *db, const char *sql)
{
    size_t i = 0;

    while (i < db->prepared_count && strcmp(db->prepared[i], sql) != 0)
        i++;
    return i;
}

static enum status prepare(struct pg *db, const char *name, const struct pg_statement *s,
                           struct fault *fault)
{
    const struct queued q = {.prepares = true};
    char *copy = strdup(s->sql);
    enum status st;

    if (!copy)
        return fault_set(fault, ST_RETRY, "PostgreSQL client: out of memory");
    st = note(db, PQsendPrepare(db->conn, name, s->sql, (int)s->n, s->types), q, fault);
    if (st == ST_OK)
        db->prepared[db->prepared_count++] = copy;
    else
        free(copy);
    return st;
}

enum status pg_queue(struct pg *db, const struct pg_statement *s, PGresult **rows,
                     struct fault *fault)
{
    size_t place = s->often ? find_prepared(db, s->sql) : PREPARED_MAX;
    struct queued q = {.rows = rows, .kept = place < db->prepared_count};
    char name[NAME_MAX_LEN + 1];
    enum status st = make_way(db, fault);
    int sent;

    if (st != ST_OK)
        return st;
    if (place == PREPARED_MAX) {
        sent = PQsendQueryParams(db->conn, s->sql, (int)s->n, s->types, s->params, s->lengths,
                                 s->formats, s->binary);
        return note(db, sent, q, fault);
    }
    (void)snprintf(name, sizeof name, "vigie_%zu", place);
    if (!q.kept && (st = prepare(db, name, s, fault)) != ST_OK)
        return st;
    sent = PQsendQueryPrepared(db->conn, name, (int)s->n, s->params, s->lengths, s->formats,
                               s->binary);
    return note(db, sent, q, fault);
}

/* ---- one that waits */
static enum status run(struct pg *db, const struct pg_statement *s, PGresult **result,
                       struct fault *fault)
{
    enum status st = pg_queue(db, s, result, fault);

    return st == ST_OK ? pg_settle(db, fault) : st;
}

enum status pg_run_typed(struct pg *db, const char *sql, size_t n, const Oid *types,
                         const char *const *params, const int *lengths, const int *formats,
                         PGresult **result, struct fault *fault)
{
    const struct pg_statement s = {sql, n, types, params, lengths, formats, false, false};

    return run(db, &s, result, fault);
}

enum status pg_run_often(struct pg *db, const char *sql, size_t n, const Oid *types,
                         const char *const *params, const int *lengths, const int *formats,
                         PGresult **result, struct fault *fault)
{
    const struct pg_statement s = {sql, n, types, params, lengths, formats, true, false};

    return run(db, &s, result, fault);
}

enum status pg_run(struct pg *db, const char *sql, size_t n, const char *const *params,
                   PGresult **result, struct fault *fault)
{
    return pg_run_typed(db, sql, n, NULL, params, NULL, NULL, result, fault);
}

enum status pg_finds(struct pg *db, const char *sql, size_t n, const char *const *params,
                     struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st = pg_run(db, sql, n, params, &rows, fault);

    if (st == ST_OK && PQntuples(rows) == 0)
        st = ST_NONE;
    PQclear(rows);
    return st;
}

/* ---- transactions */
enum status pg_begin(struct pg *db, struct fault *fault)
{
    const struct pg_statement begin = {.sql = "BEGIN"};

    return pg_queue(db, &begin, NULL, fault);
}

enum status pg_commit(struct pg *db, struct fault *fault)
{
    PGresult *r = NULL;
    enum status st = pg_run(db, "COMMIT", 0, NULL, &r, fault);

    if (st != ST_OK)
        return st;
    /* COMMIT after a failed statement succeeds, saying ROLLBACK */
    if (strcmp(PQcmdStatus(r), "COMMIT") != 0)
        st = fault_set(fault, ST_FATAL, "COMMIT was answered %s: a statement before it had failed",
                       PQcmdStatus(r));
    PQclear(r);
    return st;
}

static bool is_over(const struct pg *db)
{
    return !db->conn || (db->queued_n == 0 && PQtransactionStatus(db->conn) == PQTRANS_IDLE);
}

void pg_rollback(struct pg *db)
{
    char state[sizeof db->state];

    if (is_over(db))
        return;
    memcpy(state, db->state, sizeof state); /* of the failure that led here */
    for (size_t i = 0; i < db->queued_n; i++)
        db->queued[i].rows = NULL; /* who wanted them is perhaps gone */
    /* twice: a failure of what was queued skips the first */
    for (int i = 0; i < 2 && !is_over(db); i++)
        if (pg_run(db, "ROLLBACK", 0, NULL, NULL, NULL) == ST_OK)
            break;
    if (!is_over(db))
        pg_hang_up(db);
    memcpy(db->state, state, sizeof state);
}
