/* services/api/resource.c - list, read, create, change and delete, the same for all of them.  Names
 * in statements come from the compiled descriptions; what a client sends is always a parameter. */
#include "resource.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "handlers.h"
#include "idempotency.h"
#include "lib/clock.h"

/* ---- reading */
enum status resource_list(struct worker *w, const struct request *r, struct answer *a,
                          struct fault *fault)
{
    const struct resource *what = r->route->resource;
    const char *vin = what->by_vin ? request_arg(r, "vin") : NULL;
    PGresult *rows = NULL;
    struct text sql;
    struct page p;
    enum status st;

    if (page_read(r, &p, a) != ST_OK)
        return ST_NONE;
    if (*p.cursor && !uuid_is_valid(p.cursor, strlen(p.cursor))) {
        answer_field(a, r, 422, "cursor", "cursor");
        return ST_NONE;
    }
    if (vin && !vin_is_valid(vin, strlen(vin))) {
        answer_field(a, r, 422, "vin", "vin");
        return ST_NONE;
    }
    const char *params[] = {*p.cursor ? p.cursor : "00000000-0000-0000-0000-000000000000", p.ask,
                            vin};

    text_init(&sql);
    text_print(&sql,
               "SELECT json_strip_nulls(%s), t.id FROM %s t%s WHERE t.id > $1::uuid%s"
               " ORDER BY t.id LIMIT $2::bigint",
               what->json, what->table, what->joins,
               vin ? " AND t.vin = $3" : " AND $3::text IS NULL");
    if ((st = tenant_begin(w, r, a, fault)) == ST_OK &&
        (st = pg_run(w->pg, sql.bytes, 3, params, &rows, fault)) == ST_OK) {
        page_answer(a, rows, &p);
        st = pg_commit(w->pg, fault);
    }
    PQclear(rows);
    text_done(&sql);
    return st;
}

enum status resource_answer(struct worker *w, const struct request *r, const char *id, int code,
                            struct answer *a, struct fault *fault)
{
    const struct resource *what = r->route->resource;
    const char *params[] = {id};
    PGresult *rows = NULL;
    struct text sql;
    enum status st;

    text_init(&sql);
    text_print(&sql, "SELECT json_strip_nulls(%s), t.version FROM %s t%s WHERE t.id = $1::uuid",
               what->json, what->table, what->joins);
    st = pg_run(w->pg, sql.bytes, 1, params, &rows, fault);
    text_done(&sql);
    if (st != ST_OK)
        return st;
    st = page_answer_one(a, r, rows, code, "There is no such thing here.");
    PQclear(rows);
    return st;
}

enum status resource_read(struct worker *w, const struct request *r, struct answer *a,
                          struct fault *fault)
{
    enum status st;

    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = resource_answer(w, r, r->object, 200, a, fault)) != ST_OK)
        return st;
    return pg_commit(w->pg, fault);
}

/* ---- changing */
static enum status one_refers(struct worker *w, const struct request *r, const struct field *f,
                              const char *value, struct answer *a, struct fault *fault)
{
    const char *params[] = {value};
    char sql[128], pointer[64];
    enum status st;

    if (f->kind == FIELD_VIN)
        snprintf(sql, sizeof sql, "SELECT 1 FROM vehicle WHERE vin = $1");
    else if (f->kind == FIELD_ZONE)
        snprintf(sql, sizeof sql, "SELECT 1 FROM pg_timezone_names WHERE name = $1");
    else
        snprintf(sql, sizeof sql, "SELECT 1 FROM %s WHERE id = $1::uuid", f->refers);
    st = pg_finds(w->pg, sql, 1, params, fault);
    if (st != ST_NONE)
        return st;
    pg_rollback(w->pg);
    snprintf(pointer, sizeof pointer, "/%s", f->name);
    answer_field(a, r, 422, pointer, "unknown");
    return ST_NONE;
}

enum status resource_refers(struct worker *w, const struct request *r, const struct field *fields,
                            const json_t *body, struct answer *a, struct fault *fault)
{
    enum status st = ST_OK;

    for (const struct field *f = fields; f->name && st == ST_OK; f++) {
        const char *value = json_string_value(json_object_get(body, f->name));

        if (value && (f->kind == FIELD_VIN || f->kind == FIELD_ID || f->kind == FIELD_ZONE))
            st = one_refers(w, r, f, value, a, fault);
    }
    return st;
}

/* The audit, then the answer that is kept for a repeat. */
static enum status finish(struct worker *w, const struct request *r, const char *id,
                          const char *verb, struct answer *a, struct fault *fault)
{
    char action[64], detail[64];
    enum status st;

    snprintf(action, sizeof action, "%s.%s", r->route->resource->table, verb);
    snprintf(detail, sizeof detail, "{\"id\":\"%s\"}", id);
    if ((st = audit_request(w, r, action, detail, fault)) != ST_OK)
        return st;
    if (!strcmp(verb, "delete"))
        answer_empty(a);
    else if ((st = resource_answer(w, r, id, !strcmp(verb, "create") ? 201 : 200, a, fault)) !=
             ST_OK)
        return st;
    if ((st = idempotency_end(w, r, a, fault)) != ST_OK)
        return st;
    return pg_commit(w->pg, fault);
}

/* What the database refuses in spite of all checks is the client's to mend (a row it points to has
 * just gone). */
static enum status run(struct worker *w, const struct request *r, struct text *sql, size_t n,
                       const char *const *params, struct answer *a, struct fault *fault)
{
    enum status st = sql->failed ? fault_set(fault, ST_RETRY, "out of memory")
                                 : pg_run(w->pg, sql->bytes, n, params, NULL, fault);

    text_done(sql);
    if (st != ST_REJECT)
        return st;
    pg_rollback(w->pg);
    answer_problem(a, r, 422, "conflict", "It does not fit what is there.");
    return ST_NONE;
}

static enum status insert(struct worker *w, const struct request *r, const char *id,
                          const json_t *body, struct answer *a, struct fault *fault)
{
    const struct resource *what = r->route->resource;
    char *row = json_dumps(body, JSON_COMPACT);
    const char *params[] = {id, r->claims.tenant, row};
    struct text sql;
    enum status st;

    text_init(&sql);
    text_print(&sql, "INSERT INTO %s (id, customer_id", what->table);
    fields_print(&sql, what->fields, body, ", ", NULL, NULL);
    text_print(&sql, ") SELECT $1::uuid, $2::uuid");
    fields_print(&sql, what->fields, body, ", p.", NULL, NULL);
    text_print(&sql, " FROM jsonb_populate_record(NULL::%s, $3::jsonb) p", what->table);
    st = run(w, r, &sql, 3, params, a, fault);
    free(row);
    return st;
}

enum status resource_create(struct worker *w, const struct request *r, struct answer *a,
                            struct fault *fault)
{
    const struct resource *what = r->route->resource;
    char id[UUID_TEXT + 1];
    unsigned char random[10];
    json_t *body = NULL;
    enum status st;

    if (fields_read(r, what->fields, true, &body, a) != ST_OK)
        return ST_NONE;
    text_random(random, sizeof random);
    uuid_v7(id, clock_now_ms(), random);
    st = what->fits && !what->fits(r, body, a) ? ST_NONE : ST_OK;
    if (st == ST_OK && (st = tenant_begin(w, r, a, fault)) == ST_OK &&
        (st = idempotency_begin(w, r, a, fault)) == ST_OK &&
        (st = resource_refers(w, r, what->fields, body, a, fault)) == ST_OK &&
        (st = insert(w, r, id, body, a, fault)) == ST_OK &&
        (!what->settles || (st = what->settles(w, r, id, body, a, fault)) == ST_OK))
        st = finish(w, r, id, "create", a, fault);
    json_decref(body);
    return st;
}

/* Lock the row and compare its version; *whole becomes what is there.  ST_NONE: the answer is set.
 */
static enum status lock_row(struct worker *w, const struct request *r, json_t **whole,
                            struct answer *a, struct fault *fault)
{
    const char *params[] = {r->object};
    PGresult *rows = NULL;
    char sql[128];
    enum status st;

    snprintf(sql, sizeof sql,
             "SELECT version, to_jsonb(t) FROM %s t WHERE id = $1::uuid FOR UPDATE",
             r->route->resource->table);
    st = pg_run(w->pg, sql, 1, params, &rows, fault);
    if (st != ST_OK)
        return st;
    st = tenant_matches(w, r, PQntuples(rows) == 1 ? PQgetvalue(rows, 0, 0) : NULL, a);
    if (st == ST_OK && whole && !(*whole = json_stored(PQgetvalue(rows, 0, 1))))
        st = fault_set(fault, ST_RETRY, "out of memory");
    PQclear(rows);
    return st;
}

static enum status update(struct worker *w, const struct request *r, const json_t *body,
                          struct answer *a, struct fault *fault)
{
    const struct resource *what = r->route->resource;
    char *row = json_dumps(body, JSON_COMPACT);
    const char *params[] = {r->object, row};
    struct text sql;
    enum status st;

    text_init(&sql);
    text_print(&sql, "UPDATE %s t SET version = t.version + 1", what->table);
    fields_print(&sql, what->fields, body, ", ", " = p.", "");
    text_print(&sql, " FROM jsonb_populate_record(NULL::%s, $2::jsonb) p WHERE t.id = $1::uuid",
               what->table);
    st = run(w, r, &sql, 2, params, a, fault);
    free(row);
    return st;
}

enum status resource_change(struct worker *w, const struct request *r, struct answer *a,
                            struct fault *fault)
{
    const struct resource *what = r->route->resource;
    json_t *body = NULL, *whole = NULL;
    enum status st;

    if (fields_read(r, what->fields, false, &body, a) != ST_OK)
        return ST_NONE;
    if ((st = tenant_begin(w, r, a, fault)) == ST_OK &&
        (st = idempotency_begin(w, r, a, fault)) == ST_OK &&
        (st = lock_row(w, r, &whole, a, fault)) == ST_OK) {
        json_object_update(whole, body);
        if (what->fits && !what->fits(r, whole, a)) {
            pg_rollback(w->pg);
            st = ST_NONE;
        }
    }
    if (st == ST_OK && (st = resource_refers(w, r, what->fields, body, a, fault)) == ST_OK &&
        (st = update(w, r, body, a, fault)) == ST_OK &&
        (!what->settles || (st = what->settles(w, r, r->object, body, a, fault)) == ST_OK))
        st = finish(w, r, r->object, "change", a, fault);
    json_decref(whole);
    json_decref(body);
    return st;
}

enum status resource_delete(struct worker *w, const struct request *r, struct answer *a,
                            struct fault *fault)
{
    const struct resource *what = r->route->resource;
    const char *params[] = {r->object};
    struct text sql;
    enum status st;

    text_init(&sql);
    text_print(&sql, "DELETE FROM %s WHERE id = $1::uuid", what->table);
    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = idempotency_begin(w, r, a, fault)) != ST_OK ||
        (st = lock_row(w, r, NULL, a, fault)) != ST_OK ||
        (what->leaves && (st = what->leaves(w, r, a, fault)) != ST_OK)) {
        text_done(&sql);
        return st;
    }
    st = run(w, r, &sql, 1, params, a, fault);
    return st == ST_OK ? finish(w, r, r->object, "delete", a, fault) : st;
}
