/* services/api/alerts.c - cases: read, and what people do with them.  How a case lives is said in
 * proto/sql (alert_acknowledge, alert_clear); doing it twice changes nothing the second time. */
#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "body.h"
#include "handlers.h"
#include "idempotency.h"
#include "lib/clock.h"
#include "naming.h"
#include "page.h"
#include "tenant.h"

#define COMMENT_MOST 2000

/* $1 of each statement: may places be seen? */
#define ALERT_JSON                                                                                 \
    "json_build_object('id', l.id, 'vin', l.vin, 'vehicle', v.name, 'plate', v.plate,"             \
    " 'type', l.type, 'subject', nullif(l.subject, ''), 'severity', l.severity,"                   \
    " 'state', l.state, 'ending', l.ending, 'reason', nullif(l.reason, ''), 'count', l.count,"     \
    " 'occurred_at', rfc3339(l.occurred_at), 'detected_at', rfc3339(l.detected_at),"               \
    " 'last_at', rfc3339(l.last_at), 'ended_at', rfc3339(l.ended_at),"                             \
    " 'cleared_at', rfc3339(l.cleared_at), 'cleared_by', l.cleared_by,"                            \
    " 'acknowledged_at', rfc3339(l.acknowledged_at), 'acknowledged_by', l.acknowledged_by,"        \
    " 'assigned_to', l.assigned_to, 'assigned_name', coalesce(nullif(u.name, ''), u.username),"    \
    " 'lat', CASE WHEN $1::boolean THEN l.lat END, 'lon', CASE WHEN $1::boolean THEN l.lon END,"   \
    " 'data', l.data, 'version', l.version"
#define ALERT_TABLES                                                                               \
    " FROM alert l JOIN vehicle v ON v.vin = l.vin LEFT JOIN app_user u ON u.id = l.assigned_to "

#define ALERT_CURSOR PAGE_TIME_CURSOR("l.occurred_at", "l.id")
#define ALERT_AFTER PAGE_TIME_AFTER("l.occurred_at", "l.id", "2", "3")

static const char list_sql[] =
    "SELECT json_strip_nulls(" ALERT_JSON ")), " ALERT_CURSOR ALERT_TABLES "WHERE " ALERT_AFTER
    " AND ($5 = '' OR l.state = ANY (string_to_array($5, ',')))"
    " AND ($6 = '' OR l.severity = ANY (string_to_array($6, ',')))"
    " AND ($7 = '' OR l.type = ANY (string_to_array($7, ',')))"
    " AND ($8 = '' OR l.vin = $8)"
    " AND l.occurred_at >= to_timestamp($9::bigint / 1000.0)"
    " AND l.occurred_at < to_timestamp($10::bigint / 1000.0)"
    " ORDER BY l.occurred_at DESC, l.id DESC LIMIT $4::bigint";

static const char *sees(const struct request *r)
{
    return access_allows(r->claims.role, ACTION_TRACK_READ) ? "t" : "f";
}

/* ---- reading */
struct filter {
    const char *state, *severity, *type, *vin;
    struct page_span span;
};

static enum status read_filter(const struct request *r, struct filter *f, struct answer *a)
{
    static const char *const states[] = {"open", "acknowledged", "cleared", NULL};
    static const char *const severities[] = {"critical", "major", "minor", "warning", "info", NULL};

    f->span = (struct page_span){.from = "0", .to = "253402300799000"};
    f->type = request_arg(r, "type");
    f->vin = request_arg(r, "vin");
    if (page_words(r, "state", states, &f->state, a) != ST_OK ||
        page_words(r, "severity", severities, &f->severity, a) != ST_OK ||
        ((request_arg(r, "from") || request_arg(r, "to")) &&
         page_span(r, INT64_C(31) * 24 * 3600 * 1000, &f->span, a) != ST_OK))
        return ST_NONE;
    f->type = f->type ? f->type : "";
    f->vin = f->vin ? f->vin : "";
    if (strlen(f->type) > 400 || strspn(f->type, "abcdefghijklmnopqrstuvwxyz_,") != strlen(f->type))
        answer_field(a, r, 422, "type", "unknown");
    else if (*f->vin && !vin_is_valid(f->vin, strlen(f->vin)))
        answer_field(a, r, 422, "vin", "vin");
    else
        return ST_OK;
    return ST_NONE;
}

enum status alert_list(struct worker *w, const struct request *r, struct answer *a,
                       struct fault *fault)
{
    PGresult *rows = NULL;
    struct page_time t;
    struct filter f;
    struct page p;
    enum status st;

    if (page_read(r, &p, a) != ST_OK || page_by_time(r, &p, &t, a) != ST_OK ||
        read_filter(r, &f, a) != ST_OK)
        return ST_NONE;
    const char *params[] = {sees(r),    t.us,   t.id,  p.ask,       f.state,
                            f.severity, f.type, f.vin, f.span.from, f.span.to};

    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = pg_run(w->pg, list_sql, 10, params, &rows, fault)) != ST_OK)
        return st;
    page_answer(a, rows, &p);
    PQclear(rows);
    return pg_commit(w->pg, fault);
}

/* The case as it is now, with its comments.  ST_NONE: there is none, 404 is set. */
static enum status answer_one(struct worker *w, const struct request *r, int code, struct answer *a,
                              struct fault *fault)
{
    const char *params[] = {sees(r), r->object};
    PGresult *rows = NULL;
    enum status st;

    st = pg_run(w->pg,
                "SELECT json_strip_nulls(" ALERT_JSON
                ", 'comments', (SELECT coalesce(json_agg(json_build_object('id', c.id,"
                " 'user_id', c.user_id, 'user', coalesce(nullif(n.name, ''), n.username), 'at', "
                "rfc3339(c.at), 'text', c.text)"
                " ORDER BY c.at, c.id), '[]') FROM alert_comment c LEFT JOIN app_user n"
                " ON n.id = c.user_id WHERE c.alert_id = l.id))), l.version" ALERT_TABLES
                "WHERE l.id = $2::uuid",
                2, params, &rows, fault);
    if (st != ST_OK)
        return st;
    st = page_answer_one(a, r, rows, code, "There is no such alert.");
    PQclear(rows);
    return st;
}

enum status alert_read(struct worker *w, const struct request *r, struct answer *a,
                       struct fault *fault)
{
    enum status st;

    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = answer_one(w, r, 200, a, fault)) != ST_OK)
        return st;
    return pg_commit(w->pg, fault);
}

/* ---- handling */
struct handling {
    char comment[4 * COMMENT_MOST + 1];
    char user[UUID_TEXT + 1]; /* of an assignment; "": nobody */
};

static enum status check_comment(const struct request *r, const char *key, const struct handling *h,
                                 bool needed, struct answer *a)
{
    size_t n = 0;

    for (const char *at = h->comment; *at; at++)
        n += ((unsigned char)*at & 0xc0) != 0x80;
    if (n <= COMMENT_MOST && (n ? !naming_is_blank(h->comment) : !needed))
        return ST_OK;
    body_fault(r, key, n && n <= COMMENT_MOST ? "blank" : "length", a);
    return ST_NONE;
}

static enum status read_user(const struct request *r, const json_t *body, struct handling *h,
                             struct answer *a)
{
    if (json_is_null(json_object_get(body, "user_id")))
        return ST_OK;
    if (body_text(r, body, "user_id", true, h->user, sizeof h->user, a) != ST_OK)
        return ST_NONE;
    if (uuid_is_valid(h->user, strlen(h->user)))
        return ST_OK;
    body_fault(r, "user_id", "id", a);
    return ST_NONE;
}

/* The case must be one of ours; it is locked, so that two changes have an order. */
static enum status begin(struct worker *w, const struct request *r, struct answer *a,
                         struct fault *fault)
{
    const char *params[] = {r->object};
    enum status st;

    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = idempotency_begin(w, r, a, fault)) != ST_OK ||
        (st = pg_finds(w->pg, "SELECT 1 FROM alert WHERE id = $1::uuid FOR NO KEY UPDATE", 1,
                       params, fault)) != ST_NONE)
        return st;
    pg_rollback(w->pg);
    answer_problem(a, r, 404, "not-found", "There is no such alert.");
    return ST_NONE;
}

static enum status add_comment(struct worker *w, const struct request *r, const char *text,
                               struct fault *fault)
{
    unsigned char random[10];
    char id[UUID_TEXT + 1];
    const char *params[] = {id, r->object, r->claims.user, text};

    if (!*text)
        return ST_OK;
    text_random(random, sizeof random);
    uuid_v7(id, clock_now_ms(), random);
    return pg_run(w->pg,
                  "INSERT INTO alert_comment (id, alert_id, user_id, text)"
                  " VALUES ($1::uuid, $2::uuid, $3::uuid, $4)",
                  4, params, NULL, fault);
}

/* Comment, audit, answer. */
static enum status finish(struct worker *w, const struct request *r, const struct handling *h,
                          const char *action, int code, struct answer *a, struct fault *fault)
{
    char detail[64];
    enum status st;

    snprintf(detail, sizeof detail, "{\"alert\":\"%s\"}", r->object);
    if ((st = add_comment(w, r, h->comment, fault)) != ST_OK ||
        (st = audit_request(w, r, action, detail, fault)) != ST_OK ||
        (st = answer_one(w, r, code, a, fault)) != ST_OK ||
        (st = idempotency_end(w, r, a, fault)) != ST_OK)
        return st;
    return pg_commit(w->pg, fault);
}

/* Acknowledge and clear: a function of the schema, and maybe a comment. */
static enum status handle(struct worker *w, const struct request *r, const char *sql,
                          const char *action, struct answer *a, struct fault *fault)
{
    static const char *const allowed[] = {"comment", NULL};
    const char *params[] = {r->object, r->claims.user};
    struct handling h = {.comment = ""};
    json_t *body = NULL;
    enum status st;

    if (body_read(r, allowed, &body, a) != ST_OK)
        return ST_NONE;
    if ((st = body_text(r, body, "comment", false, h.comment, sizeof h.comment, a)) == ST_OK)
        st = check_comment(r, "comment", &h, false, a);
    json_decref(body);
    if (st != ST_OK || (st = begin(w, r, a, fault)) != ST_OK ||
        (st = pg_run(w->pg, sql, 2, params, NULL, fault)) != ST_OK)
        return st;
    return finish(w, r, &h, action, 200, a, fault);
}

enum status alert_acknowledge(struct worker *w, const struct request *r, struct answer *a,
                              struct fault *fault)
{
    return handle(w, r, "SELECT 1 FROM alert_acknowledge($1::uuid, $2::uuid)", "alert.acknowledge",
                  a, fault);
}

enum status alert_clear(struct worker *w, const struct request *r, struct answer *a,
                        struct fault *fault)
{
    return handle(w, r, "SELECT 1 FROM alert_clear($1::uuid, $2::uuid)", "alert.clear", a, fault);
}

enum status alert_comment(struct worker *w, const struct request *r, struct answer *a,
                          struct fault *fault)
{
    static const char *const allowed[] = {"text", NULL};
    struct handling h = {.comment = ""};
    json_t *body = NULL;
    enum status st;

    if (body_read(r, allowed, &body, a) != ST_OK)
        return ST_NONE;
    if ((st = body_text(r, body, "text", true, h.comment, sizeof h.comment, a)) == ST_OK)
        st = check_comment(r, "text", &h, true, a);
    json_decref(body);
    if (st != ST_OK || (st = begin(w, r, a, fault)) != ST_OK)
        return st;
    return finish(w, r, &h, "alert.comment", 201, a, fault);
}

/* To somebody of ours who can sign in; to whom it is assigned already is no change. */
static enum status assign(struct worker *w, const struct request *r, const struct handling *h,
                          struct answer *a, struct fault *fault)
{
    const char *params[] = {r->object, h->user};
    PGresult *rows = NULL;
    enum status st;
    bool known;

    st = pg_run(w->pg,
                "SELECT $1 = '' OR EXISTS (SELECT FROM app_user WHERE id = nullif($1, '')::uuid"
                " AND NOT disabled)",
                1, params + 1, &rows, fault);
    if (st != ST_OK)
        return st;
    known = PQgetvalue(rows, 0, 0)[0] == 't';
    PQclear(rows);
    if (!known) {
        pg_rollback(w->pg);
        body_fault(r, "user_id", "unknown", a);
        return ST_NONE;
    }
    return pg_run(w->pg,
                  "UPDATE alert SET assigned_to = nullif($2, '')::uuid, version = version + 1"
                  " WHERE id = $1::uuid AND assigned_to IS DISTINCT FROM nullif($2, '')::uuid",
                  2, params, NULL, fault);
}

enum status alert_assign(struct worker *w, const struct request *r, struct answer *a,
                         struct fault *fault)
{
    static const char *const allowed[] = {"user_id", "comment", NULL};
    struct handling h = {.comment = ""};
    json_t *body = NULL;
    enum status st;

    if (body_read(r, allowed, &body, a) != ST_OK)
        return ST_NONE;
    if ((st = read_user(r, body, &h, a)) == ST_OK &&
        (st = body_text(r, body, "comment", false, h.comment, sizeof h.comment, a)) == ST_OK)
        st = check_comment(r, "comment", &h, false, a);
    json_decref(body);
    if (st != ST_OK || (st = begin(w, r, a, fault)) != ST_OK ||
        (st = assign(w, r, &h, a, fault)) != ST_OK)
        return st;
    return finish(w, r, &h, "alert.assign", 200, a, fault);
}
