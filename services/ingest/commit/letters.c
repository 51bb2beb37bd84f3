/* services/ingest/commit/letters.c - two statements for a group that has letters in it, none
 * otherwise. */
#include "letters.h"

#include <string.h>

static void list(struct letters *l, struct record *const *records, size_t n)
{
    static const Oid types[] = {PG_UUID};

    columns_begin(&l->c, 1, types);
    for (size_t i = 0; i < n; i++)
        if (records[i]->letter[0])
            pg_array_uuid(&l->c.column[0], records[i]->letter);
}

static bool is_among(const PGresult *rows, const char *id)
{
    for (int i = 0; rows && i < PQntuples(rows); i++)
        if (strcmp(PQgetvalue(rows, i, 0), id) == 0)
            return true;
    return false;
}

enum status letters_lock(struct letters *l, struct record *const *records, bool *fresh, size_t n,
                         struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st;

    list(l, records, n);
    st = columns_run(&l->c, l->db, 1,
                     "SELECT id FROM dead_letter WHERE id = ANY ($1) AND replayed_at IS NULL "
                     "ORDER BY id FOR UPDATE",
                     &rows, fault);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < n; i++)
        if (records[i]->letter[0])
            fresh[i] = is_among(rows, records[i]->letter);
    PQclear(rows);
    return ST_OK;
}

enum status letters_settle(struct letters *l, struct record *const *records, const bool *fresh,
                           size_t n, struct fault *fault)
{
    static const Oid types[] = {PG_UUID, PG_TEXT, PG_TEXT};

    columns_begin(&l->c, 3, types);
    for (size_t i = 0; i < n; i++) {
        const struct record *r = records[i];

        if (!r->letter[0] || !fresh[i])
            continue;
        pg_array_uuid(&l->c.column[0], r->letter);
        pg_array_text(&l->c.column[1], r->reason, strlen(r->reason));
        if (r->reason[0])
            pg_array_text(&l->c.column[2], r->detail, strlen(r->detail));
        else
            pg_array_null(&l->c.column[2]); /* nothing was written there */
    }
    return columns_queue(
        &l->c, l->db, 3,
        "UPDATE dead_letter d SET asked_at = NULL, replayed_at = CASE WHEN f.r = '' THEN now() "
        "END, reason = coalesce(nullif(f.r, ''), d.reason), detail = coalesce(nullif(f.d, ''), "
        "d.detail) FROM unnest($1, $2, $3) AS f (i, r, d) WHERE d.id = f.i",
        NULL, fault);
}

void letters_done(struct letters *l)
{
    columns_done(&l->c);
}
