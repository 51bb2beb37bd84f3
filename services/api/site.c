/* services/api/site.c - what anyone may ask: is this site well, where is everything, which keys are
 * ours. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers.h"
#include "lib/clock.h"
#include "render.h"
#include "tenant.h"

#define API_VERSION "1.0"
#define BUILTIN_ATTRIBUTION                                                                         \
    "Natural Earth · communes © IGN Admin Express (Licence Ouverte) · lieux © GeoNames (CC BY " \
    "4.0)"

enum status health_read(struct worker *w, const struct request *r, struct answer *a,
                        struct fault *fault)
{
    PGresult *rows = NULL;
    bool standby;
    enum status st;

    (void)r;
    if ((st = pg_ready(w->pg, fault)) != ST_OK)
        return st;
    st = pg_run(w->pg,
                "SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery() THEN"
                " coalesce(extract(epoch FROM now() - pg_last_xact_replay_timestamp()), 0)"
                " ELSE 0 END",
                0, NULL, &rows, fault);
    if (st != ST_OK)
        return st;
    standby = PQgetvalue(rows, 0, 0)[0] == 't';
    text_print(&a->body, "{");
    render_key(&a->body, "site");
    render_text(&a->body, w->shared->set->common.site);
    render_key(&a->body, "mode");
    render_text(&a->body, standby ? "ro" : "rw");
    render_key(&a->body, "time");
    render_time(&a->body, clock_now_ms());
    render_key(&a->body, "replication_lag_s");
    render_double(&a->body, strtod(PQgetvalue(rows, 0, 1), NULL));
    render_key(&a->body, "api_version");
    render_text(&a->body, API_VERSION);
    text_print(&a->body, "}");
    PQclear(rows);
    answer_json(a, 200);
    return ST_OK;
}

enum status config_read(struct worker *w, const struct request *r, struct answer *a,
                        struct fault *fault)
{
    const struct api_settings *set = w->shared->set;
    char api[256], label[SETTING_TEXT_MAX];

    (void)r;
    (void)fault;
    list_first(set->origins, api, sizeof api);
    snprintf(label, sizeof label, "%s", set->common.site);
    label[0] = (char)toupper((unsigned char)label[0]);
    text_print(&a->body, "{");
    render_key(&a->body, "site");
    render_text(&a->body, set->common.site);
    render_key(&a->body, "version");
    render_text(&a->body, VIGIE_VERSION);
    text_print(&a->body, ",\"sites\":[{");
    render_key(&a->body, "id");
    render_text(&a->body, set->common.site);
    render_key(&a->body, "label");
    render_text(&a->body, label);
    render_key(&a->body, "api");
    render_text(&a->body, api);
    render_key(&a->body, "ws");
    render_text(&a->body, set->ws_url);
    if (set->media_url[0]) {
        render_key(&a->body, "media");
        render_text(&a->body, set->media_url);
    }
    text_print(&a->body, "}],\"map\":{\"kind\":\"builtin\",\"url\":null");
    render_key(&a->body, "attribution");
    render_text(&a->body, BUILTIN_ATTRIBUTION);
    text_print(&a->body, ",\"maxzoom\":11,\"dark\":null}}");
    answer_json(a, 200);
    return ST_OK;
}

enum status jwks_read(struct worker *w, const struct request *r, struct answer *a,
                      struct fault *fault)
{
    (void)r;
    (void)fault;
    keys_print_jwks(&w->shared->keys, &a->body);
    answer_json(a, 200);
    return ST_OK;
}
