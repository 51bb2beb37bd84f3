/* services/ingest/told.c - events of the type private_mode. */
#include "told.h"

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

enum status told_list(struct pg *db, const char *vin, int64_t after_ms, struct told **out,
                      size_t *n, struct fault *fault)
{
    char after[24];
    const char *params[] = {vin, after};
    PGresult *rows = NULL;
    struct told *list;
    enum status st;

    (void)snprintf(after, sizeof after, "%lld", (long long)after_ms);
    st = pg_run(db,
                "WITH switch AS (SELECT occurred_at AS at, (data ->> 'on') = 'true' AS is_on "
                "FROM event WHERE vin = $1 AND type = '" PRIVATE_MODE "' AND source = 'agent' AND "
                "NOT withdrawn AND jsonb_typeof(data -> 'on') = 'boolean'), since AS (SELECT "
                "to_timestamp($2::bigint / 1000.0) AS at) SELECT ms(w.at), w.is_on FROM switch w, "
                "since s WHERE w.at >= coalesce((SELECT max(b.at) FROM switch b WHERE b.at <= "
                "s.at), s.at) ORDER BY w.at",
                2, params, &rows, fault);
    if (st != ST_OK)
        return st;
    list = calloc((size_t)PQntuples(rows) + 1, sizeof *list);
    for (int i = 0; list && i < PQntuples(rows); i++)
        list[i] = (struct told){.t_ms = strtoll(PQgetvalue(rows, i, 0), NULL, 10),
                                .on = *PQgetvalue(rows, i, 1) == 't'};
    *n = (size_t)PQntuples(rows);
    PQclear(rows);
    if (!list)
        return fault_set(fault, ST_RETRY, "out of memory for what the car told");
    *out = list;
    return ST_OK;
}
