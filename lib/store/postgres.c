/* lib/store/postgres.c - one libpq connection: connect with a deadline, say what a failure asks
 * for. */
#include "lib/store/postgres.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/stop.h"
#include "lib/store/sqlstate.h"

#define CONNECT_MS 5000
#define STOPPING_MS 2000 /* how much longer an answer may take once stop was asked for */
#define LOOK_MS 100      /* between two looks at whether it was */
#define STATE_LEN 5      /* an SQLSTATE */
#define PREPARED_MAX 64  /* statements a connection keeps */

/* A statement and what goes with it. */
struct statement {
    enum { ONCE, PREPARE, PREPARED } how;
    const char *sql, *name; /* the name it has, or gets, when prepared */
    int n;
    const Oid *types;
    const char *const *params;
    const int *lengths, *formats;
};

struct pg {
    PGconn *conn; /* NULL: not connected */
    char *conninfo, *application;
    char state[STATE_LEN + 1];
    int patience_ms; /* 0: for ever */
    unsigned connections;
    char *prepared[PREPARED_MAX]; /* their text; the name is made of the place */
    size_t prepared_count;        /* on this connection */
};

enum status pg_open(struct pg **out, const char *conninfo, const char *application,
                    struct fault *fault)
{
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
    struct pg *db;

    if (!options) /* libpq's words would quote the string, password included */
        return fault_set(fault, ST_REJECT, "PostgreSQL: not a connection string");
    PQconninfoFree(options);
    db = calloc(1, sizeof *db);
    if (!db)
        return fault_set(fault, ST_FATAL, "PostgreSQL client: out of memory");
    db->conninfo = strdup(conninfo);
    db->application = strdup(application);
    if (!db->conninfo || !db->application) {
        pg_close(db);
        return fault_set(fault, ST_FATAL, "PostgreSQL client: out of memory");
    }
    *out = db;
    return ST_OK;
}

static void hang_up(struct pg *db)
{
    PQfinish(db->conn); /* NULL is fine */
    db->conn = NULL;
    while (db->prepared_count > 0)
        free(db->prepared[--db->prepared_count]);
}

void pg_close(struct pg *db)
{
    if (!db)
        return;
    hang_up(db);
    free(db->conninfo);
    free(db->application);
    free(db);
}

void pg_set_patience(struct pg *db, int wait_ms)
{
    db->patience_ms = wait_ms;
}

unsigned pg_connections(const struct pg *db)
{
    return db->connections;
}

const char *pg_state(const struct pg *db)
{
    return db->state;
}

static void drop_notice(void *self, const PGresult *notice)
{
    (void)self;
    (void)notice;
}

/* libpq's text without its line breaks' tail. */
static enum status complain(const struct pg *db, enum status st, struct fault *fault)
{
    const char *text = PQerrorMessage(db->conn);
    int len = (int)strcspn(text, "\n");

    return fault_set(fault, st, "%s%s%.*s", db->state, db->state[0] ? " " : "", len, text);
}

static PGconn *start(const struct pg *db)
{
    /* what stands before dbname is our advice and the string may overrule it; what stands behind is
     * an order */
    const char *const keys[] = {
        "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
        "dbname",          "application_name",    "client_encoding",  NULL};
    const char *const values[] = {"10",   "5", "3", "20000", db->conninfo, db->application,
                                  "UTF8", NULL};

    return PQconnectStartParams(keys, values, 1);
}

static enum status wait_for_socket(struct pg *db, PostgresPollingStatusType wants,
                                   int64_t deadline_ms, struct fault *fault)
{
    struct pollfd one = {.fd = PQsocket(db->conn),
                         .events = wants == PGRES_POLLING_READING ? POLLIN : POLLOUT};
    int64_t left = deadline_ms - clock_boot_ms();

    while (left > 0) {
        int n = poll(&one, 1, (int)left);

        if (n > 0)
            return ST_OK;
        if (n < 0 && errno != EINTR)
            return fault_set(fault, ST_RETRY, "poll: %s", strerror(errno));
        left = deadline_ms - clock_boot_ms();
    }
    return fault_set(fault, ST_RETRY, "PostgreSQL did not let us in in time");
}

/* libpq hands no SQLSTATE of a refused connection out, but prints it when verbose: "FATAL:  28P01:
 * password …". */
static void find_state(struct pg *db)
{
    const char *text = PQerrorMessage(db->conn);

    for (const char *at = strstr(text, ":  "); at; at = strstr(at + 1, ":  ")) {
        size_t n = 0;

        while (n < STATE_LEN && isalnum((unsigned char)at[3 + n]))
            n++;
        if (n == STATE_LEN && at[3 + n] == ':')
            memcpy(db->state, at + 3, STATE_LEN);
    }
}

static enum status explain_refusal(struct pg *db, struct fault *fault)
{
    static const char *const for_good[] = {"28", "3D",
                                           "42"}; /* who we are, which database, rights */
    enum status st = PQconnectionNeedsPassword(db->conn) ? ST_FATAL : ST_RETRY;

    find_state(db);
    for (size_t i = 0; i < sizeof for_good / sizeof *for_good; i++)
        if (strncmp(db->state, for_good[i], 2) == 0)
            st = ST_FATAL;
    return complain(db, st, fault);
}

static enum status connect_now(struct pg *db, struct fault *fault)
{
    bool hasty = db->patience_ms > 0 && db->patience_ms < CONNECT_MS;
    int64_t deadline_ms = clock_boot_ms() + (hasty ? db->patience_ms : CONNECT_MS);
    PostgresPollingStatusType wants = PGRES_POLLING_WRITING;
    enum status st = ST_OK;

    db->state[0] = '\0';
    db->conn = start(db);
    if (!db->conn)
        return fault_set(fault, ST_FATAL, "PostgreSQL client: out of memory");
    PQsetNoticeReceiver(db->conn, drop_notice, NULL);
    PQsetErrorVerbosity(db->conn, PQERRORS_VERBOSE);
    if (PQstatus(db->conn) == CONNECTION_BAD)
        wants = PGRES_POLLING_FAILED;
    while (st == ST_OK && wants != PGRES_POLLING_OK && wants != PGRES_POLLING_FAILED) {
        st = wait_for_socket(db, wants, deadline_ms, fault);
        if (st == ST_OK)
            wants = PQconnectPoll(db->conn);
    }
    if (st == ST_OK && wants == PGRES_POLLING_FAILED)
        st = explain_refusal(db, fault);
    if (st != ST_OK) {
        hang_up(db);
        return st;
    }
    PQsetErrorVerbosity(db->conn, PQERRORS_DEFAULT);
    db->connections++;
    return ST_OK;
}

/* Has the server said goodbye while nobody listened?  Its last words come before the end, so read
 * until there is no more.  Costs one poll when all is well. */
static bool is_gone(struct pg *db)
{
    struct pollfd one = {.fd = PQsocket(db->conn), .events = POLLIN};

    if (PQstatus(db->conn) != CONNECTION_OK)
        return true;
    while (poll(&one, 1, 0) > 0)
        if (!PQconsumeInput(db->conn))
            return true;
    return false;
}

enum status pg_ready(struct pg *db, struct fault *fault)
{
    if (db->conn && is_gone(db))
        hang_up(db);
    if (db->conn && PQtransactionStatus(db->conn) != PQTRANS_IDLE)
        pg_rollback(db);
    return db->conn ? ST_OK : connect_now(db, fault);
}

static enum status explain_failure(struct pg *db, const PGresult *r, struct fault *fault)
{
    const char *state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
    const char *what = r ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    enum status st;

    if (state && strlen(state) == STATE_LEN)
        memcpy(db->state, state, STATE_LEN + 1);
    st = sqlstate_status(db->state);
    if (what)
        fault_set(fault, st, "%s %s", db->state, what);
    else
        complain(db, st, fault);
    if (PQstatus(db->conn) != CONNECTION_OK || strcmp(db->state, "25006") == 0)
        hang_up(db); /* pg_ready connects again, elsewhere if the string lists several hosts */
    return st;
}

/* Send what is left to send and read until a result is there.  False: our patience is at its end.
 */
static bool wait_for_result(struct pg *db, int64_t *deadline_ms)
{
    bool stopping = false;

    for (;;) {
        int unsent = PQflush(db->conn);
        struct pollfd one = {.fd = PQsocket(db->conn), .events = POLLIN};

        if (unsent < 0 || (unsent == 0 && !PQisBusy(db->conn)))
            return true; /* or a failure, which PQgetResult tells */
        if (unsent > 0)
            one.events |= POLLOUT;
        if (!stopping && !stop_pause(0)) {
            int64_t last_ms = clock_boot_ms() + STOPPING_MS;

            stopping = true;
            *deadline_ms = *deadline_ms < last_ms ? *deadline_ms : last_ms;
        }
        if (clock_boot_ms() >= *deadline_ms)
            return false;
        if (poll(&one, 1, LOOK_MS) > 0 && (one.revents & ~POLLOUT) && !PQconsumeInput(db->conn))
            return true;
    }
}

static int send_statement(struct pg *db, const struct statement *s)
{
    switch (s->how) {
    case PREPARE:
        return PQsendPrepare(db->conn, s->name, s->sql, s->n, s->types);
    case PREPARED:
        return PQsendQueryPrepared(db->conn, s->name, s->n, s->params, s->lengths, s->formats, 0);
    default:
        return PQsendQueryParams(db->conn, s->sql, s->n, s->types, s->params, s->lengths,
                                 s->formats, 0);
    }
}

/* Send it, and take its answer within db->patience_ms.  False: too late, the connection is closed.
 */
static bool exchange(struct pg *db, const struct statement *s, PGresult **out)
{
    bool hurries = db->patience_ms > 0;
    int64_t deadline_ms = clock_boot_ms() + db->patience_ms;
    PGresult *r = NULL, *last = NULL;

    PQsetnonblocking(db->conn, hurries);
    if (send_statement(db, s))
        do {
            if (hurries && !wait_for_result(db, &deadline_ms)) {
                PQclear(last);
                hang_up(db);
                return false;
            }
            r = PQgetResult(db->conn);
            if (r) {
                PQclear(last);
                last = r;
            }
        } while (r && PQresultStatus(r) != PGRES_COPY_IN && PQresultStatus(r) != PGRES_COPY_OUT);
    PQsetnonblocking(db->conn, 0);
    *out = last;
    return true;
}

/* What an answer says; it is cleared unless it is given to `result`. */
static enum status judge(struct pg *db, PGresult *r, PGresult **result, struct fault *fault)
{
    enum status st = ST_OK;

    switch (r ? PQresultStatus(r) : PGRES_FATAL_ERROR) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
        break;
    case PGRES_FATAL_ERROR:
        st = explain_failure(db, r, fault);
        break;
    default: /* COPY wants pg_raw; an empty statement is a mistake */
        st = fault_set(fault, ST_FATAL, "%s: not a statement for pg_run",
                       PQresStatus(PQresultStatus(r)));
        hang_up(db);
        break;
    }
    if (st == ST_OK && result)
        *result = r;
    else
        PQclear(r);
    return st;
}

static enum status run(struct pg *db, const struct statement *s, PGresult **result,
                       struct fault *fault)
{
    PGresult *r;

    db->state[0] = '\0';
    if (!db->conn)
        return fault_set(fault, ST_RETRY, "not connected to PostgreSQL");
    if (!exchange(db, s, &r))
        return fault_set(fault, ST_RETRY, "PostgreSQL did not answer within %d ms",
                         db->patience_ms);
    return judge(db, r, result, fault);
}

enum status pg_run_typed(struct pg *db, const char *sql, size_t n, const Oid *types,
                         const char *const *params, const int *lengths, const int *formats,
                         PGresult **result, struct fault *fault)
{
    const struct statement s = {ONCE, sql, NULL, (int)n, types, params, lengths, formats};

    return run(db, &s, result, fault);
}

/* The place of a statement's text among those prepared; behind the last: it is not. */
static size_t find_prepared(const struct pg *db, const char *sql)
{
    size_t i = 0;

    while (i < db->prepared_count && strcmp(db->prepared[i], sql) != 0)
        i++;
    return i;
}

static enum status prepare(struct pg *db, struct statement *s, struct fault *fault)
{
    char *copy = strdup(s->sql);
    enum status st;

    if (!copy)
        return fault_set(fault, ST_RETRY, "PostgreSQL client: out of memory");
    s->how = PREPARE;
    if ((st = run(db, s, NULL, fault)) == ST_OK)
        db->prepared[db->prepared_count++] = copy;
    else
        free(copy);
    return st;
}

enum status pg_run_often(struct pg *db, const char *sql, size_t n, const Oid *types,
                         const char *const *params, const int *lengths, const int *formats,
                         PGresult **result, struct fault *fault)
{
    char name[32];
    struct statement s = {ONCE, sql, name, (int)n, types, params, lengths, formats};
    size_t place = find_prepared(db, sql);
    bool is_new = place == db->prepared_count;
    enum status st;

    if (place == PREPARED_MAX)
        return run(db, &s, result, fault);
    (void)snprintf(name, sizeof name, "vigie_%zu", place);
    if (is_new && (st = prepare(db, &s, fault)) != ST_OK)
        return st;
    s.how = PREPARED;
    st = run(db, &s, result, fault);
    if (st != ST_FATAL || is_new || strcmp(db->state, "0A000") != 0)
        return st;
    hang_up(db); /* the schema has changed under it */
    return ST_RETRY;
}

enum status pg_run(struct pg *db, const char *sql, size_t n, const char *const *params,
                   PGresult **result, struct fault *fault)
{
    return pg_run_typed(db, sql, n, NULL, params, NULL, NULL, result, fault);
}

enum status pg_begin(struct pg *db, struct fault *fault)
{
    return pg_run(db, "BEGIN", 0, NULL, NULL, fault);
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

void pg_rollback(struct pg *db)
{
    if (!db->conn || PQtransactionStatus(db->conn) == PQTRANS_IDLE)
        return;
    char state[sizeof db->state];

    memcpy(state, db->state, sizeof state); /* of the failure that led here */
    if (pg_run(db, "ROLLBACK", 0, NULL, NULL, NULL) != ST_OK ||
        PQtransactionStatus(db->conn) != PQTRANS_IDLE)
        hang_up(db);
    memcpy(db->state, state, sizeof state);
}

int pg_socket(struct pg *db)
{
    return db->conn ? PQsocket(db->conn) : -1;
}

PGconn *pg_raw(struct pg *db)
{
    return db->conn;
}

static void copy_cut(char *out, size_t size, const char *from)
{
    size_t n = strlen(from);

    if (size == 0)
        return;
    n = n < size ? n : size - 1;
    memcpy(out, from, n);
    out[n] = '\0';
}

enum status pg_take_notify(struct pg *db, char *channel, size_t channel_size, char *payload,
                           size_t size, struct fault *fault)
{
    PGnotify *one;

    if (!db->conn)
        return fault_set(fault, ST_RETRY, "not connected to PostgreSQL");
    one = PQnotifies(db->conn);
    if (!one) {
        if (!PQconsumeInput(db->conn)) {
            db->state[0] = '\0';
            complain(db, ST_RETRY, fault);
            hang_up(db);
            return ST_RETRY;
        }
        one = PQnotifies(db->conn);
    }
    if (!one)
        return ST_NONE;
    copy_cut(channel, channel_size, one->relname);
    copy_cut(payload, size, one->extra);
    PQfreemem(one);
    return ST_OK;
}
