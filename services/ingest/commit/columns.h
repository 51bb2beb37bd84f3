/* services/ingest/commit/columns.h - the columns of one statement: binary arrays for `unnest`.  One
 * thread. */
#ifndef INGEST_COLUMNS_H
#define INGEST_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/store/postgres.h"

#define COLUMNS_MAX 43

struct columns { /* all zero to begin with; keeps its memory from statement to statement */
    struct pg_array column[COLUMNS_MAX];
};

/* `n` empty columns of these element types. */
void columns_begin(struct columns *c, size_t n, const Oid *types);

/* Run `sql` with the first `n` columns as $1 ... $n.  Empty columns: nothing to do, ST_OK, *result
 * stays NULL. */
enum status columns_run(struct columns *c, struct pg *db, size_t n, const char *sql,
                        PGresult **result, struct fault *fault) MUST_CHECK;

/* The same, sent with the next statement that waits; `rows` as pg_queue has it. */
enum status columns_queue(struct columns *c, struct pg *db, size_t n, const char *sql,
                          PGresult **rows, struct fault *fault) MUST_CHECK;
/* The same with rows in binary format. */
enum status columns_queue_binary(struct columns *c, struct pg *db, size_t n, const char *sql,
                                 PGresult **rows, struct fault *fault) MUST_CHECK;

/* While it is on, what this thread runs is run without rows too: the server has read and planned it
 * then before it is needed.  *result of such a statement has no rows. */
void columns_rehearse(bool on);

/* A double that may be unknown. */
void columns_add_double(struct pg_array *column, bool known, double value);

void columns_done(struct columns *c);

#endif
