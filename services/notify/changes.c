/* services/notify/changes.c - rows become frames in the database: both speak JSON there. */
#include "changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"

#define FRAME                                                                                      \
    "SELECT change_cursor(c), c.kind, c.vin, v.customer_id, CASE WHEN c.kind IN ('alert', "        \
    "'event', 'trip', 'command', 'media') THEN json_strip_nulls(json_build_object('type', "        \
    "c.kind, 'vin', c.vin, 'id', c.ref, 'at', rfc3339(c.at), 'data', c.data, 'object', "           \
    "change_object(c), 'cursor', change_cursor(c))) END FROM "
#define ORDER " c JOIN vehicle v ON v.vin = c.vin ORDER BY c.xid, c.id"

static enum status read_now(struct changes *c, struct cursor *out, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st = pg_run(c->db, "SELECT change_now()", 0, NULL, &rows, fault);

    if (st == ST_OK && !cursor_read(out, PQgetvalue(rows, 0, 0)))
        st = fault_set(fault, ST_FATAL, "the database's cursor is none");
    PQclear(rows);
    return st;
}

static enum status read_rows(struct changes *c, bool first, PGresult **rows, struct fault *fault)
{
    char after[CURSOR_TEXT], most[16];
    const char *params[] = {after, most};

    cursor_print(after, c->read);
    (void)snprintf(most, sizeof most, "%d", first ? CHANGES_AT_FIRST : CHANGES_AT_ONCE);
    if (first)
        return pg_run(c->db,
                      FRAME "(SELECT c.* FROM change c WHERE c.xid < "
                            "pg_snapshot_xmin(pg_current_snapshot()) ORDER BY c.xid DESC, c.id "
                            "DESC LIMIT $1::integer)" ORDER,
                      1, params + 1, rows, fault);
    return pg_run(c->db, FRAME "change_after($1, $2::integer)" ORDER, 2, params, rows, fault);
}

/* ST_NONE: a kind that no frame is made of. */
static enum status take_row(struct feed_item *item, const PGresult *rows, int row,
                            struct fault *fault)
{
    enum kind kind;

    if (!kind_read(&kind, PQgetvalue(rows, row, 1)) || PQgetisnull(rows, row, 4))
        return ST_NONE;
    *item = (struct feed_item){.kind = kind};
    if (!cursor_read(&item->at, PQgetvalue(rows, row, 0)))
        return fault_set(fault, ST_FATAL, "a change has no cursor");
    text_copy(item->vin, sizeof item->vin, PQgetvalue(rows, row, 2));
    text_copy(item->customer, sizeof item->customer, PQgetvalue(rows, row, 3));
    item->frame = strdup(PQgetvalue(rows, row, 4));
    return item->frame ? ST_OK : fault_set(fault, ST_RETRY, "out of memory for a change");
}

static enum status take_rows(struct changes_news *out, const PGresult *rows, struct fault *fault)
{
    int n = PQntuples(rows);

    out->items = calloc((size_t)n + 1, sizeof *out->items);
    if (!out->items)
        return fault_set(fault, ST_RETRY, "out of memory for %d changes", n);
    for (int i = 0; i < n; i++) {
        enum status st = take_row(&out->items[out->n], rows, i, fault);

        if (st == ST_OK)
            out->n++;
        else if (st != ST_NONE)
            return st;
    }
    return ST_OK;
}

/* Another connection may be to another database: one that was put back has an order of its own. */
static bool is_the_same(const struct changes *c, struct cursor present)
{
    return !c->begun || pg_connections(c->db) == c->connections || present.xid >= c->read.xid;
}

static enum status read_news(struct changes *c, struct changes_news *out, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st;
    int n;

    out->looked_ms = clock_boot_ms();
    if ((st = read_now(c, &out->present, fault)) != ST_OK)
        return st;
    out->anew = !is_the_same(c, out->present) || !c->begun;
    out->floor = out->present;
    out->upto = out->anew ? out->floor : c->read;
    if ((st = read_rows(c, out->anew, &rows, fault)) != ST_OK)
        return st;
    n = PQntuples(rows);
    if (n > 0 && (!cursor_read(&out->upto, PQgetvalue(rows, n - 1, 0)) ||
                  (out->anew && !cursor_read(&out->floor, PQgetvalue(rows, 0, 0)))))
        st = fault_set(fault, ST_FATAL, "a change has no cursor");
    if (st == ST_OK)
        st = take_rows(out, rows, fault);
    out->more = n == CHANGES_AT_ONCE && !out->anew;
    PQclear(rows);
    return st;
}

enum status changes_read(struct changes *c, struct changes_news *out, struct fault *fault)
{
    enum status st;

    *out = (struct changes_news){0};
    st = read_news(c, out, fault);
    if (st != ST_OK)
        changes_drop(out);
    return st;
}

void changes_took(struct changes *c, const struct changes_news *news)
{
    c->connections = pg_connections(c->db);
    c->begun = true;
    c->read = news->upto;
}

void changes_hand_on(struct changes_news *news, struct feed *to)
{
    if (news->anew)
        feed_begin(to, news->floor);
    for (size_t i = 0; i < news->n; i++)
        feed_add(to, &news->items[i]);
    feed_look(to, news->present, news->looked_ms);
    news->n = 0;
    changes_drop(news);
}

void changes_drop(struct changes_news *news)
{
    for (size_t i = 0; i < news->n; i++)
        free(news->items[i].frame);
    free(news->items);
    *news = (struct changes_news){0};
}
