/* services/ingest/facts/geofence.c - sides, runs, dwelling and driving through. */
#include "geofence.h"

#include <math.h>

#include "lib/drive/geo.h"

#define PIECE_M 5 /* a segment is looked at in pieces of at most so much, or ... */
#define PIECES_MAX 512

const struct geofence_settings geofence_defaults = {
    .accuracy_max_m = 50,
    .enter_fixes = 2,
    .enter_ms = 30000,
    .exit_fixes = 2,
    .dwell_ms = 0,
    .crossing_ms = 120000,
    .crossing_m = 20,
};

const char *geofence_word(enum geofence_kind kind)
{
    static const char *const word[] = {"geofence_enter", "geofence_exit", "geofence_dwell"};

    return word[kind];
}

struct facts {
    struct geofence_fact *out;
    size_t n;
};

static void tell(struct facts *f, enum geofence_kind kind, int64_t t_ms, double lat, double lon,
                 bool interpolated)
{
    if (f->n < GEOFENCE_FACTS_MAX)
        f->out[f->n++] = (struct geofence_fact){kind, t_ms, lat, lon, interpolated};
}

static void turn(struct geofence *g, struct facts *f)
{
    g->side = g->run_side;
    g->run = 0;
    g->dwelt = false;
    g->entered_ms = g->side == GEOFENCE_IN ? g->run_ms : 0;
    tell(f, g->side == GEOFENCE_IN ? GEOFENCE_ENTER : GEOFENCE_EXIT, g->run_ms, g->run_lat,
         g->run_lon, false);
}

static void pass_time(struct geofence *g, const struct geofence_settings *set, int64_t now_ms,
                      struct facts *f)
{
    int64_t due_ms = g->entered_ms + set->dwell_ms;

    if (g->run > 0 && g->run_side == GEOFENCE_IN && now_ms - g->run_ms >= set->enter_ms)
        turn(g, f);
    due_ms = g->entered_ms + set->dwell_ms;
    if (g->side != GEOFENCE_IN || g->entered_ms == 0 || set->dwell_ms <= 0 || g->dwelt ||
        now_ms < due_ms || (g->run > 0 && g->run_ms < due_ms))
        return; /* it may have left before: the next fix tells */
    g->dwelt = true;
    tell(f, GEOFENCE_DWELL, due_ms, g->run_lat, g->run_lon, false);
}

/* Two outside fixes with the zone between them. */
static void cross(const struct geofence *g, const struct geofence_settings *set,
                  const struct zone *z, int64_t t_ms, double lat, double lon, double accuracy_m,
                  double d_m, struct facts *f)
{
    double way_m = geo_distance_m(g->out_lat, g->out_lon, lat, lon);
    double needed_m = fmax(set->crossing_m, accuracy_m);
    double dlat = lat - g->out_lat, dlon = remainder(lon - g->out_lon, 360);
    int pieces = (int)fmin(PIECES_MAX, ceil(way_m / PIECE_M)), inside = 0, first = 0, last = 0;

    if (g->out_ms == 0 || t_ms - g->out_ms > set->crossing_ms ||
        zone_distance_m(z, g->out_lat, g->out_lon) + d_m > way_m)
        return; /* too far from it on both ends to have been there */
    for (int i = 1; i < pieces; i++) {
        double part = (double)i / pieces;

        if (zone_distance_m(z, g->out_lat + part * dlat, g->out_lon + part * dlon) > 0)
            continue;
        first = inside++ == 0 ? i : first;
        last = i;
    }
    if (inside == 0 || (double)inside * way_m / pieces < needed_m)
        return;
    for (int end = 0; end < 2; end++) {
        double part = (end == 0 ? (double)first - 0.5 : (double)last + 0.5) / pieces;

        tell(f, end == 0 ? GEOFENCE_ENTER : GEOFENCE_EXIT,
             g->out_ms + llround(part * (double)(t_ms - g->out_ms)), g->out_lat + part * dlat,
             g->out_lon + part * dlon, true);
    }
}

static void count(struct geofence *g, const struct geofence_settings *set, enum geofence_side side,
                  int64_t t_ms, double lat, double lon, struct facts *f)
{
    int needed = side == GEOFENCE_IN ? set->enter_fixes : set->exit_fixes;

    if (side == g->side) {
        g->run = 0;
        return;
    }
    if (g->run == 0 || g->run_side != side) {
        g->run = 0;
        g->run_side = side;
        g->run_ms = t_ms;
        g->run_lat = lat;
        g->run_lon = lon;
    }
    if (++g->run >= needed)
        turn(g, f);
}

size_t geofence_step(struct geofence *g, const struct geofence_settings *set, const struct zone *z,
                     int64_t t_ms, double lat, double lon, double accuracy_m,
                     struct geofence_fact out[GEOFENCE_FACTS_MAX])
{
    struct facts f = {.out = out};
    double d_m;

    if (t_ms <= g->t_ms || !geo_valid(lat, lon) || !(accuracy_m >= 0) ||
        accuracy_m > set->accuracy_max_m)
        return 0;
    g->t_ms = t_ms;
    d_m = zone_distance_m(z, lat, lon);
    if (g->side == GEOFENCE_UNKNOWN) {
        g->side = d_m <= 0 ? GEOFENCE_IN : GEOFENCE_OUT;
    } else {
        pass_time(g, set, t_ms, &f);
        if (d_m <= 0) {
            count(g, set, GEOFENCE_IN, t_ms, lat, lon, &f);
        } else if (d_m - accuracy_m > z->margin_m) {
            if (g->side == GEOFENCE_OUT)
                cross(g, set, z, t_ms, lat, lon, accuracy_m, d_m, &f);
            count(g, set, GEOFENCE_OUT, t_ms, lat, lon, &f);
        }
    }
    if (d_m - accuracy_m > z->margin_m) {
        g->out_ms = t_ms;
        g->out_lat = lat;
        g->out_lon = lon;
    } else if (d_m <= 0) {
        g->out_ms = 0;
    }
    return f.n;
}

size_t geofence_tick(struct geofence *g, const struct geofence_settings *set, int64_t now_ms,
                     struct geofence_fact out[GEOFENCE_FACTS_MAX])
{
    struct facts f = {.out = out};

    if (now_ms > g->t_ms)
        pass_time(g, set, now_ms, &f);
    return f.n;
}
