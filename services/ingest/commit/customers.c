/* services/ingest/commit/customers.c - compared by a fingerprint, read when that is another one. */
#include "customers.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "customers_shapes.h"
#include "lib/map.h"
#include "lib/text.h"
#include "proto/hash.h"

#define CUSTOMERS_MAX 100000
#define FRESH_MS 5000
#define FORGET_MS 1200000

struct customers {
    struct pg *db;
    struct map *all; /* id -> struct customer */
    int64_t swept_ms;
};

static void drop(struct customer *c)
{
    for (size_t i = 0; i < c->fences_n; i++)
        free((void *)(uintptr_t)c->fences[i].zone.points);
    free(c->fences);
    free(c->fence_groups);
    free(c->rules);
    c->fences = NULL;
    c->fence_groups = NULL;
    c->rules = NULL;
    c->fences_n = c->rules_n = 0;
    c->fingerprint[0] = '\0';
}

static void customer_done(void *value)
{
    drop(value);
}

enum status customers_open(struct customers **out, struct pg *db, struct fault *fault)
{
    struct customers *c = calloc(1, sizeof *c);
    enum status st;

    if (!c)
        return fault_set(fault, ST_FATAL, "out of memory");
    c->db = db;
    st = map_open(&c->all, sizeof(struct customer), CUSTOMERS_MAX, customer_done, fault);
    if (st != ST_OK) {
        free(c);
        return st;
    }
    *out = c;
    return ST_OK;
}

void customers_close(struct customers *c)
{
    if (!c)
        return;
    map_close(c->all);
    free(c);
}

static bool is_wanted(void *self, const char *id, void *value)
{
    const int64_t *now_ms = self;

    (void)id;
    return *now_ms - ((struct customer *)value)->wanted_ms < FORGET_MS;
}

/* ---- zones */
/* False: a shape that is none; it is left out. */
static bool take_fence(const PGresult *rows, int row, struct fence *f)
{
    const char *kind = PQgetvalue(rows, row, 2);

    *f = (struct fence){.set = geofence_defaults, .limit_kmh = pg_text_float8(rows, row, 6)};
    text_copy(f->id, sizeof f->id, PQgetvalue(rows, row, 0));
    f->version = (int32_t)strtol(PQgetvalue(rows, row, 1), NULL, 10);
    f->zone.kind = !strcmp(kind, "circle")    ? ZONE_CIRCLE
                   : !strcmp(kind, "polygon") ? ZONE_POLYGON
                                              : ZONE_CORRIDOR;
    f->zone.radius_m = pg_text_float8(rows, row, 3);
    f->set.dwell_ms = 1000 * pg_text_int8(rows, row, 5);
    f->muted = *PQgetvalue(rows, row, 7) == 't';
    shape_schedule(&f->schedule, PQgetvalue(rows, row, 8));
    f->zone.points = shape_points(PQgetvalue(rows, row, 4), &f->zone.n);
    if (!f->zone.points || zone_init(&f->zone, &zone_defaults, NULL) != ST_OK) {
        free((void *)(uintptr_t)f->zone.points);
        return false;
    }
    fence_complete(f);
    return true;
}

static enum status read_fences(struct customers *c, struct customer *to, struct fault *fault)
{
    const char *params[] = {to->id};
    PGresult *rows = NULL;
    enum status st =
        pg_run(c->db,
               "SELECT id, version, kind, radius_m, points, dwell_s, speed_limit_kmh, muted, "
               "schedule, group_name FROM geofence WHERE customer_id = $1 ORDER BY id",
               1, params, &rows, fault);
    size_t n = st == ST_OK ? (size_t)PQntuples(rows) : 0;

    if (n > 0) {
        to->fences = calloc(n, sizeof *to->fences);
        to->fence_groups = calloc(n, sizeof *to->fence_groups);
    }
    if (n > 0 && (!to->fences || !to->fence_groups))
        st = fault_set(fault, ST_RETRY, "out of memory for %zu zones", n);
    for (size_t i = 0; i < n && st == ST_OK; i++) {
        if (!take_fence(rows, (int)i, &to->fences[to->fences_n]))
            continue;
        text_copy(to->fence_groups[to->fences_n], sizeof *to->fence_groups,
                  PQgetvalue(rows, (int)i, 9));
        to->fences_n++;
    }
    PQclear(rows);
    return st;
}

/* ---- rules */
static enum status read_rules(struct customers *c, struct customer *to, struct fault *fault)
{
    const char *params[] = {to->id};
    PGresult *rows = NULL;
    enum status st =
        pg_run(c->db,
               "SELECT id, version, severity, signal, test, threshold, release, duration_s, "
               "repeat, repeat_s, schedule, place, geofence_id, group_name, vin FROM rule "
               "WHERE customer_id = $1 AND enabled ORDER BY id",
               1, params, &rows, fault);
    size_t n = st == ST_OK ? (size_t)PQntuples(rows) : 0;

    if (n > 0 && !(to->rules = calloc(n, sizeof *to->rules)))
        st = fault_set(fault, ST_RETRY, "out of memory for %zu rules", n);
    for (size_t i = 0; i < n && st == ST_OK; i++)
        if (shape_rule(rows, (int)i, to->id, &to->rules[to->rules_n]))
            to->rules_n++;
    PQclear(rows);
    return st;
}

/* ---- one customer */
static enum status compare(struct customers *c, struct customer *to, bool *same,
                           struct fault *fault)
{
    const char *params[] = {to->id};
    PGresult *rows = NULL;
    enum status st = pg_run(
        c->db,
        "SELECT speed_limit_kmh, timezone, coalesce(retention_days, 0), "
        "md5(coalesce((SELECT string_agg(id::text || version, ',' ORDER BY id) FROM geofence "
        "WHERE customer_id = c.id), '')) || md5(coalesce((SELECT string_agg(id::text || version "
        "|| enabled, ',' ORDER BY id) FROM rule WHERE customer_id = c.id), '')) "
        "FROM customer c WHERE id = $1",
        1, params, &rows, fault);

    *same = true;
    if (st == ST_OK && PQntuples(rows) == 1) {
        to->limit_kmh = pg_text_float8(rows, 0, 0);
        text_copy(to->zone, sizeof to->zone, PQgetvalue(rows, 0, 1));
        to->keep_days = (int)strtol(PQgetvalue(rows, 0, 2), NULL, 10);
        *same = !strcmp(to->fingerprint, PQgetvalue(rows, 0, 3));
        if (!*same)
            drop(to);
        text_copy(to->fingerprint, sizeof to->fingerprint, PQgetvalue(rows, 0, 3));
    }
    PQclear(rows);
    return st;
}

static uint64_t stamp_of(const char *text)
{
    return hash_bytes(0, text, strlen(text));
}

enum status customers_fetch(struct customers *c, const char *id, int64_t now_ms,
                            struct customer **out, struct fault *fault)
{
    struct customer *found;
    bool same;
    enum status st;

    if (now_ms - c->swept_ms > FORGET_MS) {
        map_each(c->all, is_wanted, &now_ms);
        c->swept_ms = now_ms;
    }
    found = map_put(c->all, id);
    if (!found)
        return fault_set(fault, ST_RETRY, "out of memory for a customer");
    text_copy(found->id, sizeof found->id, id);
    found->wanted_ms = now_ms;
    *out = found;
    if (now_ms - found->asked_ms < FRESH_MS)
        return ST_OK;
    if ((st = compare(c, found, &same, fault)) != ST_OK)
        return st;
    if (!same && ((st = read_fences(c, found, fault)) != ST_OK ||
                  (st = read_rules(c, found, fault)) != ST_OK)) {
        drop(found);
        return st;
    }
    found->stamp = found->fences_n > 0 ? stamp_of(found->fingerprint) : 0;
    found->asked_ms = now_ms;
    return ST_OK;
}
