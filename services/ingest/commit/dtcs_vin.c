/* services/ingest/commit/dtcs_vin.c - whose car it is the certificate says; that the car says
 * otherwise is a case, until it gives its own VIN again. */
#include <stdio.h>
#include <string.h>

#include "dtcs_inside.h"
#include "proto/vin.h"

static const char type[] = "vin_mismatch";

/* What this group said of it last stands in no row yet. */
static const struct found *said_last(const struct car_out *found)
{
    for (size_t i = found->found_n; i > 0; i--)
        if (!strcmp(found->found[i - 1].type, type))
            return &found->found[i - 1];
    return NULL;
}

/* ST_NONE: nobody knows of this one: there is no such case, nor one that a person cleared before
 * it was over. */
static enum status is_known(struct dtcs *d, const char *vin, const char *read,
                            const struct car_out *found, struct fault *fault)
{
    const struct found *last = said_last(found);
    const char *params[] = {vin, type, read};
    PGresult *rows = NULL;
    enum status st;

    if (last)
        return (last->parts & FOUND_ALERT) && strstr(last->data, read) ? ST_OK : ST_NONE;
    st = pg_run(d->db,
                "SELECT FROM alert WHERE vin = $1 AND type = $2 AND "
                "(state <> 'cleared' AND data ->> 'vin' = $3 OR held_down) LIMIT 1",
                3, params, &rows, fault);
    if (st == ST_OK && PQntuples(rows) == 0)
        st = ST_NONE;
    PQclear(rows);
    return st;
}

enum status dtcs_see_vin(struct dtcs *d, const struct record *r, const json_t *message,
                         bool detects, struct car_out *found, struct fault *fault)
{
    const char *vin = r->from.topic.vin;
    const char *read = json_string_value(json_object_get(message, "vin"));
    struct found *f;
    enum status st;

    if (!read || !vin_is_valid(read, strlen(read)))
        return ST_OK;
    if (!strcmp(read, vin)) {
        (void)car_out_add(found, FOUND_END, type, r->fact.t_ms, 0);
        return ST_OK;
    }
    if (!detects || r->fact.t_ms < d->life.t_ms) /* what it said since then counts */
        return ST_OK;
    if ((st = is_known(d, vin, read, found, fault)) != ST_NONE)
        return st;
    if ((f = car_out_add(found, FOUND_EVENT | FOUND_ALERT, type, r->fact.t_ms, 0)) != NULL) {
        f->severity = ALERT_MAJOR;
        (void)snprintf(f->data, sizeof f->data, "{\"vin\":\"%s\"}", read);
    }
    return ST_OK;
}
