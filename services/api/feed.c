/* services/api/feed.c - everything that changed since a cursor: alerts, events, trips and what lies
 * between, commands; in order and without gaps, for programs that follow the fleet.
 *
 * The order is (transaction, row), and nobody is shown a transaction before all older ones have
 * ended (`change` in proto/sql): ids alone are handed out before the commit, and a reader that
 * followed them would miss the slow one.  So a reader lags behind the oldest transaction that is
 * still open, and never behind what it has read.  Each item carries the row as it is now, without
 * its places: those are read where reading is written down. */
#include <stdio.h>
#include <string.h>

#include "handlers.h"
#include "page.h"
#include "render.h"
#include "tenant.h"

/* "<xid>.<id>" */
static bool is_cursor(const char *text)
{
    size_t first = strspn(text, "0123456789"), rest;

    if (first < 1 || first > 18 || text[first] != '.')
        return false;
    rest = strspn(text + first + 1, "0123456789");
    return rest >= 1 && rest <= 18 && !text[first + 1 + rest];
}

static enum status now_cursor(struct worker *w, char out[48], struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st = pg_run(w->pg, "SELECT change_now()", 0, NULL, &rows, fault);

    if (st == ST_OK)
        snprintf(out, 48, "%s", PQgetvalue(rows, 0, 0));
    PQclear(rows);
    return st;
}

/* `next` is never null here: it is what to ask with the next time. */
static void render(struct answer *a, const PGresult *rows, const char *after)
{
    int count = page_items(a, rows, PQntuples(rows));

    render_key(&a->body, "next");
    render_text(&a->body, count ? PQgetvalue(rows, count - 1, 1) : after);
    text_print(&a->body, "}");
    answer_json(a, 200);
}

/* Was something after this cursor purged before it was read?  ST_NONE: 410 is set. */
static enum status check_floor(struct worker *w, const struct request *r, const char *after,
                               struct answer *a, struct fault *fault)
{
    const char *params[] = {after};
    PGresult *rows = NULL;
    enum status st;
    bool gone;

    st = pg_run(w->pg,
                "SELECT EXISTS (SELECT FROM change_floor f WHERE (f.xid, f.id) >"
                " (split_part($1, '.', 1)::xid8, split_part($1, '.', 2)::bigint))",
                1, params, &rows, fault);
    if (st != ST_OK)
        return st;
    gone = PQgetvalue(rows, 0, 0)[0] == 't';
    PQclear(rows);
    if (!gone)
        return ST_OK;
    pg_rollback(w->pg);
    answer_problem(a, r, 410, "resync",
                   "What came after this cursor is not kept any more: read lists, then after=now.");
    return ST_NONE;
}

enum status feed_read(struct worker *w, const struct request *r, struct answer *a,
                      struct fault *fault)
{
    const char *asked = request_arg(r, "after");
    char after[48] = "0.0";
    PGresult *rows = NULL;
    struct page p;
    enum status st;
    bool now = asked && !strcmp(asked, "now");

    if (page_read(r, &p, a) != ST_OK)
        return ST_NONE;
    if (asked && *asked && !now && !is_cursor(asked)) {
        answer_field(a, r, 422, "after", "cursor");
        return ST_NONE;
    }
    if (asked && *asked && !now)
        snprintf(after, sizeof after, "%s", asked);
    snprintf(p.ask, sizeof p.ask, "%lld", (long long)p.limit);
    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (now && (st = now_cursor(w, after, fault)) != ST_OK) ||
        (strcmp(after, "0.0") != 0 && (st = check_floor(w, r, after, a, fault)) != ST_OK))
        return st;
    const char *params[] = {after, p.ask};

    st = pg_run(
        w->pg,
        "SELECT json_strip_nulls(json_build_object('cursor', change_cursor(c),"
        " 'at', rfc3339(c.at), 'vin', c.vin, 'kind', c.kind, 'id', c.ref, 'data', c.data,"
        " 'object', change_object(c))), change_cursor(c) FROM change_after($1, $2::integer) c"
        " ORDER BY c.xid, c.id",
        2, params, &rows, fault);
    if (st != ST_OK)
        return st;
    render(a, rows, after);
    PQclear(rows);
    return pg_commit(w->pg, fault);
}
