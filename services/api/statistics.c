/* services/api/statistics.c - figures of the fleet over a span, each with how it was found.  They
 * are sums over the same trips that everybody can read one by one; what was not measured is absent
 * and not 0. */
#include <stdio.h>
#include <string.h>

#include "handlers.h"
#include "page.h"
#include "render.h"
#include "tenant.h"

#define MONTH_MS (INT64_C(31) * 24 * 3600 * 1000)

/* The columns of the statement, each with its unit and how it was found. */
static const struct {
    const char *name, *unit, *method;
} figures[] = {
    {"vehicles", "1", "vehicles with a trip that began in the span"},
    {"trips", "1", "trips that began in the span"},
    {"distance_km", "km", "between good fixes, else by speed, else straight lines: estimated_km"},
    {"estimated_km", "km", "straight lines over holes, part of distance_km"},
    {"driving_h", "h", "from departure to arrival of each trip"},
    {"engine_h", "h", "engine running at both ends of a pair of samples"},
    {"idle_h", "h", "engine running and standing for 120 s or longer"},
    {"fuel_l", "l", "each trip by its own best method, for fuel_share of the distance"},
    {"fuel_share", "1", "distance of trips with litres, of all"},
    {"fuel_l_100km", "l/100 km", "litres by kilometres of the trips that have both"},
    {"co2_kg", "kg", "litres times the factor of the fuel, at the tailpipe"},
    {"score", "1", "eco scores of trips, weighted by distance; no figure about a person"},
    {"harsh", "1", "events harsh_braking, harsh_acceleration and harsh_cornering"},
    {"alerts", "1", "cases that began in the span, corrected ones left out"},
    {"alerts_by_severity", "1", "the same, by severity"},
};
#define FIGURES (int)(sizeof figures / sizeof *figures)

/* By vehicle first: their rows are ordered by time. */
#define WITHIN(table, column)                                                                      \
    " FROM vehicle v JOIN " table " g ON g.vin = v.vin"                                            \
    " AND g." column " >= to_timestamp($1::bigint / 1000.0)"                                       \
    " AND g." column " < to_timestamp($2::bigint / 1000.0) WHERE ($3 = '' OR v.vin = $3)"
#define TRIPS_WITHIN WITHIN("segment", "start_at")
#define EVENTS_WITHIN WITHIN("event", "occurred_at")
#define ALERTS_WITHIN WITHIN("alert", "occurred_at")

static const char sql[] =
    "WITH k AS (SELECT g.vin, count(*) AS trips, sum(distance_m) / 1000 AS km,"
    " sum(estimated_m) / 1000 AS estimated_km, sum(extract(epoch FROM end_at - start_at)) AS s,"
    " sum(engine_ms) AS engine_ms, sum(idle_ms) AS idle_ms, sum(fuel_l) AS fuel_l,"
    " sum(distance_m) FILTER (WHERE fuel_l IS NOT NULL) / 1000 AS fuel_km,"
    " sum(fuel_l) FILTER (WHERE fuel_l_100km IS NOT NULL) AS rate_l,"
    " sum(distance_m) FILTER (WHERE fuel_l_100km IS NOT NULL) / 1000 AS rate_km,"
    " sum(co2_kg) AS co2_kg, sum(score * distance_m) / 1000 AS points,"
    " sum(distance_m) FILTER (WHERE score IS NOT NULL) / 1000 AS points_km" TRIPS_WITHIN
    " AND g.kind = 'trip' AND g.state <> 'superseded' GROUP BY g.vin),"
    " t AS (SELECT count(*) AS vehicles, coalesce(sum(trips), 0) AS trips,"
    " sum(km) AS distance_km, sum(estimated_km) AS estimated_km,"
    " round(sum(s) / 3600, 3) AS driving_h, round(sum(engine_ms) / 3600000.0, 3) AS engine_h,"
    " round(sum(idle_ms) / 3600000.0, 3) AS idle_h, sum(fuel_l) AS fuel_l,"
    " sum(fuel_km) / nullif(sum(km), 0) AS fuel_share,"
    " 100 * sum(rate_l) / nullif(sum(rate_km), 0) AS fuel_l_100km, sum(co2_kg) AS co2_kg,"
    " round((sum(points) / nullif(sum(points_km), 0))::numeric, 2)::float8 AS score FROM k),"
    " e AS (SELECT count(*) AS harsh" EVENTS_WITHIN " AND NOT withdrawn"
    " AND type IN ('harsh_braking', 'harsh_acceleration', 'harsh_cornering')),"
    " l AS (SELECT sum(n) AS alerts, json_object_agg(severity, n) AS alerts_by_severity FROM"
    " (SELECT severity, count(*) AS n" ALERTS_WITHIN
    " AND reason <> 'corrected' GROUP BY severity) k)"
    " SELECT vehicles, trips, distance_km, estimated_km, driving_h, engine_h, idle_h, fuel_l,"
    " fuel_share, fuel_l_100km, co2_kg, score, harsh, alerts, alerts_by_severity FROM t, e, l";

static void render(struct text *out, const PGresult *row, const struct page_span *s,
                   const char *vin)
{
    text_print(out, "{");
    render_key(out, "from");
    render_time(out, s->from_ms);
    render_key(out, "to");
    render_time(out, s->to_ms);
    if (*vin) {
        render_key(out, "vin");
        render_text(out, vin);
    }
    text_print(out, ",\"figures\":{");
    for (int i = 0; i < FIGURES; i++) {
        if (PQgetisnull(row, 0, i))
            continue;
        render_key(out, figures[i].name);
        text_print(out, "{\"value\":%s", PQgetvalue(row, 0, i)); /* a number, or JSON */
        render_key(out, "unit");
        render_text(out, figures[i].unit);
        render_key(out, "method");
        render_text(out, figures[i].method);
        text_print(out, "}");
    }
    text_print(out, "}}");
}

enum status statistics_read(struct worker *w, const struct request *r, struct answer *a,
                            struct fault *fault)
{
    const char *vin = request_arg(r, "vin");
    PGresult *rows = NULL;
    struct page_span s;
    enum status st;

    if (page_span(r, MONTH_MS, &s, a) != ST_OK)
        return ST_NONE;
    if (vin && !vin_is_valid(vin, strlen(vin))) {
        answer_field(a, r, 422, "vin", "vin");
        return ST_NONE;
    }
    const char *params[] = {s.from, s.to, vin ? vin : ""};

    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = pg_run(w->pg, sql, 3, params, &rows, fault)) != ST_OK)
        return st;
    render(&a->body, rows, &s, params[2]);
    answer_json(a, 200);
    PQclear(rows);
    return pg_commit(w->pg, fault);
}
