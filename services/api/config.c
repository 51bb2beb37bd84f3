/* services/api/config.c - the configuration of vehicles. */
#include "config.h"

#include <string.h>

#include "render.h"

void config_render_list(struct text *out, const char *list)
{
    char one[256];
    int count = 0;

    text_print(out, "[");
    for (const char *at = list; *at;) {
        size_t n;

        at += strspn(at, " ,");
        n = strcspn(at, " ,");
        if (n && n < sizeof one) {
            memcpy(one, at, n);
            one[n] = '\0';
            if (count++)
                text_print(out, ",");
            render_text(out, one);
        }
        at += n;
    }
    text_print(out, "]");
}

void config_render(struct text *out, const char *revision, const char *body)
{
    /* `body` is what config_told() made: an object with at least the sites in it */
    text_print(out, "{\"schema\":\"config/1\",\"revision\":%s,%s", revision, body + 1);
}

/* $1 a vehicle or NULL, $2 and $3 what our settings say. */
static enum status run(struct pg *pg, const struct api_settings *set, const char *vin,
                       const char *sql, struct fault *fault)
{
    struct text sites, brokers;
    enum status st;

    text_init(&sites);
    text_init(&brokers);
    config_render_list(&sites, set->required_sites);
    config_render_list(&brokers, set->brokers);
    const char *params[] = {vin, sites.bytes, brokers.bytes};

    if (sites.failed || brokers.failed)
        st = fault_set(fault, ST_RETRY, "out of memory");
    else
        st = pg_run(pg, sql, 3, params, NULL, fault);
    text_done(&sites);
    text_done(&brokers);
    return st;
}

#define INSERT_CONFIG                                                                              \
    "INSERT INTO vehicle_config AS c (vin, body)"                                                  \
    " SELECT v.vin, config_body(v, $2::jsonb, $3::jsonb) FROM vehicle v"

enum status config_renew(struct pg *pg, const struct api_settings *set, const char *vin,
                         struct fault *fault)
{
    return run(pg, set, vin,
               INSERT_CONFIG
               " WHERE v.vin = $1 OR $1 IS NULL AND v.status = 'active' ORDER BY v.vin"
               " ON CONFLICT (vin) DO UPDATE SET revision = c.revision + 1, body = excluded.body,"
               " changed_at = now(), published_at = NULL,"
               " watch_until = CASE WHEN c.watch_until > now() THEN c.watch_until END"
               " WHERE c.body <> excluded.body",
               fault);
}

enum status config_watch(struct pg *pg, const struct api_settings *set, const char *vin,
                         struct fault *fault)
{
    return run(pg, set, vin,
               "INSERT INTO vehicle_config AS c (vin, body, watch_until)"
               " SELECT v.vin, config_body(v, $2::jsonb, $3::jsonb), now() + interval '2 min'"
               " FROM vehicle v WHERE v.vin = $1 AND v.status = 'active'"
               " ON CONFLICT (vin) DO UPDATE SET revision = c.revision + 1,"
               " watch_until = excluded.watch_until, changed_at = now(), published_at = NULL"
               " WHERE c.watch_until IS NULL OR c.watch_until < now() + interval '1 min'"
               " RETURNING pg_notify('command', c.vin)",
               fault);
}

enum status config_fill(struct pg *pg, const struct api_settings *set, struct fault *fault)
{
    return run(pg, set, NULL,
               INSERT_CONFIG " WHERE $1::text IS NULL AND v.status = 'active' AND NOT EXISTS"
                             " (SELECT FROM vehicle_config k WHERE k.vin = v.vin) ORDER BY v.vin"
                             " ON CONFLICT DO NOTHING",
               fault);
}

enum status config_take(struct pg *pg, const struct api_settings *set, const char *vin,
                        struct text *out, struct fault *fault)
{
    const char *params[] = {vin};
    PGresult *rows = NULL;
    enum status st;

    if ((st = config_renew(pg, set, vin, fault)) != ST_OK ||
        (st = pg_run(pg, "SELECT revision, config_told(c) FROM vehicle_config c WHERE vin = $1", 1,
                     params, &rows, fault)) != ST_OK)
        return st;
    if (PQntuples(rows) == 1)
        config_render(out, PQgetvalue(rows, 0, 0), PQgetvalue(rows, 0, 1));
    else
        st = fault_set(fault, ST_REJECT, "there is no vehicle %s", vin);
    PQclear(rows);
    return st;
}
