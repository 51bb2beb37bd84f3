/* services/ingest/again/upkeep.c - a few thousand rows at a time. */
#include "upkeep.h"

#include <stdlib.h>
#include <string.h>

#include "lib/text.h"
#include "services/ingest/commit/messages.h"

#define UPKEEP_TEXT_OF(number) #number
#define UPKEEP_TEXT(number) UPKEEP_TEXT_OF(number)

static const char expire[] =
    "UPDATE alert SET state = 'cleared', reason = 'expired', cleared_at = now(), "
    "version = version + 1 WHERE id IN (SELECT id FROM alert WHERE state <> 'cleared' AND "
    "ending = 'point' AND severity IN ('info', 'warning', 'minor') AND "
    "detected_at < now() - interval '24 h' LIMIT $1::integer FOR UPDATE SKIP LOCKED) "
    "RETURNING id, vin, type, severity, state, ms(occurred_at), ms(detected_at), count";

/* Whoever owns a car no more waits for nothing of it, and nobody can say that it is over. */
static const char retire[] =
    "UPDATE alert SET state = 'cleared', reason = 'retired', cleared_at = now(), held_down = "
    "false, "
    "ended_at = coalesce(ended_at, now()), version = version + 1 WHERE id IN (SELECT a.id "
    "FROM vehicle v JOIN alert a ON a.vin = v.vin WHERE v.status = 'retired' AND "
    "a.state <> 'cleared' LIMIT $1::integer FOR UPDATE OF a SKIP LOCKED) "
    "RETURNING id, vin, type, severity, state, ms(occurred_at), ms(detected_at), count, "
    "CASE WHEN ending <> 'point' THEN openings END";

/* Of a car that is restored it is told anew. */
static const char retired_plans[] =
    "UPDATE maintenance x SET stage = 'fine', computed_at = NULL FROM vehicle v "
    "WHERE v.vin = x.vin AND v.status = 'retired' AND x.stage <> 'fine'";
static const char retired_contracts[] =
    "UPDATE contract x SET stage = 'fine', computed_at = NULL FROM vehicle v "
    "WHERE v.vin = x.vin AND v.status = 'retired' AND x.stage <> 'fine'";

/* The log of changes tells of them after the statement, in the same transaction. */
static const char cursors[] =
    "SELECT DISTINCT ON (ref) ref, change_cursor(c) FROM change c "
    "WHERE xid = pg_current_xact_id() AND kind = 'alert' ORDER BY ref, id DESC";

static const char *const works[] = {
    "UPDATE segment SET state = 'final' WHERE id IN (SELECT id FROM segment WHERE "
    "state = 'closed' AND (kind <> 'trip' OR provisional OR score_terms IS NOT NULL) AND "
    "end_at < now() - interval '61 d' LIMIT 1000 FOR UPDATE SKIP LOCKED)",
    "DELETE FROM fact_checkpoint WHERE (vin, t_ms) IN (SELECT c.vin, c.t_ms FROM fact_checkpoint c "
    "WHERE c.t_ms < ms(now() - interval '7 d') AND EXISTS (SELECT FROM fact_checkpoint d WHERE "
    "d.vin = c.vin AND d.t_ms > c.t_ms AND d.t_ms / 86400000 = c.t_ms / 86400000) LIMIT 5000)",
};

static void scan(struct alert_change_message *m, const PGresult *rows, int row)
{
    *m = (struct alert_change_message){.occurred_ms = pg_text_int8(rows, row, 5),
                                       .detected_ms = pg_text_int8(rows, row, 6),
                                       .count = pg_text_int8(rows, row, 7)};
    text_copy(m->id, sizeof m->id, PQgetvalue(rows, row, 0));
    text_copy(m->vin, sizeof m->vin, PQgetvalue(rows, row, 1));
    text_copy(m->type, sizeof m->type, PQgetvalue(rows, row, 2));
    text_copy(m->severity, sizeof m->severity, PQgetvalue(rows, row, 3));
    text_copy(m->state, sizeof m->state, PQgetvalue(rows, row, 4));
}

/* Both by id. */
static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct alert_change_message *)a)->id,
                  ((const struct alert_change_message *)b)->id);
}

/* To whoever was told that it began. */
static void tell(struct columns *told, const PGresult *rows, int row)
{
    const struct message m = {.alert = PQgetvalue(rows, row, 0),
                              .transition = "cleared",
                              .severity = PQgetvalue(rows, row, 3),
                              .opening = pg_text_int8(rows, row, 8)};

    if (!PQgetisnull(rows, row, 8))
        messages_add(told, &m);
}

/* `sql`: expire, or retire with `told`. */
static enum status clear_alerts(struct pg *db, const char *sql, struct columns *told,
                                struct alert_change_message *cleared, size_t *n,
                                struct fault *fault)
{
    const char *params[] = {UPKEEP_TEXT(UPKEEP_ALERTS)};
    PGresult *rows = NULL, *at = NULL;
    enum status st = pg_run(db, sql, 1, params, &rows, fault);
    size_t found = 0;

    for (int i = 0; st == ST_OK && i < PQntuples(rows); i++) {
        scan(&cleared[found++], rows, i);
        if (told)
            tell(told, rows, i);
    }
    PQclear(rows);
    if (st != ST_OK || found == 0 || (st = pg_run(db, cursors, 0, NULL, &at, fault)) != ST_OK)
        return st;
    qsort(cleared, found, sizeof *cleared, by_id);
    for (int i = 0; i < PQntuples(at); i++) {
        struct alert_change_message key = {0}, *one;

        text_copy(key.id, sizeof key.id, PQgetvalue(at, i, 0));
        one = bsearch(&key, cleared, found, sizeof *cleared, by_id);
        if (one)
            text_copy(one->cursor, sizeof one->cursor, PQgetvalue(at, i, 1));
    }
    PQclear(at);
    *n = found;
    return ST_OK;
}

enum status upkeep_step(struct pg *db, struct alert_change_message cleared[UPKEEP_ALERTS],
                        size_t *n, struct fault *fault)
{
    enum status st = pg_ready(db, fault);

    *n = 0;
    if (st != ST_OK || (st = pg_begin(db, fault)) != ST_OK)
        return st;
    if ((st = clear_alerts(db, expire, NULL, cleared, n, fault)) != ST_OK)
        pg_rollback(db);
    else
        st = pg_commit(db, fault);
    if (st != ST_OK)
        *n = 0;
    for (size_t i = 0; i < sizeof works / sizeof *works && st == ST_OK; i++)
        st = pg_run(db, works[i], 0, NULL, NULL, fault);
    return st;
}

enum status upkeep_retired(struct pg *db, struct alert_change_message cleared[UPKEEP_ALERTS],
                           size_t *n, struct fault *fault)
{
    struct columns told = {0};
    enum status st = pg_ready(db, fault);

    *n = 0;
    if (st != ST_OK || (st = pg_begin(db, fault)) != ST_OK)
        return st;
    messages_begin(&told);
    if ((st = clear_alerts(db, retire, &told, cleared, n, fault)) == ST_OK)
        st = messages_write(&told, db, fault);
    if (st != ST_OK || (st = pg_run(db, retired_plans, 0, NULL, NULL, fault)) != ST_OK ||
        (st = pg_run(db, retired_contracts, 0, NULL, NULL, fault)) != ST_OK)
        pg_rollback(db);
    else
        st = pg_commit(db, fault);
    columns_done(&told);
    if (st != ST_OK)
        *n = 0;
    return st;
}
