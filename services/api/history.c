/* services/api/history.c - measured values over time: named signals, an interval, at most so many
 * points. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "handlers.h"
#include "lib/clock.h"
#include "render.h"
#include "series.h"
#include "tenant.h"

#define SIGNALS_MOST 16
#define POINTS_STANDARD 500
#define POINTS_MOST 2000
#define SPAN_STANDARD_MS (3600 * 1000)
#define DAY_MS (INT64_C(24) * 3600 * 1000)
#define SPAN_MOST_MS (732 * DAY_MS)   /* of 1-minute values */
#define SAMPLES_KEPT_MS (60 * DAY_MS) /* what begins earlier is answered from 1-minute values */

struct ask {
    uint16_t signals[SIGNALS_MOST];
    size_t count;
    bool has_position;
    struct series_query query;
};

static bool is_asked(const struct ask *q, uint16_t id)
{
    for (size_t i = 0; i < q->count; i++)
        if (q->signals[i] == id)
            return true;
    return false;
}

/* Names in the compiled table only; nothing else ever becomes part of a statement.  A name given
 * twice is answered once. */
static bool read_signals(const char *list, struct ask *q)
{
    static const char place[] = "Vehicle.CurrentLocation.";
    size_t named = 0;

    for (const char *at = list; at && *at;) {
        size_t n = strcspn(at, ",");
        uint16_t id = signal_find(at, n);

        if (id == SIGNAL_NONE || ++named > SIGNALS_MOST)
            return false;
        q->has_position |= n >= sizeof place - 1 && !memcmp(at, place, sizeof place - 1);
        if (!is_asked(q, id))
            q->signals[q->count++] = id;
        at += n + (at[n] == ',');
    }
    return q->count > 0;
}

/* ST_NONE: an argument is wrong, the answer is set. */
static enum status read_ask(const struct request *r, struct ask *q, struct answer *a)
{
    int64_t points = 0, now_ms = clock_now_ms();
    struct fault why = {""};

    memset(q, 0, sizeof *q);
    q->query.vin = r->vin;
    if (!read_signals(request_arg(r, "signals"), q))
        answer_field(a, r, 422, "signals", "unknown");
    else if (request_time(r, "to", now_ms, &q->query.to_ms, &why) != ST_OK)
        answer_field(a, r, 422, "to", "time");
    else if (request_time(r, "from", q->query.to_ms - SPAN_STANDARD_MS, &q->query.from_ms, &why) !=
             ST_OK)
        answer_field(a, r, 422, "from", "time");
    else if (q->query.from_ms >= q->query.to_ms || q->query.from_ms < 0 ||
             q->query.to_ms - q->query.from_ms > SPAN_MOST_MS)
        answer_field(a, r, 422, "from", "range");
    else if (request_number(r, "points", 2, POINTS_MOST, POINTS_STANDARD, &points, &why) != ST_OK)
        answer_field(a, r, 422, "points", "range");
    else {
        q->query.most = (size_t)points;
        q->query.minutes = q->query.from_ms < now_ms - SAMPLES_KEPT_MS;
        return ST_OK;
    }
    return ST_NONE;
}

static void render_series(struct text *out, const char *path, const struct series *s)
{
    render_key(out, path);
    text_print(out, "{\"t\":[");
    for (size_t i = 0; i < s->count; i++)
        text_print(out, "%s%lld", i ? "," : "", (long long)s->spans[i].t_ms);
    for (int which = 0; which < 3; which++) {
        text_print(out, "],\"%s\":[", which == 0 ? "v" : which == 1 ? "min" : "max");
        for (size_t i = 0; i < s->count; i++) {
            const struct span *one = &s->spans[i];

            if (i)
                text_add(out, ",", 1);
            render_double(out, which == 0 ? one->v : which == 1 ? one->min : one->max);
        }
    }
    text_print(out, "]}");
}

/* Whose vehicle it is comes first; the look is written down before anything is read. */
static enum status check_and_note(struct worker *w, const struct request *r, const struct ask *q,
                                  struct answer *a, struct fault *fault)
{
    char detail[160];
    enum status st;

    snprintf(detail, sizeof detail, "{\"from\":%lld,\"to\":%lld,\"signals\":%zu,\"position\":%s}",
             (long long)q->query.from_ms, (long long)q->query.to_ms, q->count,
             q->has_position ? "true" : "false");
    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = tenant_owns(w, r, a, fault)) != ST_OK ||
        (st = audit_request(w, r, "history.read", detail, fault)) != ST_OK)
        return st;
    return pg_commit(w->pg, fault);
}

enum status history_read(struct worker *w, const struct request *r, struct answer *a,
                         struct fault *fault)
{
    struct ask q;
    enum status st;

    if (read_ask(r, &q, a) != ST_OK)
        return ST_NONE;
    if (q.has_position && !access_allows(r->claims.role, ACTION_TRACK_READ)) {
        answer_problem(a, r, 403, "forbidden", "This role may not see where a vehicle was.");
        return ST_NONE;
    }
    if ((st = check_and_note(w, r, &q, a, fault)) != ST_OK)
        return st;
    text_print(&a->body, "{\"signals\":{");
    for (size_t i = 0; i < q.count; i++) {
        struct series s = {0};

        st = series_read(w->influx, &q.query, q.signals[i], &s, fault);
        if (st != ST_OK)
            return st;
        render_series(&a->body, signal_row(q.signals[i])->path, &s);
        free(s.spans);
    }
    text_print(&a->body, "}}");
    answer_json(a, 200);
    return ST_OK;
}
