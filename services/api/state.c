/* services/api/state.c - the latest value of every signal, with its age and where it came from. */
#include <stdlib.h>
#include <string.h>

#include "handlers.h"
#include "lib/clock.h"
#include "proto/json.h"
#include "render.h"
#include "tenant.h"

#define PLACE "Vehicle.CurrentLocation."

/* vehicle_state.signals: {"<path>": [value, t_ms, "gps"|"obd"]}, and where a car's clock was ahead
 * of ours by how many ms; its age counts from when it came.  No place up to `hidden_ms`. */
static void render_signals(struct text *out, const char *stored, int64_t hidden_ms, int64_t now_ms)
{
    json_t *signals = json_stored(stored), *row;
    const char *path;

    text_print(out, ",\"signals\":{");
    json_object_foreach(signals, path, row)
    {
        const char *source = json_string_value(json_array_get(row, 2));
        int64_t t_ms = json_integer_value(json_array_get(row, 1));
        int64_t came_ms = t_ms - json_integer_value(json_array_get(row, 3));

        if (!json_is_number(json_array_get(row, 0)) || !source ||
            (came_ms <= hidden_ms && strncmp(path, PLACE, strlen(PLACE)) == 0))
            continue;
        render_key(out, path);
        text_print(out, "{\"value\":");
        render_double(out, json_number_value(json_array_get(row, 0)));
        render_key(out, "t");
        render_time(out, t_ms);
        text_print(out, ",\"age_ms\":%lld", (long long)(now_ms > came_ms ? now_ms - came_ms : 0));
        render_key(out, "source");
        render_text(out, source);
        text_print(out, "}");
    }
    text_print(out, "}");
    json_decref(signals);
}

static void render_state(struct text *out, const PGresult *row, int64_t now_ms)
{
    text_print(out, "{");
    render_key(out, "vin");
    render_text(out, PQgetvalue(row, 0, 0));
    render_key(out, "connectivity");
    render_text(out, PQgetvalue(row, 0, 1));
    if (!PQgetisnull(row, 0, 2)) {
        render_key(out, "last_seen");
        render_time(out, strtoll(PQgetvalue(row, 0, 2), NULL, 10));
    }
    if (!PQgetisnull(row, 0, 3)) {
        render_key(out, "presence");
        render_text(out, PQgetvalue(row, 0, 3));
    }
    if (!PQgetisnull(row, 0, 4)) {
        render_key(out, "agent");
        render_text(out, PQgetvalue(row, 0, 4));
    }
    if (!PQgetisnull(row, 0, 5)) {
        render_key(out, "sources");
        text_print(out, "%s", PQgetvalue(row, 0, 5));
    }
    if (!PQgetisnull(row, 0, 7)) {
        render_key(out, "private_since");
        render_time(out, strtoll(PQgetvalue(row, 0, 7), NULL, 10));
    }
    /* while it is private nothing of its place is shown, and later nothing from before */
    render_signals(out, PQgetisnull(row, 0, 6) ? "{}" : PQgetvalue(row, 0, 6),
                   PQgetisnull(row, 0, 7) ? strtoll(PQgetvalue(row, 0, 8), NULL, 10) : INT64_MAX,
                   now_ms);
    text_print(out, "}");
}

enum status state_read(struct worker *w, const struct request *r, struct answer *a,
                       struct fault *fault)
{
    const char *params[] = {r->vin};
    PGresult *row = NULL;
    enum status st;

    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = pg_run(
             w->pg,
             "SELECT v.vin, connectivity(s, now()),"
             " (extract(epoch FROM s.last_seen) * 1000)::bigint, s.presence, s.agent,"
             " s.sources, s.signals, s.private_since, s.private_until FROM vehicle v LEFT JOIN "
             "vehicle_state s ON s.vin = v.vin"
             " WHERE v.vin = $1",
             1, params, &row, fault)) != ST_OK)
        return st;
    if (PQntuples(row) == 1) {
        render_state(&a->body, row, clock_now_ms());
        answer_json(a, 200);
    } else {
        answer_problem(a, r, 404, "not-found", "There is no such vehicle.");
    }
    PQclear(row);
    return pg_commit(w->pg, fault);
}
