/* services/ingest/commit/told.c - events, as they came and as they are stored. */
#include "told.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"

#define PRIVATE_MODE "private_mode"

bool told_switch(const struct record *r, bool *on)
{
    json_t *message = NULL;
    bool found;

    if (r->from.topic.leaf != LEAF_EVENT || strcmp(r->fact.type, PRIVATE_MODE) != 0 ||
        json_read(&message, r->payload, r->len, JSON_MAX_BYTES, NULL) != ST_OK)
        return false;
    found = json_get_bool(json_object_get(message, "data"), "on", on, NULL) == ST_OK;
    json_decref(message);
    return found;
}

static bool is_within(const json_t *data, const char *key, double most, double *out)
{
    const json_t *value = json_object_get(data, key);

    if (!json_is_number(value) || !(fabs(json_number_value(value)) <= most))
        return false;
    *out = json_number_value(value);
    return true;
}

enum told_where told_where(const struct record *r, double *lat, double *lon)
{
    enum told_where where = TOLD_THEN;
    json_t *message = NULL;
    const json_t *data;
    double own_lat, own_lon;

    if (json_read(&message, r->payload, r->len, JSON_MAX_BYTES, NULL) != ST_OK)
        return TOLD_NOWHERE;
    data = json_object_get(message, "data");
    if (is_within(data, "lat", 90, &own_lat) && is_within(data, "lon", 180, &own_lon)) {
        where = TOLD_HERE;
        *lat = own_lat;
        *lon = own_lon;
    } else if (json_is_true(json_object_get(data, "private")) ||
               !strcmp(r->fact.type, PRIVATE_MODE)) {
        where = TOLD_NOWHERE;
    }
    json_decref(message);
    return where;
}

static enum status read_rows(struct pg *db, const char *vin, int64_t after_ms, PGresult **rows,
                             struct fault *fault)
{
    char after[24];
    const char *params[] = {vin, after};

    (void)snprintf(after, sizeof after, "%lld", (long long)after_ms);
    return pg_run(
        db,
        "WITH told AS (SELECT occurred_at AS at, id, type = '" PRIVATE_MODE "' AS is_switch, "
        "data -> 'on' = 'true' AS is_on FROM event WHERE vin = $1 AND source = 'agent' AND "
        "NOT withdrawn AND CASE WHEN type = '" PRIVATE_MODE "' THEN jsonb_typeof(data -> 'on') = "
        "'boolean' ELSE occurred_at > to_timestamp($2::bigint / 1000.0) AND data -> 'private' IS "
        "DISTINCT FROM 'true' AND NOT data ?& ARRAY ['lat', 'lon'] END), "
        "since AS (SELECT to_timestamp($2::bigint / 1000.0) AS at) "
        "SELECT ms(w.at), w.is_switch, w.is_on, w.id FROM told w, since s WHERE w.at >= "
        "coalesce((SELECT max(b.at) FROM told b WHERE b.is_switch AND b.is_on AND b.at <= s.at), "
        "s.at) "
        "ORDER BY w.at, w.id",
        2, params, rows, fault);
}

enum status told_list(struct pg *db, const char *vin, int64_t after_ms, struct told **out,
                      size_t *n, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st = read_rows(db, vin, after_ms, &rows, fault);
    struct told *list;

    if (st != ST_OK)
        return st;
    list = calloc((size_t)PQntuples(rows) + 1, sizeof *list);
    for (int i = 0; list && i < PQntuples(rows); i++) {
        list[i] = (struct told){.t_ms = pg_text_int8(rows, i, 0),
                                .is_switch = *PQgetvalue(rows, i, 1) == 't',
                                .on = *PQgetvalue(rows, i, 2) == 't'};
        (void)uuid_scan(list[i].id, PQgetvalue(rows, i, 3));
    }
    *n = (size_t)PQntuples(rows);
    PQclear(rows);
    if (!list)
        return fault_set(fault, ST_RETRY, "out of memory for what the car told");
    *out = list;
    return ST_OK;
}
