/* services/api/track.c - where a vehicle was: GeoJSON, GPX 1.1 or CSV.  Reading one is an audited
 * act. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit.h"
#include "handlers.h"
#include "lib/clock.h"
#include "render.h"
#include "series.h"
#include "tenant.h"

#define PLACES_MOST 10000
#define SPAN_STANDARD_MS (INT64_C(24) * 3600 * 1000)
#define SPAN_MOST_MS (INT64_C(62) * 24 * 3600 * 1000)

enum form { FORM_GEOJSON, FORM_GPX, FORM_CSV };

static enum status read_span(const struct request *r, struct series_query *q, struct answer *a)
{
    struct fault why = {""};

    q->vin = r->vin;
    q->most = PLACES_MOST;
    if (request_time(r, "to", clock_now_ms(), &q->to_ms, &why) != ST_OK)
        answer_field(a, r, 422, "to", "time");
    else if (request_time(r, "from", q->to_ms - SPAN_STANDARD_MS, &q->from_ms, &why) != ST_OK)
        answer_field(a, r, 422, "from", "time");
    else if (q->from_ms >= q->to_ms || q->from_ms < 0 || q->to_ms - q->from_ms > SPAN_MOST_MS)
        answer_field(a, r, 422, "from", "range");
    else
        return ST_OK;
    return ST_NONE;
}

/* When private mode was switched: what lies on both sides of it is no way that was driven so. */
struct switches {
    int64_t *at_ms; /* oldest first */
    size_t n;
};

static enum status read_switches(struct worker *w, const struct series_query *q,
                                 struct switches *out, struct fault *fault)
{
    char from[24], to[24];
    const char *params[] = {q->vin, from, to};
    PGresult *rows = NULL;
    enum status st;

    snprintf(from, sizeof from, "%lld", (long long)q->from_ms);
    snprintf(to, sizeof to, "%lld", (long long)q->to_ms);
    st = pg_run(w->pg,
                "SELECT ms(occurred_at) FROM event WHERE vin = $1 AND type = 'private_mode'"
                " AND source = 'agent' AND NOT withdrawn AND occurred_at BETWEEN"
                " to_timestamp($2::bigint / 1000.0) AND to_timestamp($3::bigint / 1000.0)"
                " ORDER BY 1",
                3, params, &rows, fault);
    if (st != ST_OK)
        return st;
    out->n = (size_t)PQntuples(rows);
    out->at_ms = calloc(out->n + 1, sizeof *out->at_ms);
    for (size_t i = 0; out->at_ms && i < out->n; i++)
        out->at_ms[i] = strtoll(PQgetvalue(rows, (int)i, 0), NULL, 10);
    PQclear(rows);
    return out->at_ms ? ST_OK : fault_set(fault, ST_RETRY, "out of memory for a track");
}

/* Does a part of the way begin with the i-th place?  *next: the first switch not passed yet. */
static bool begins(const struct places *p, const struct switches *s, size_t i, size_t *next)
{
    bool switched = false;

    while (*next < s->n && s->at_ms[*next] <= p->items[i].t_ms) {
        ++*next;
        switched = true;
    }
    return i == 0 || switched;
}

static void render_geojson(struct text *out, const char *vin, const struct places *p,
                           const struct switches *s)
{
    size_t next = 0, parts = 0;

    text_print(out, "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\","
                    "\"geometry\":{\"type\":\"LineString\",\"coordinates\":[");
    for (size_t i = 0; i < p->count; i++) {
        text_print(out, i ? ",[" : "[");
        render_double(out, p->items[i].lon);
        text_add(out, ",", 1);
        render_double(out, p->items[i].lat);
        text_add(out, "]", 1);
    }
    text_print(out, "]},\"properties\":{\"vin\":\"%s\",\"times\":[", vin);
    for (size_t i = 0; i < p->count; i++)
        text_print(out, "%s%lld", i ? "," : "", (long long)p->items[i].t_ms);
    text_print(out, "],\"speeds\":[");
    for (size_t i = 0; i < p->count; i++) {
        if (i)
            text_add(out, ",", 1);
        render_double(out, p->items[i].speed_kmh); /* NAN is null */
    }
    text_print(out, "],\"parts\":[");
    for (size_t i = 0; i < p->count; i++)
        if (begins(p, s, i, &next))
            text_print(out, "%s%zu", parts++ ? "," : "", i);
    text_print(out, "]}}]}");
}

static void render_gpx(struct text *out, const char *vin, const struct places *p,
                       const struct switches *s)
{
    size_t next = 0;
    char t[25];

    text_print(out,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
               "<gpx version=\"1.1\" creator=\"Vigie\" xmlns=\"http://www.topografix.com/GPX/1/1\""
               " xmlns:gpxtpx=\"http://www.garmin.com/xmlschemas/TrackPointExtension/v2\">\n"
               "<trk><name>%s</name><trkseg>\n",
               vin);
    for (size_t i = 0; i < p->count; i++) {
        if (begins(p, s, i, &next) && i > 0)
            text_print(out, "</trkseg><trkseg>\n");
        clock_print(t, p->items[i].t_ms);
        text_print(out, "<trkpt lat=\"");
        render_double(out, p->items[i].lat);
        text_print(out, "\" lon=\"");
        render_double(out, p->items[i].lon);
        text_print(out, "\"><time>%s</time>", t);
        if (isfinite(p->items[i].speed_kmh)) /* GPX itself has no word for it; m/s */
            text_print(out,
                       "<extensions><gpxtpx:TrackPointExtension><gpxtpx:speed>%.3f</gpxtpx:speed>"
                       "</gpxtpx:TrackPointExtension></extensions>",
                       p->items[i].speed_kmh / 3.6);
        text_print(out, "</trkpt>\n");
    }
    text_print(out, "</trkseg></trk>\n</gpx>\n");
}

static void render_csv(struct text *out, const struct places *p)
{
    char t[25];

    text_print(out, "time,lat,lon,speed_kmh\r\n");
    for (size_t i = 0; i < p->count; i++) {
        clock_print(t, p->items[i].t_ms);
        text_print(out, "%s,", t);
        render_double(out, p->items[i].lat);
        text_add(out, ",", 1);
        render_double(out, p->items[i].lon);
        text_add(out, ",", 1);
        if (isfinite(p->items[i].speed_kmh))
            render_double(out, p->items[i].speed_kmh);
        text_print(out, "\r\n");
    }
}

static void respond(struct answer *a, const struct request *r, enum form form,
                    const struct places *p, const struct switches *s)
{
    answer_header(a, "vary:", "Accept");
    switch (form) {
    case FORM_GEOJSON:
        render_geojson(&a->body, r->vin, p, s);
        answer_json(a, 200);
        a->content_type = accept_names(r->accept, "application/geo+json") ? "application/geo+json"
                                                                          : "application/json";
        break;
    case FORM_GPX:
        render_gpx(&a->body, r->vin, p, s);
        answer_json(a, 200);
        a->content_type = "application/gpx+xml";
        break;
    case FORM_CSV:
        render_csv(&a->body, p);
        answer_json(a, 200);
        a->content_type = "text/csv; charset=utf-8";
        answer_header(a, "content-disposition:", "attachment; filename=\"%s.csv\"", r->vin);
        break;
    }
}

enum status track_read(struct worker *w, const struct request *r, struct answer *a,
                       struct fault *fault)
{
    enum form form = accept_names(r->accept, "application/gpx+xml") ? FORM_GPX
                     : accept_names(r->accept, "text/csv")          ? FORM_CSV
                                                                    : FORM_GEOJSON;
    struct places places = {0};
    struct switches switches = {0};
    struct series_query q;
    char detail[96];
    enum status st;

    if (read_span(r, &q, a) != ST_OK)
        return ST_NONE;
    snprintf(detail, sizeof detail, "{\"from\":%lld,\"to\":%lld}", (long long)q.from_ms,
             (long long)q.to_ms);
    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = tenant_owns(w, r, a, fault)) != ST_OK ||
        (st = audit_request(w, r, "track.read", detail, fault)) != ST_OK ||
        (st = read_switches(w, &q, &switches, fault)) != ST_OK)
        return st;
    if ((st = pg_commit(w->pg, fault)) == ST_OK &&
        (st = places_read(w->influx, &q, &places, fault)) == ST_OK)
        respond(a, r, form, &places, &switches);
    free(switches.at_ms);
    free(places.items);
    return st;
}
