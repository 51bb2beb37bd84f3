/* services/ingest/commit/columns.c - one statement per table and group. */
#include "columns.h"

static _Thread_local bool rehearses;

void columns_rehearse(bool on)
{
    rehearses = on;
}

void columns_begin(struct columns *c, size_t n, const Oid *types)
{
    for (size_t i = 0; i < n; i++)
        pg_array_begin(&c->column[i], types[i]);
}

static enum status queue(struct columns *c, struct pg *db, size_t n, const char *sql, bool binary,
                         PGresult **rows, struct fault *fault)
{
    Oid types[COLUMNS_MAX];
    const char *params[COLUMNS_MAX];
    int lengths[COLUMNS_MAX], formats[COLUMNS_MAX];
    const struct pg_statement s = {sql, n, types, params, lengths, formats, true, binary};

    if (c->column[0].count == 0 && !rehearses)
        return ST_OK;
    for (size_t i = 0; i < n; i++) {
        pg_array_end(&c->column[i]);
        if (c->column[i].failed)
            return fault_set(fault, ST_RETRY, "out of memory for a group");
        types[i] = pg_array_type(&c->column[i]);
        params[i] = c->column[i].bytes;
        lengths[i] = (int)c->column[i].len;
        formats[i] = 1;
    }
    return pg_queue(db, &s, rows, fault);
}

enum status columns_queue(struct columns *c, struct pg *db, size_t n, const char *sql,
                          PGresult **rows, struct fault *fault)
{
    return queue(c, db, n, sql, false, rows, fault);
}

enum status columns_queue_binary(struct columns *c, struct pg *db, size_t n, const char *sql,
                                 PGresult **rows, struct fault *fault)
{
    return queue(c, db, n, sql, true, rows, fault);
}

enum status columns_run(struct columns *c, struct pg *db, size_t n, const char *sql,
                        PGresult **result, struct fault *fault)
{
    enum status st = columns_queue(c, db, n, sql, result, fault);

    if (st != ST_OK || (c->column[0].count == 0 && !rehearses))
        return st;
    return pg_settle(db, fault);
}

void columns_add_double(struct pg_array *column, bool known, double value)
{
    if (known)
        pg_array_float8(column, value);
    else
        pg_array_null(column);
}

void columns_done(struct columns *c)
{
    for (size_t i = 0; i < COLUMNS_MAX; i++)
        pg_array_done(&c->column[i]);
}
