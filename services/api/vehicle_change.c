/* services/api/vehicle_change.c - creating, changing and retiring vehicles. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "body.h"
#include "config.h"
#include "handlers.h"
#include "idempotency.h"
#include "tenant.h"
#include "vehicle_row.h"

struct change {
    char name[801], plate[129], make[321], class[16], fuel[16]; /* 4 bytes a character at most */
    char detects[16], record_ms[24];                            /* "" not named; "0": none */
    bool has_name, has_plate, has_make, has_class, has_fuel;
};

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (!strcmp(word, *words))
            return true;
    return false;
}

static size_t characters(const char *utf8)
{
    size_t n = 0;

    for (; *utf8; utf8++)
        n += ((unsigned char)*utf8 & 0xc0) != 0x80;
    return n;
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

/* What the schema would refuse is refused here, field by field. */
static bool is_acceptable(const struct request *r, const struct change *c, struct answer *a)
{
    static const char *const classes[] = {"car", "van", "heavy", NULL};
    static const char *const fuels[] = {"",    "petrol", "diesel",  "electric", "hybrid",
                                        "lpg", "cng",    "ethanol", NULL};
    static const char *const ends[] = {"agent", "ingest", NULL};

    if (characters(c->name) > 200 || has_control(c->name))
        answer_field(a, r, 422, "/name", "length");
    else if (characters(c->plate) > 32 || has_control(c->plate))
        answer_field(a, r, 422, "/plate", "length");
    else if (characters(c->make) > 80 || has_control(c->make))
        answer_field(a, r, 422, "/make", "length");
    else if (c->has_class && !is_one_of(c->class, classes))
        answer_field(a, r, 422, "/class", "unknown");
    else if (c->has_fuel && !is_one_of(c->fuel, fuels))
        answer_field(a, r, 422, "/fuel", "unknown");
    else if (c->detects[0] && !is_one_of(c->detects, ends))
        answer_field(a, r, 422, "/detects", "unknown");
    else
        return true;
    return false;
}

/* What goes into the vehicle's configuration.  A rate of null: the agent chooses. */
static enum status read_config(const struct request *r, const json_t *body, struct change *c,
                               struct answer *a)
{
    int64_t record_ms = 0;

    if (json_object_get(body, "detects") && !c->detects[0]) {
        body_fault(r, "detects", "unknown", a);
        return ST_NONE;
    }
    if (!json_object_get(body, "record_ms"))
        return ST_OK;
    if (!json_is_null(json_object_get(body, "record_ms")) &&
        body_integer(r, body, "record_ms", true, 250, 30000, &record_ms, a) != ST_OK)
        return ST_NONE;
    snprintf(c->record_ms, sizeof c->record_ms, "%lld", (long long)record_ms);
    return ST_OK;
}

static enum status read_change(const struct request *r, struct change *c, struct answer *a)
{
    static const char *const allowed[] = {"name", "plate",   "make",      "class",
                                          "fuel", "detects", "record_ms", NULL};
    json_t *body = NULL;
    enum status st;

    memset(c, 0, sizeof *c);
    if (body_read(r, allowed, &body, a) != ST_OK)
        return ST_NONE;
    c->has_name = json_object_get(body, "name");
    c->has_plate = json_object_get(body, "plate");
    c->has_make = json_object_get(body, "make");
    c->has_class = json_object_get(body, "class");
    c->has_fuel = json_object_get(body, "fuel");
    if ((st = body_text(r, body, "name", false, c->name, sizeof c->name, a)) == ST_OK &&
        (st = body_text(r, body, "plate", false, c->plate, sizeof c->plate, a)) == ST_OK &&
        (st = body_text(r, body, "make", false, c->make, sizeof c->make, a)) == ST_OK &&
        (st = body_text(r, body, "class", false, c->class, sizeof c->class, a)) == ST_OK)
        st = body_text(r, body, "fuel", false, c->fuel, sizeof c->fuel, a);
    if (st == ST_OK &&
        (st = body_text(r, body, "detects", false, c->detects, sizeof c->detects, a)) == ST_OK)
        st = read_config(r, body, c, a);
    json_decref(body);
    return st == ST_OK && is_acceptable(r, c, a) ? ST_OK : ST_NONE;
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

static enum status insert(struct worker *w, const struct request *r, const struct change *c,
                          struct answer *a, struct fault *fault)
{
    const char *params[] = {r->vin,
                            r->claims.tenant,
                            c->name,
                            c->plate,
                            c->make,
                            c->has_class ? c->class : "car",
                            c->fuel,
                            c->detects[0] ? c->detects : "agent",
                            c->record_ms[0] ? c->record_ms : "0"};
    PGresult *rows = NULL;
    enum status st;
    int made;

    st =
        pg_run(w->pg,
               "INSERT INTO vehicle (vin, customer_id, name, plate, make, class, fuel, detects,"
               " record_ms) VALUES ($1, $2::uuid, $3, $4, $5, $6, $7, $8, nullif($9, '0')::integer)"
               " ON CONFLICT DO NOTHING RETURNING 1",
               9, params, &rows, fault);
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
    struct change c;
    enum status st;

    if (strcmp(r->if_none_match, "*") != 0) {
        answer_problem(a, r, 428, "precondition-required",
                       "Creating needs If-None-Match: *; to change a vehicle use PATCH.");
        return ST_NONE;
    }
    if (read_change(r, &c, a) != ST_OK)
        return ST_NONE;
    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = idempotency_begin(w, r, a, fault)) != ST_OK)
        return st;
    return insert(w, r, &c, a, fault);
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

enum status vehicle_change(struct worker *w, const struct request *r, struct answer *a,
                           struct fault *fault)
{
    struct change c;
    enum status st;

    if (read_change(r, &c, a) != ST_OK)
        return ST_NONE;
    const char *params[] = {r->vin,
                            c.has_name ? c.name : NULL,
                            c.has_plate ? c.plate : NULL,
                            c.has_make ? c.make : NULL,
                            c.has_class ? c.class : NULL,
                            c.has_fuel ? c.fuel : NULL,
                            c.detects,
                            c.record_ms};

    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = idempotency_begin(w, r, a, fault)) != ST_OK ||
        (st = lock_version(w, r, a, fault)) != ST_OK ||
        (st = pg_run(w->pg,
                     "UPDATE vehicle SET version = version + 1, name = coalesce($2, name),"
                     " plate = coalesce($3, plate), make = coalesce($4, make),"
                     " class = coalesce($5, class), fuel = coalesce($6, fuel),"
                     " detects = coalesce(nullif($7, ''), detects), record_ms = CASE $8 WHEN ''"
                     " THEN record_ms ELSE nullif($8, '0')::integer END WHERE vin = $1",
                     8, params, NULL, fault)) != ST_OK)
        return st;
    return finish(w, r, 200, "vehicle.change", a, fault);
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
