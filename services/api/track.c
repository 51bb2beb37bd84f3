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

static void render_geojson(struct text *out, const char *vin, const struct places *p)
{
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
    text_print(out, "]}}]}");
}

static void render_gpx(struct text *out, const char *vin, const struct places *p)
{
    char t[25];

    text_print(out,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
               "<gpx version=\"1.1\" creator=\"Vigie\" xmlns=\"http://www.topografix.com/GPX/1/1\""
               " xmlns:gpxtpx=\"http://www.garmin.com/xmlschemas/TrackPointExtension/v2\">\n"
               "<trk><name>%s</name><trkseg>\n",
               vin);
    for (size_t i = 0; i < p->count; i++) {
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
                    const struct places *p)
{
    answer_header(a, "vary:", "Accept");
    switch (form) {
    case FORM_GEOJSON:
        render_geojson(&a->body, r->vin, p);
        answer_json(a, 200);
        a->content_type = accept_names(r->accept, "application/geo+json") ? "application/geo+json"
                                                                          : "application/json";
        break;
    case FORM_GPX:
        render_gpx(&a->body, r->vin, p);
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
        (st = pg_commit(w->pg, fault)) != ST_OK ||
        (st = places_read(w->influx, &q, &places, fault)) != ST_OK)
        return st;
    respond(a, r, form, &places);
    free(places.items);
    return ST_OK;
}
