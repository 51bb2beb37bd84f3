/* services/api/upkeep.c - services of a maintenance plan, and meters somebody read.  A service
 * entered moves the plan's last service on; ingest makes the forecast and ends the alert. */
#include <stdio.h>
#include <stdlib.h>

#include "audit.h"
#include "handlers.h"
#include "idempotency.h"
#include "lib/clock.h"
#include "resource.h"

#define AHEAD_MS 600000

#define SERVICE_JSON                                                                               \
    "json_strip_nulls(json_build_object('id', s.id, 'maintenance_id', s.maintenance_id,"           \
    " 'done_at', rfc3339(s.done_at), 'km', s.km, 'hours', s.hours, 'cost', s.cost,"                \
    " 'currency', s.currency, 'note', s.note, 'entered_by', s.entered_by,"                         \
    " 'entered_at', rfc3339(s.entered_at)))"

#define SERVICE_CURSOR PAGE_TIME_CURSOR("s.done_at", "s.id")
#define SERVICE_AFTER PAGE_TIME_AFTER("s.done_at", "s.id", "2", "3")

static const char services_sql[] =
    "SELECT " SERVICE_JSON ", " SERVICE_CURSOR " FROM service_entry s"
    " WHERE s.maintenance_id = $1::uuid AND " SERVICE_AFTER
    " ORDER BY s.done_at DESC, s.id DESC LIMIT $4::bigint";

static const struct field service_fields[] = {
    {"done_at", FIELD_TIME, FIELD_NEEDED, 0, 0, NULL, NULL},
    {"km", FIELD_NUMBER, 0, 0, 1e7, NULL, NULL},
    {"hours", FIELD_NUMBER, 0, 0, 1e6, NULL, NULL},
    {"cost", FIELD_NUMBER, FIELD_CENTS, 0, 1e9, NULL, NULL},
    {"currency", FIELD_TEXT, FIELD_FILLED, 0, 3, NULL, NULL},
    {"note", FIELD_TEXT, 0, 0, 2000, NULL, NULL},
    {0},
};

static const struct field meter_fields[] = {
    {"at", FIELD_TIME, 0, 0, 0, NULL, NULL},
    {"odometer_m", FIELD_NUMBER, 0, 0, 1e10, NULL, NULL},
    {"engine_h", FIELD_NUMBER, 0, 0, 1e6, NULL, NULL},
    {0},
};

static enum status plan_is_ours(struct worker *w, const struct request *r, struct answer *a,
                                struct fault *fault)
{
    const char *params[] = {r->object};
    enum status st;

    st = pg_finds(w->pg, "SELECT 1 FROM maintenance WHERE id = $1::uuid FOR NO KEY UPDATE", 1,
                  params, fault);
    if (st != ST_NONE)
        return st;
    pg_rollback(w->pg);
    answer_problem(a, r, 404, "not-found", "There is no such thing here.");
    return ST_NONE;
}

enum status service_list(struct worker *w, const struct request *r, struct answer *a,
                         struct fault *fault)
{
    PGresult *rows = NULL;
    struct page_time t;
    struct page p;
    enum status st;

    if (page_read(r, &p, a) != ST_OK || page_by_time(r, &p, &t, a) != ST_OK)
        return ST_NONE;
    const char *params[] = {r->object, t.us, t.id, p.ask};

    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = plan_is_ours(w, r, a, fault)) != ST_OK ||
        (st = pg_run(w->pg, services_sql, 4, params, &rows, fault)) != ST_OK)
        return st;
    page_answer(a, rows, &p);
    PQclear(rows);
    return pg_commit(w->pg, fault);
}

/* The service, and the plan from there on: only if it is the newest. */
static enum status insert_service(struct worker *w, const struct request *r, const char *id,
                                  const char *row, struct fault *fault)
{
    const char *params[] = {id, r->claims.tenant, r->object, row, r->claims.user};
    const char *plan[] = {id, r->object};
    enum status st;

    st =
        pg_run(w->pg,
               "INSERT INTO service_entry (id, customer_id, maintenance_id, entered_by, done_at,"
               " km, hours, cost, currency, note) SELECT $1::uuid, $2::uuid, $3::uuid, $5::uuid,"
               " p.done_at, p.km, p.hours, p.cost, coalesce(p.currency, 'EUR'),"
               " coalesce(p.note, '') FROM jsonb_populate_record(NULL::service_entry, $4::jsonb) p",
               5, params, NULL, fault);
    if (st != ST_OK)
        return st;
    return pg_run(w->pg,
                  "UPDATE maintenance m SET last_at = s.done_at, last_km = coalesce(s.km,"
                  " m.last_km), last_h = coalesce(s.hours, m.last_h), version = m.version + 1"
                  " FROM service_entry s WHERE s.id = $1::uuid AND m.id = $2::uuid"
                  " AND (m.last_at IS NULL OR m.last_at <= s.done_at)",
                  2, plan, NULL, fault);
}

static enum status answer_service(struct worker *w, const char *id, struct answer *a,
                                  struct fault *fault)
{
    const char *params[] = {id};
    PGresult *rows = NULL;
    enum status st;

    st = pg_run(w->pg, "SELECT " SERVICE_JSON " FROM service_entry s WHERE s.id = $1::uuid", 1,
                params, &rows, fault);
    if (st != ST_OK)
        return st;
    text_print(&a->body, "%s", PQgetvalue(rows, 0, 0));
    PQclear(rows);
    answer_json(a, 201);
    return ST_OK;
}

static bool service_fits(const struct request *r, const json_t *body, struct answer *a)
{
    const char *currency = json_string_value(json_object_get(body, "currency"));

    if (!currency || is_currency(currency))
        return true;
    answer_field(a, r, 422, "/currency", "unknown");
    return false;
}

enum status service_create(struct worker *w, const struct request *r, struct answer *a,
                           struct fault *fault)
{
    char id[UUID_TEXT + 1], detail[64], *row;
    unsigned char random[10];
    json_t *body = NULL;
    enum status st;

    if (fields_read(r, service_fields, true, &body, a) != ST_OK)
        return ST_NONE;
    if (!service_fits(r, body, a)) {
        json_decref(body);
        return ST_NONE;
    }
    row = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    text_random(random, sizeof random);
    uuid_v7(id, clock_now_ms(), random);
    snprintf(detail, sizeof detail, "{\"id\":\"%s\"}", id);
    if ((st = tenant_begin(w, r, a, fault)) == ST_OK &&
        (st = idempotency_begin(w, r, a, fault)) == ST_OK &&
        (st = plan_is_ours(w, r, a, fault)) == ST_OK &&
        (st = insert_service(w, r, id, row, fault)) == ST_OK &&
        (st = audit_request(w, r, "service.create", detail, fault)) == ST_OK &&
        (st = answer_service(w, id, a, fault)) == ST_OK &&
        (st = idempotency_end(w, r, a, fault)) == ST_OK)
        st = pg_commit(w->pg, fault);
    free(row);
    return st;
}

/* ---- meters */
static enum status answer_meter(struct worker *w, const struct request *r, int code,
                                struct answer *a, struct fault *fault)
{
    const char *params[] = {r->vin};
    PGresult *rows = NULL;
    enum status st;

    st = pg_run(w->pg,
                "SELECT json_strip_nulls(json_build_object('vin', v.vin, 'at', rfc3339(m.at),"
                " 'odometer_km', m.odometer_m / 1000, 'source', nullif(m.source, ''),"
                " 'engine_h', m.engine_h, 'idle_h', m.idle_h, 'waiting', (SELECT count(*)"
                " FROM meter_entry e WHERE e.vin = v.vin AND e.taken_at IS NULL)))"
                " FROM vehicle v LEFT JOIN vehicle_meter m ON m.vin = v.vin WHERE v.vin = $1",
                1, params, &rows, fault);
    if (st != ST_OK)
        return st;
    text_print(&a->body, "%s", PQgetvalue(rows, 0, 0));
    PQclear(rows);
    answer_json(a, code);
    return ST_OK;
}

enum status meter_read(struct worker *w, const struct request *r, struct answer *a,
                       struct fault *fault)
{
    enum status st;

    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = tenant_owns(w, r, a, fault)) != ST_OK ||
        (st = answer_meter(w, r, 200, a, fault)) != ST_OK)
        return st;
    return pg_commit(w->pg, fault);
}

static enum status insert_meter(struct worker *w, const struct request *r, const char *row,
                                struct fault *fault)
{
    char id[UUID_TEXT + 1];
    const char *params[] = {id, r->claims.tenant, r->vin, row, r->claims.user};
    unsigned char random[10];

    text_random(random, sizeof random);
    uuid_v7(id, clock_now_ms(), random);
    return pg_run(w->pg,
                  "INSERT INTO meter_entry (id, customer_id, vin, entered_by, at, odometer_m,"
                  " engine_h) SELECT $1::uuid, $2::uuid, $3, $5::uuid, coalesce(p.at, now()),"
                  " p.odometer_m, p.engine_h FROM jsonb_populate_record(NULL::meter_entry,"
                  " $4::jsonb) p",
                  5, params, NULL, fault);
}

/* Nobody has read tomorrow's; a clock may be minutes wrong. */
static bool meter_fits(const struct request *r, const json_t *body, struct answer *a)
{
    const char *at = json_string_value(json_object_get(body, "at"));
    struct fault why;
    int64_t at_ms;

    if (!json_object_get(body, "odometer_m") && !json_object_get(body, "engine_h"))
        answer_field(a, r, 422, "/odometer_m", "missing");
    else if (at && clock_read(at, &at_ms, &why) == ST_OK && at_ms > clock_now_ms() + AHEAD_MS)
        answer_field(a, r, 422, "/at", "range");
    else
        return true;
    return false;
}

enum status meter_enter(struct worker *w, const struct request *r, struct answer *a,
                        struct fault *fault)
{
    json_t *body = NULL;
    enum status st;
    char *row;

    if (fields_read(r, meter_fields, true, &body, a) != ST_OK)
        return ST_NONE;
    if (!meter_fits(r, body, a)) {
        json_decref(body);
        return ST_NONE;
    }
    row = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    if ((st = tenant_begin(w, r, a, fault)) == ST_OK &&
        (st = idempotency_begin(w, r, a, fault)) == ST_OK &&
        (st = tenant_owns(w, r, a, fault)) == ST_OK &&
        (st = insert_meter(w, r, row, fault)) == ST_OK &&
        (st = audit_request(w, r, "meter.enter", row, fault)) == ST_OK &&
        (st = answer_meter(w, r, 201, a, fault)) == ST_OK &&
        (st = idempotency_end(w, r, a, fault)) == ST_OK)
        st = pg_commit(w->pg, fault);
    free(row);
    return st;
}
