/* services/api/trips.c - trips, and what lies between them: rows that ingest found.  They say where
 * a person was, so that reading them is written down. */
#include <stdio.h>

#include "audit.h"
#include "handlers.h"
#include "page.h"
#include "tenant.h"

#define MONTH_MS (INT64_C(31) * 24 * 3600 * 1000)

#define SEGMENT_FROM                                                                               \
    " FROM segment g LEFT JOIN driver d ON d.id = g.driver_id WHERE g.vin = $1"                    \
    " AND g.state <> 'superseded' AND g.end_at >= to_timestamp($2::bigint / 1000.0)"               \
    " AND g.start_at < to_timestamp($3::bigint / 1000.0)"                                          \
    " AND " PAGE_TIME_AFTER("g.start_at", "g.id", "4", "5")
#define SEGMENT_ORDER " ORDER BY g.start_at DESC, g.id DESC LIMIT $6::bigint"
#define SEGMENT_CURSOR PAGE_TIME_CURSOR("g.start_at", "g.id")

static const char trips_sql[] =
    "SELECT json_strip_nulls(json_build_object('id', g.id, 'vin', g.vin, 'state', g.state,"
    " 'settled', g.settled, 'provisional', g.provisional, 'version', g.version,"
    " 'start', rfc3339(g.start_at), 'end', rfc3339(g.end_at), 'start_lat', g.start_lat,"
    " 'start_lon', g.start_lon, 'end_lat', g.end_lat, 'end_lon', g.end_lon,"
    " 'distance_km', g.distance_m / 1000, 'estimated_km', g.estimated_m / 1000,"
    " 'odometer_km', g.odometer_m / 1000, 'distance_check', g.distance_check,"
    " 'duration_s', round(extract(epoch FROM g.end_at - g.start_at), 1),"
    " 'moving_s', round(g.moving_ms / 1000.0, 1), 'engine_s', round(g.engine_ms / 1000.0, 1),"
    " 'idle_s', round(g.idle_ms / 1000.0, 1), 'pause_s', round(g.pause_ms / 1000.0, 1),"
    " 'max_speed_kmh', nullif(g.max_speed_kmh, 0),"
    " 'coverage', round(g.covered_ms::numeric / nullif(g.expected_ms, 0), 4),"
    " 'fuel_l', g.fuel_l, 'fuel_l_100km', g.fuel_l_100km,"
    " 'fuel_method', nullif(g.fuel_method, 'none'), 'fuel_share', g.fuel_share,"
    " 'fuel_coverage', g.fuel_coverage, 'co2_kg', g.co2_kg, 'score', g.score,"
    " 'score_terms', g.score_terms, 'driver', d.name, 'driver_id', g.driver_id,"
    " 'end_reason', nullif(g.end_reason, '')))," SEGMENT_CURSOR SEGMENT_FROM
    " AND g.kind = 'trip'" SEGMENT_ORDER;

static const char stops_sql[] =
    "SELECT json_strip_nulls(json_build_object('id', g.id, 'vin', g.vin, 'kind', g.kind,"
    " 'state', g.state, 'settled', g.settled, 'provisional', g.provisional,"
    " 'version', g.version, 'start', rfc3339(g.start_at), 'end', rfc3339(g.end_at),"
    " 'lat', g.start_lat, 'lon', g.start_lon,"
    " 'end_lat', CASE WHEN g.kind IN ('gap', 'lapse') THEN g.end_lat END,"
    " 'end_lon', CASE WHEN g.kind IN ('gap', 'lapse') THEN g.end_lon END,"
    " 'duration_s', round(extract(epoch FROM g.end_at - g.start_at), 1),"
    " 'idle_s', round(g.idle_ms / 1000.0, 1),"
    " 'estimated_km', CASE WHEN g.kind IN ('gap', 'lapse') THEN g.estimated_m / 1000 END,"
    " 'fuel_l', g.fuel_l, 'end_reason', nullif(g.end_reason, '')))," SEGMENT_CURSOR SEGMENT_FROM
    " AND g.kind = ANY (string_to_array($7, ','))" SEGMENT_ORDER;

static enum status list(struct worker *w, const struct request *r, const char *sql,
                        const char *more, const char *action, struct answer *a, struct fault *fault)
{
    PGresult *rows = NULL;
    struct page_time t;
    struct page_span s;
    char detail[128];
    struct page p;
    enum status st;

    if (page_read(r, &p, a) != ST_OK || page_by_time(r, &p, &t, a) != ST_OK ||
        page_span(r, MONTH_MS, &s, a) != ST_OK)
        return ST_NONE;
    const char *params[] = {r->vin, s.from, s.to, t.us, t.id, p.ask, more};

    snprintf(detail, sizeof detail, "{\"from\":%s,\"to\":%s}", s.from, s.to);
    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = tenant_owns(w, r, a, fault)) != ST_OK ||
        (st = audit_request(w, r, action, detail, fault)) != ST_OK ||
        (st = pg_run(w->pg, sql, more ? 7 : 6, params, &rows, fault)) != ST_OK)
        return st;
    page_answer(a, rows, &p);
    PQclear(rows);
    return pg_commit(w->pg, fault);
}

enum status trip_list(struct worker *w, const struct request *r, struct answer *a,
                      struct fault *fault)
{
    return list(w, r, trips_sql, NULL, "trips.read", a, fault);
}

enum status stop_list(struct worker *w, const struct request *r, struct answer *a,
                      struct fault *fault)
{
    static const char *const kinds[] = {"stop", "gap", "idle", "lapse", NULL};
    const char *kind;

    if (page_words(r, "kind", kinds, &kind, a) != ST_OK)
        return ST_NONE;
    return list(w, r, stops_sql, *kind ? kind : "stop", "stops.read", a, fault);
}
