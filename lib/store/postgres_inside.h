/* lib/store/postgres_inside.h - what postgres.c and statement.c share; nobody else includes it. */
#ifndef LIB_STORE_POSTGRES_INSIDE_H
#define LIB_STORE_POSTGRES_INSIDE_H

#include "lib/store/postgres.h"

#define STATE_LEN 5     /* an SQLSTATE */
#define PREPARED_MAX 64 /* statements a connection keeps */
#define QUEUED_MAX 64   /* statements that are sent at once */

/* A statement that was given to libpq and not yet answered. */
struct queued {
    PGresult **rows;  /* where its rows are wanted, NULL nowhere */
    PGresult *result; /* while the others are read */
    bool prepares;    /* it is the PREPARE of the next of db->prepared */
    bool kept;        /* it was prepared before: the schema may have changed since */
};

struct pg {
    PGconn *conn; /* NULL: not connected.  In pipeline mode while something is queued */
    char *conninfo, *application;
    char state[STATE_LEN + 1];
    int patience_ms; /* 0: for ever */
    unsigned connections;
    char *prepared[PREPARED_MAX]; /* their text; the name is made of the place */
    size_t prepared_count;        /* on this connection, those queued included */
    struct queued queued[QUEUED_MAX];
    size_t queued_n;
};

void pg_hang_up(struct pg *db); /* what is queued is forgotten */
/* libpq's text of the last failure, behind its SQLSTATE; returns `st`. */
enum status pg_complain(const struct pg *db, enum status st, struct fault *fault);

#endif
