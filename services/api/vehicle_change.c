/* services/api/vehicle_change.c - creating, changing and retiring vehicles. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "config.h"
#include "handlers.h"
#include "idempotency.h"
#include "resource.h"
#include "rules.h"
#include "tenant.h"
#include "vehicle_row.h"

static const char *const classes[] = {"car", "van", "heavy", NULL};
static const char *const fuels[] = {"",    "petrol", "diesel",  "electric", "hybrid",
                                    "lpg", "cng",    "ethanol", NULL};
static const char *const ends[] = {"agent", "ingest", NULL};
static const struct field vehicle_fields[] = {
    {"name", FIELD_TEXT, 0, 0, 200, NULL, NULL},
    {"plate", FIELD_TEXT, 0, 0, 32, NULL, NULL},
    {"make", FIELD_TEXT, 0, 0, 80, NULL, NULL},
    {"model", FIELD_TEXT, 0, 0, 80, NULL, NULL},
    {"class", FIELD_WORD, 0, 0, 0, classes, NULL},
    {"fuel", FIELD_WORD, 0, 0, 0, fuels, NULL},
    {"group_name", FIELD_TEXT, 0, 0, 63, NULL, NULL},
    {"displacement_l", FIELD_NUMBER, FIELD_NULLABLE, 0.1, 30, NULL, NULL},
    {"tank_l", FIELD_NUMBER, FIELD_NULLABLE, 1, 5000, NULL, NULL},
    {"redline_rpm", FIELD_NUMBER, FIELD_NULLABLE, 1000, 20000, NULL, NULL},
    {"nominal_v", FIELD_INTEGER, FIELD_NULLABLE, 12, 24, NULL, NULL},
    {"speed_limit_kmh", FIELD_NUMBER, FIELD_NULLABLE, 5, 300, NULL, NULL},
    {"co2_kg_l", FIELD_NUMBER, FIELD_NULLABLE, 0, 10, NULL, NULL},
    {"timezone", FIELD_ZONE, FIELD_NULLABLE, 0, 0, NULL, NULL},
    {"muted_until", FIELD_TIME, FIELD_NULLABLE, 0, 0, NULL, NULL},
    {"detects", FIELD_WORD, 0, 0, 0, ends, NULL},
    {"privacy", FIELD_PRIVACY, FIELD_NULLABLE, 0, 0, NULL, NULL},
    {"record_ms", FIELD_INTEGER, FIELD_NULLABLE, 250, 30000, NULL, NULL},
    {0},
};

/* ST_NONE: the answer is set. */
static enum status read_change(const struct request *r, bool making, json_t **body,
                               struct answer *a)
{
    json_int_t volts;

    if (fields_read(r, vehicle_fields, making, body, a) != ST_OK)
        return ST_NONE;
    volts = json_integer_value(json_object_get(*body, "nominal_v"));
    if (!volts || volts == 12 || volts == 24)
        return ST_OK;
    json_decref(*body);
    answer_field(a, r, 422, "/nominal_v", "range");
    return ST_NONE;
}

/* In another group it may have other rules and geofences. */
static enum status settles(struct worker *w, const struct request *r, const json_t *body,
                           struct answer *a, struct fault *fault)
{
    return json_object_get(body, "group_name") ? rules_follow(w, r, r->vin, a, fault) : ST_OK;
}

/* The vehicle as it is now, with its tag; then what every change ends with. */
static enum status finish(struct worker *w, const struct request *r, int code, const char *action,
                          struct answer *a, struct fault *fault)
{
    const char *params[] = {r->vin};
    PGresult *rows = NULL;
    enum status st;

    st = pg_run(w->pg, "SELECT" VEHICLE_COLUMNS "FROM" VEHICLE_TABLES "WHERE v.vin = $1", 1, params,
                &rows, fault);
    if (st != ST_OK)
        return st;
    if (code != 204) {
        answer_header(a, "etag:", "\"v%ld\"", vehicle_row_version(rows, 0));
        vehicle_row_render(&a->body, rows, 0, true);
        answer_json(a, code);
    } else {
        answer_empty(a);
    }
    PQclear(rows);
    if ((st = audit_request(w, r, action, NULL, fault)) != ST_OK ||
        (st = config_renew(w->pg, w->shared->set, r->vin, fault)) != ST_OK ||
        (st = pg_run(w->pg, "SELECT pg_notify('fleet', $1)", 1, params, NULL, fault)) != ST_OK ||
        (st = idempotency_end(w, r, a, fault)) != ST_OK)
        return st;
    return pg_commit(w->pg, fault);
}

static void exists(struct answer *a, const struct request *r)
{
    /* the same words whether the vehicle is ours or another customer's */
    answer_problem(a, r, 412, "exists", "A vehicle with this VIN cannot be created.");
}

static enum status insert(struct worker *w, const struct request *r, const json_t *body,
                          struct answer *a, struct fault *fault)
{
    char *row = json_dumps(body, JSON_COMPACT);
    const char *params[] = {r->vin, r->claims.tenant, row};
    PGresult *rows = NULL;
    struct text sql;
    enum status st;
    int made;

    text_init(&sql);
    text_print(&sql, "INSERT INTO vehicle (vin, customer_id");
    fields_print(&sql, vehicle_fields, body, ", ", NULL, NULL);
    text_print(&sql, ") SELECT $1, $2::uuid");
    fields_print(&sql, vehicle_fields, body, ", p.", NULL, NULL);
    text_print(&sql, " FROM jsonb_populate_record(NULL::vehicle, $3::jsonb) p"
                     " ON CONFLICT DO NOTHING RETURNING 1");
    st = pg_run(w->pg, sql.bytes, 3, params, &rows, fault);
    text_done(&sql);
    free(row);
    if (st != ST_OK)
        return st;
    made = PQntuples(rows);
    PQclear(rows);
    if (made)
        return finish(w, r, 201, "vehicle.create", a, fault);
    pg_rollback(w->pg);
    exists(a, r);
    return ST_OK;
}

enum status vehicle_create(struct worker *w, const struct request *r, struct answer *a,
                           struct fault *fault)
{
    json_t *body = NULL;
    enum status st;

    if (strcmp(r->if_none_match, "*") != 0) {
        answer_problem(a, r, 428, "precondition-required",
                       "Creating needs If-None-Match: *; to change a vehicle use PATCH.");
        return ST_NONE;
    }
    if (read_change(r, true, &body, a) != ST_OK)
        return ST_NONE;
    if ((st = tenant_begin(w, r, a, fault)) == ST_OK &&
        (st = idempotency_begin(w, r, a, fault)) == ST_OK &&
        (st = resource_refers(w, r, vehicle_fields, body, a, fault)) == ST_OK)
        st = insert(w, r, body, a, fault);
    json_decref(body);
    return st;
}

/* Lock the row and compare its version.  ST_NONE: 400, 404, 412 or 428 is set. */
static enum status lock_version(struct worker *w, const struct request *r, struct answer *a,
                                struct fault *fault)
{
    const char *params[] = {r->vin};
    PGresult *rows = NULL;
    enum status st;

    st = pg_run(w->pg, "SELECT version FROM vehicle WHERE vin = $1 FOR UPDATE", 1, params, &rows,
                fault);
    if (st != ST_OK)
        return st;
    st = tenant_matches(w, r, PQntuples(rows) == 1 ? PQgetvalue(rows, 0, 0) : NULL, a);
    PQclear(rows);
    return st;
}

static enum status update(struct worker *w, const struct request *r, const json_t *body,
                          struct fault *fault)
{
    char *row = json_dumps(body, JSON_COMPACT);
    const char *params[] = {r->vin, row};
    struct text sql;
    enum status st;

    text_init(&sql);
    text_print(&sql, "UPDATE vehicle t SET version = t.version + 1");
    fields_print(&sql, vehicle_fields, body, ", ", " = p.", "");
    text_print(&sql, " FROM jsonb_populate_record(NULL::vehicle, $2::jsonb) p WHERE t.vin = $1");
    st = pg_run(w->pg, sql.bytes, 2, params, NULL, fault);
    text_done(&sql);
    free(row);
    return st;
}

enum status vehicle_change(struct worker *w, const struct request *r, struct answer *a,
                           struct fault *fault)
{
    json_t *body = NULL;
    enum status st;

    if (read_change(r, false, &body, a) != ST_OK)
        return ST_NONE;
    if ((st = tenant_begin(w, r, a, fault)) == ST_OK &&
        (st = idempotency_begin(w, r, a, fault)) == ST_OK &&
        (st = lock_version(w, r, a, fault)) == ST_OK &&
        (st = resource_refers(w, r, vehicle_fields, body, a, fault)) == ST_OK &&
        (st = update(w, r, body, fault)) == ST_OK && (st = settles(w, r, body, a, fault)) == ST_OK)
        st = finish(w, r, 200, "vehicle.change", a, fault);
    json_decref(body);
    return st;
}

enum status vehicle_retire(struct worker *w, const struct request *r, struct answer *a,
                           struct fault *fault)
{
    const char *params[] = {r->vin};
    enum status st;

    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = idempotency_begin(w, r, a, fault)) != ST_OK ||
        (st = lock_version(w, r, a, fault)) != ST_OK ||
        (st = pg_run(w->pg,
                     "UPDATE vehicle SET status = 'retired', version = version + 1 WHERE vin = $1",
                     1, params, NULL, fault)) != ST_OK)
        return st;
    return finish(w, r, 204, "vehicle.retire", a, fault);
}
