/* lib/store/postgres.c - one libpq connection: connect with a deadline, say why it is refused. */

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/store/postgres_inside.h"

#define CONNECT_MS 5000

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

void pg_hang_up(struct pg *db)
{
    while (db->queued_n > 0)
        PQclear(db->queued[--db->queued_n].result);
    PQfinish(db->conn); /* NULL is fine */
    db->conn = NULL;
    while (db->prepared_count > 0)
        free(db->prepared[--db->prepared_count]);
}

void pg_close(struct pg *db)
{
    if (!db)
        return;
    pg_hang_up(db);
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

static void drop_notice(void *self, const PGresult *notice)
{
    (void)self;
    (void)notice;
}

/* libpq's text without its line breaks' tail. */
enum status pg_complain(const struct pg *db, enum status st, struct fault *fault)
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
    return pg_complain(db, st, fault);
}

/* By settings of the session, those the server knows: tcp_user_timeout came with version 12, the
 * check of the client with 14, and other systems refuse it.  Keepalives find a silent peer, the
 * timeout one that still owes a receipt.  That is also one whose kernel has no room left because it
 * reads nothing: whoever waits for an answer here reads all of it before anything is made of it (no
 * cursor, no COPY, no row by row), so only a process that is stopped is cut off.  And a statement
 * that nobody waits for any more ends, with its locks, instead of running beside its own
 * repetition.  On a Unix socket the first four change nothing.  Statements and not options of the
 * connection, which a pooler may refuse. */
static enum status be_missed(struct pg *db, struct fault *fault)
{
    return pg_run(db,
                  "SELECT set_config(s.name, v.value, false) FROM (VALUES "
                  "('tcp_keepalives_idle', '1'), ('tcp_keepalives_interval', '1'), "
                  "('tcp_keepalives_count', '3'), ('tcp_user_timeout', '4000'), "
                  "('client_connection_check_interval', '2000')) AS v (name, value) "
                  "JOIN pg_settings s ON s.name = v.name "
                  "WHERE v.name NOT LIKE 'client%' OR version() LIKE '%linux%'",
                  0, NULL, NULL, fault);
}

/* What a server set to synchronous_commit = off says is committed goes with a crash; stricter
 * settings stay. */
static enum status be_sure(struct pg *db, struct fault *fault)
{
    return pg_run(db,
                  "SELECT set_config('synchronous_commit', 'on', false) "
                  "WHERE current_setting('synchronous_commit') = 'off'",
                  0, NULL, NULL, fault);
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
        pg_hang_up(db);
        return st;
    }
    PQsetErrorVerbosity(db->conn, PQERRORS_DEFAULT);
    db->connections++;
    if ((st = be_missed(db, fault)) != ST_OK || (st = be_sure(db, fault)) != ST_OK)
        pg_hang_up(db);
    return st;
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
        pg_hang_up(db);
    if (db->conn && PQtransactionStatus(db->conn) != PQTRANS_IDLE)
        pg_rollback(db);
    return db->conn ? ST_OK : connect_now(db, fault);
}

int pg_socket(struct pg *db)
{
    return db->conn ? PQsocket(db->conn) : -1;
}

PGconn *pg_raw(struct pg *db)
{
    (void)!pg_settle(db, NULL); /* in a transaction the server remembers a failure */
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
            pg_complain(db, ST_RETRY, fault);
            pg_hang_up(db);
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
