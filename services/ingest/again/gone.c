/* services/ingest/again/gone.c - the mark a purge sets before it deletes. */
#include "gone.h"

enum status gone_until(struct pg *db, const char *vin, int64_t *until_ms, struct fault *fault)
{
    const char *params[] = {vin};
    PGresult *rows = NULL;
    enum status st =
        pg_run(db, "SELECT until_ms FROM samples_gone WHERE vin = $1", 1, params, &rows, fault);

    if (st == ST_OK)
        *until_ms = PQntuples(rows) ? pg_text_int8(rows, 0, 0) : 0;
    PQclear(rows);
    return st;
}
