/* lib/store/postgres.h - one PostgreSQL connection (libpq).  One struct pg, one thread.
 * Reconnects when asked; statements are parameterised, text format unless said. */
#ifndef LIB_STORE_POSTGRES_H
#define LIB_STORE_POSTGRES_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"

struct pg;

/* Copies `conninfo`; does not connect yet.  `application` shows in pg_stat_activity. */
enum status pg_open(struct pg **out, const char *conninfo, const char *application,
                    struct fault *fault) MUST_CHECK;
/* Connected and sane?  Connects (5 s at most) if not; rolls back a transaction left open.  The
 * locks of a host that loses its power, on a session or on the rows of a transaction, stay for as
 * long as the server waits for it, by its kernel's defaults for hours: over TCP it is told to miss
 * us within some five seconds.  A commit it answers is on its disk, even where it is set to
 * synchronous_commit = off.
 *   ST_RETRY   the server is away
 *   ST_FATAL   it refuses us (28xxx, 3D000, 42501, a password is missing) */
enum status pg_ready(struct pg *db, struct fault *fault) MUST_CHECK;

/* Answers that take longer than `wait_ms` (0, as at first: no limit) are ST_RETRY and end the
 * connection: what the server made of the statements is not known then.  The time is that of one
 * call, with all that was queued before it.  Once stop was asked for (lib/stop), 2 s are enough. */
void pg_set_patience(struct pg *db, int wait_ms);
/* How often it has connected: when it changes, LISTENs and session locks are gone. */
unsigned pg_connections(const struct pg *db);

struct pg_statement {
    const char *sql;
    size_t n; /* parameters; NULL entry = SQL NULL */
    const Oid *types;
    const char *const *params;
    const int *lengths, *formats; /* 1 = binary; these and types may be NULL */
    bool often;                   /* as pg_run_often */
    bool binary;                  /* its rows come in binary format */
};

/* Give a statement to the server together with the next that waits (pg_settle, pg_run...,
 * pg_commit): one trip instead of two.  Parameters are copied.  *rows is set, and yours, once that
 * one has said ST_OK; it must stay in place until then, or until pg_rollback.  NULL: rows are not
 * wanted.  ST_OK promises nothing: what it fails with is what the one that waits returns, and all
 * that stands behind it in the queue is not run then.  Outside a transaction all of it is one, up
 * to some sixty statements: those are waited for before one more is queued, and their rows are
 * yours whatever comes after.
 *   ST_RETRY   not connected, or what was queued before it has failed so; see pg_run for the rest,
 *              which can only come of what was queued before */
enum status pg_queue(struct pg *db, const struct pg_statement *s, PGresult **rows,
                     struct fault *fault) MUST_CHECK;
/* Wait for all that is queued; the first failure is told, as by pg_run. */
enum status pg_settle(struct pg *db, struct fault *fault) MUST_CHECK;

/* Run one statement with `n` text parameters (NULL entry = SQL NULL), and what is queued before it.
 * *result is yours (PQclear), left alone unless ST_OK; `result` may be NULL when rows are not
 * wanted. ST_RETRY   connection lost or none, 08xxx, 40xxx, 53xxx, 57xxx (a statement_timeout too),
 *              58xxx, 55P03, 25006 (read only: the connection is closed, pg_ready finds a better
 *              one): roll back, do the whole transaction again
 *   ST_REJECT  the data is refused (22xxx, 23xxx); the fault carries the SQLSTATE first
 *   ST_FATAL   42xxx and the rest: our statement or the schema is wrong */
enum status pg_run(struct pg *db, const char *sql, size_t n, const char *const *params,
                   PGresult **result, struct fault *fault) MUST_CHECK;
/* Is there a row?  As pg_run, and ST_NONE when the statement, a SELECT or one that is RETURNING,
 * has none. */
enum status pg_finds(struct pg *db, const char *sql, size_t n, const char *const *params,
                     struct fault *fault) MUST_CHECK;
/* pg_run with typed parameters: oids, lengths, formats (1 = binary); each may be NULL. */
enum status pg_run_typed(struct pg *db, const char *sql, size_t n, const Oid *types,
                         const char *const *params, const int *lengths, const int *formats,
                         PGresult **result, struct fault *fault) MUST_CHECK;
/* The same for a statement that runs again and again: the server keeps it prepared, as long as the
 * connection lasts, so it is read and planned once.  Found again by its text, so give it constants.
 * ST_RETRY also where the schema has changed under it: the connection is closed. */
enum status pg_run_often(struct pg *db, const char *sql, size_t n, const Oid *types,
                         const char *const *params, const int *lengths, const int *formats,
                         PGresult **result, struct fault *fault) MUST_CHECK;
/* The SQLSTATE of the last failure, "" when there was none. */
const char *pg_state(const struct pg *db);

enum status pg_begin(struct pg *db, struct fault *fault) MUST_CHECK; /* queued */
/* With what is queued before it, whose failure it tells: nothing is stored then.
 * ST_RETRY: whether it was stored is not known.  ST_FATAL also: a statement before it had failed,
 * nothing is stored. */
enum status pg_commit(struct pg *db, struct fault *fault) MUST_CHECK;
void pg_rollback(struct pg *db); /* never fails: a broken connection is closed */

int pg_socket(struct pg *db); /* for poll; -1 when not connected */
/* Take one NOTIFY that has arrived, without waiting; the payload is cut to `size`.
 *   ST_NONE    none
 *   ST_RETRY   not connected any more; after pg_ready, LISTEN again */
enum status pg_take_notify(struct pg *db, char *channel, size_t channel_size, char *payload,
                           size_t size, struct fault *fault) MUST_CHECK;
/* For COPY and the like; borrowed.  What is queued runs first; where that fails, in a transaction,
 * the server takes nothing more before a rollback. */
PGconn *pg_raw(struct pg *db);
void pg_close(struct pg *db);

/* An int8 of a row that came in binary format; NULL is 0. */
int64_t pg_get_int8(const PGresult *rows, int row, int column);
/* A timestamptz of a row that came in binary format: ms since 1970, rounded as by the
 * schema's ms(), which takes the server 2 us; of 1970 and later; NULL is 0. */
int64_t pg_get_time_ms(const PGresult *rows, int row, int column);

/* The same of a row that came as text, an int8 and a float8; NULL is 0, and NaN. */
int64_t pg_text_int8(const PGresult *rows, int row, int column);
double pg_text_float8(const PGresult *rows, int row, int column);

/* Binary array parameters for `unnest`: one-dimensional, no NULLs unless pg_array_null. */
struct pg_array {
    char *bytes;
    size_t len, room;
    int32_t count;
    bool failed, has_null; /* failed: no memory, or a UUID that is none; do not send it */
    Oid element;
}; /* all zero before the first pg_array_begin */

enum {
    PG_INT2 = 21,
    PG_INT8 = 20,
    PG_TEXT = 25,
    PG_FLOAT8 = 701,
    PG_BYTEA = 17,
    PG_UUID = 2950,
    PG_JSONB = 3802
};

void pg_array_begin(struct pg_array *a, Oid element); /* keeps its memory */
void pg_array_int8(struct pg_array *a, int64_t v);
void pg_array_int2(struct pg_array *a, int16_t v);
void pg_array_float8(struct pg_array *a, double v);
void pg_array_text(struct pg_array *a, const char *bytes, size_t len); /* text, bytea */
void pg_array_jsonb(struct pg_array *a, const char *bytes, size_t len);
void pg_array_uuid(struct pg_array *a, const char *text36);
void pg_array_null(struct pg_array *a);
Oid pg_array_type(const struct pg_array *a); /* the array type's oid: int8[] and so on */
/* Finish: header filled in; bytes/len are the parameter. */
void pg_array_end(struct pg_array *a);
void pg_array_done(struct pg_array *a);

#endif
