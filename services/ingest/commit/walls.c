/* services/ingest/commit/walls.c - looked at every half hour of the months, and kept where they
 * change. */
#include "walls.h"

#include <stdlib.h>

#include "lib/map.h"

_Static_assert(WALL_MAX == 8, "the statement has the same limit");

#define ZONES_MAX 2000
#define FRESH_MS 3600000

struct clock {
    struct wall wall;
    int64_t read_ms;
};

struct walls {
    struct pg *db;
    struct map *clocks; /* zone -> struct clock */
};

enum status walls_open(struct walls **out, struct pg *db, struct fault *fault)
{
    struct walls *w = calloc(1, sizeof *w);
    enum status st;

    if (!w)
        return fault_set(fault, ST_FATAL, "out of memory");
    w->db = db;
    if ((st = map_open(&w->clocks, sizeof(struct clock), ZONES_MAX, NULL, fault)) != ST_OK) {
        free(w);
        return st;
    }
    *out = w;
    return ST_OK;
}

void walls_close(struct walls *w)
{
    if (!w)
        return;
    map_close(w->clocks);
    free(w);
}

static enum status read_wall(struct walls *w, const char *zone, struct wall *out,
                             struct fault *fault)
{
    const char *params[] = {zone};
    PGresult *rows = NULL;
    enum status st = pg_run(
        w->db,
        "SELECT ms(at), ahead FROM (SELECT at, ahead, lag(ahead) OVER (ORDER BY at) AS before FROM "
        "(SELECT at, (extract(epoch FROM (at AT TIME ZONE $1) - (at AT TIME ZONE 'UTC')) / "
        "60)::int AS ahead FROM generate_series(date_trunc('hour', now()) - interval '62 d', "
        "now() + interval '2 d', interval '30 min') AS at) AS looked) AS changed "
        "WHERE before IS DISTINCT FROM ahead ORDER BY at DESC LIMIT 8",
        1, params, &rows, fault);
    int n = st == ST_OK ? PQntuples(rows) : 0;

    if (st != ST_OK)
        return st;
    out->n = n;
    for (int i = 0; i < n; i++) { /* newest first */
        out->from_ms[n - 1 - i] = pg_text_int8(rows, i, 0);
        out->ahead_min[n - 1 - i] = (int32_t)strtol(PQgetvalue(rows, i, 1), NULL, 10);
    }
    PQclear(rows);
    return ST_OK;
}

enum status walls_fetch(struct walls *w, const char *zone, int64_t now_ms, const struct wall **out,
                        struct fault *fault)
{
    struct clock *clock = map_put(w->clocks, zone);
    enum status st;

    if (!clock)
        return fault_set(fault, ST_RETRY, "out of memory for a time zone");
    if (now_ms - clock->read_ms >= FRESH_MS) {
        if ((st = read_wall(w, zone, &clock->wall, fault)) != ST_OK)
            return st;
        clock->read_ms = now_ms;
    }
    *out = &clock->wall;
    return ST_OK;
}
