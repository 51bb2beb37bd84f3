/* services/api/events.c - facts about one vehicle: its events, and its trouble codes. */
#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "handlers.h"
#include "page.h"
#include "render.h"
#include "tenant.h"

#define MONTH_MS (INT64_C(31) * 24 * 3600 * 1000)

#define EVENT_CURSOR PAGE_TIME_CURSOR("e.occurred_at", "e.id")
#define EVENT_AFTER PAGE_TIME_AFTER("e.occurred_at", "e.id", "4", "5")

/* $8: may places be seen? */
static const char events_sql[] =
    "SELECT json_strip_nulls(json_build_object('id', e.id, 'vin', e.vin, 'type', e.type,"
    " 'severity', e.severity, 'subject', nullif(e.subject, ''), 'source', e.source,"
    " 'occurred_at', rfc3339(e.occurred_at), 'detected_at', rfc3339(e.detected_at),"
    " 'lat', CASE WHEN $8::boolean THEN e.lat END, 'lon', CASE WHEN $8::boolean THEN e.lon END,"
    " 'data', e.data)), " EVENT_CURSOR " FROM event e WHERE e.vin = $1 AND NOT e.withdrawn"
    " AND e.occurred_at >= to_timestamp($2::bigint / 1000.0)"
    " AND e.occurred_at < to_timestamp($3::bigint / 1000.0) AND " EVENT_AFTER
    " AND ($7 = '' OR e.type = ANY (string_to_array($7, ',')))"
    " ORDER BY e.occurred_at DESC, e.id DESC LIMIT $6::bigint";

/* A type is one lower_snake word; several may be asked for. */
static bool are_types(const char *list)
{
    return strlen(list) <= 400 &&
           strspn(list, "abcdefghijklmnopqrstuvwxyz0123456789_,") == strlen(list);
}

/* Who may not see where a car was gets events without their places; whoever gets them is written
 * down. */
static enum status note(struct worker *w, const struct request *r, bool places,
                        const struct page_span *s, struct fault *fault)
{
    char detail[128];

    if (!places)
        return ST_OK;
    snprintf(detail, sizeof detail, "{\"from\":%s,\"to\":%s}", s->from, s->to);
    return audit_request(w, r, "events.read", detail, fault);
}

enum status event_list(struct worker *w, const struct request *r, struct answer *a,
                       struct fault *fault)
{
    bool places = access_allows(r->claims.role, ACTION_TRACK_READ);
    const char *types = request_arg(r, "type");
    PGresult *rows = NULL;
    struct page_time t;
    struct page_span s;
    struct page p;
    enum status st;

    if (page_read(r, &p, a) != ST_OK || page_by_time(r, &p, &t, a) != ST_OK ||
        page_span(r, MONTH_MS, &s, a) != ST_OK)
        return ST_NONE;
    if (types && !are_types(types)) {
        answer_field(a, r, 422, "type", "unknown");
        return ST_NONE;
    }
    const char *params[] = {
        r->vin, s.from, s.to, t.us, t.id, p.ask, types ? types : "", places ? "t" : "f"};

    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = tenant_owns(w, r, a, fault)) != ST_OK ||
        (st = note(w, r, places, &s, fault)) != ST_OK ||
        (st = pg_run(w->pg, events_sql, 8, params, &rows, fault)) != ST_OK)
        return st;
    page_answer(a, rows, &p);
    PQclear(rows);
    return pg_commit(w->pg, fault);
}

/* What the newest report said besides codes; NULL: there is none yet. */
static enum status add_report(struct worker *w, const struct request *r, struct answer *a,
                              struct fault *fault)
{
    const char *params[] = {r->vin};
    PGresult *rows = NULL;
    enum status st;

    st = pg_run(w->pg,
                "SELECT json_strip_nulls(json_build_object('t', rfc3339(f.occurred_at),"
                " 'vin', f.body -> 'vin', 'protocol', f.body -> 'protocol', 'mil', f.body -> 'mil',"
                " 'readiness', f.body -> 'readiness', 'lists', f.body -> 'lists',"
                " 'freeze_frame', f.body -> 'freeze_frame', 'supported', f.body -> 'supported',"
                " 'km_since_clear', s.cleared_km))"
                " FROM fact f LEFT JOIN dtc_status s ON s.vin = f.vin WHERE f.vin = $1"
                " AND f.kind = 'diagnostics' ORDER BY f.occurred_at DESC LIMIT 1",
                1, params, &rows, fault);
    if (st != ST_OK)
        return st;
    if (PQntuples(rows) == 1) {
        a->body.len--; /* the list's own brace */
        render_key(&a->body, "report");
        text_print(&a->body, "%s}", PQgetvalue(rows, 0, 0));
    }
    PQclear(rows);
    return ST_OK;
}

enum status diagnostics_read(struct worker *w, const struct request *r, struct answer *a,
                             struct fault *fault)
{
    static const char *const flags[] = {"0", "1", NULL};
    const char *there;
    PGresult *rows = NULL;
    struct page_span s = {.from = "0", .to = "253402300799000"};
    struct page p;
    enum status st;

    if (page_read(r, &p, a) != ST_OK || page_words(r, "there", flags, &there, a) != ST_OK ||
        ((request_arg(r, "from") || request_arg(r, "to")) &&
         page_span(r, MONTH_MS, &s, a) != ST_OK))
        return ST_NONE;
    const char *params[] = {r->vin, s.from, s.to, p.cursor, p.ask, there};

    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = tenant_owns(w, r, a, fault)) != ST_OK ||
        (st = pg_run(
             w->pg,
             "SELECT json_strip_nulls(json_build_object('code', c.code, 'ecu', c.ecu,"
             " 'state', c.list, 'there', c.there, 'first_at', rfc3339(c.first_at),"
             " 'last_at', rfc3339(c.last_at), 'gone_at', rfc3339(c.gone_at), 'count', c.count)),"
             " concat_ws('|', c.code, c.ecu, c.list) FROM dtc c WHERE c.vin = $1"
             " AND c.last_at >= to_timestamp($2::bigint / 1000.0)"
             " AND c.last_at < to_timestamp($3::bigint / 1000.0)"
             " AND concat_ws('|', c.code, c.ecu, c.list) > $4"
             " AND ($6 = '' OR c.there = ($6 = '1'))"
             " ORDER BY concat_ws('|', c.code, c.ecu, c.list) LIMIT $5::bigint",
             6, params, &rows, fault)) != ST_OK)
        return st;
    page_answer(a, rows, &p);
    PQclear(rows);
    if ((st = add_report(w, r, a, fault)) != ST_OK)
        return st;
    return pg_commit(w->pg, fault);
}
