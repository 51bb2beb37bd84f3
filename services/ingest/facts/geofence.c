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
    static const char *const word[] = {"geofence_enter", "geofence_exit", "geofence_dwell",
                                       "geofence_enter", "geofence_dwell"};

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
    g->entered_lat = g->run_lat;
    g->entered_lon = g->run_lon;
    tell(f, g->side == GEOFENCE_IN ? GEOFENCE_ENTER : GEOFENCE_EXIT, g->run_ms, g->run_lat,
         g->run_lon, false);
}

static void pass_time(struct geofence *g, const struct geofence_settings *set, int64_t now_ms,
                      struct facts *f)
{
    int64_t due_ms;
    bool placed;

    if (g->run > 0 && g->run_side == GEOFENCE_IN && now_ms - g->run_ms >= set->enter_ms)
        turn(g, f);
    due_ms = g->entered_ms + set->dwell_ms;
    if (g->side != GEOFENCE_IN || g->entered_ms == 0 || set->dwell_ms <= 0 || g->dwelt ||
        now_ms < due_ms || (g->run > 0 && g->run_ms < due_ms))
        return; /* it may have left before: the next fix tells */
    g->dwelt = true;
    placed = geo_valid(g->entered_lat, g->entered_lon); /* else a state of an older build */
    tell(f, GEOFENCE_DWELL, due_ms, placed ? g->entered_lat : (double)NAN,
         placed ? g->entered_lon : (double)NAN, false);
}

/* ---- what time alone told */
/* When it entered, or will have if its run goes on; 0: not known, or it is outside. */
static int64_t visit_ms(const struct geofence *g)
{
    if (g->side == GEOFENCE_IN)
        return g->entered_ms;
    return g->run > 0 && g->run_side == GEOFENCE_IN ? g->run_ms : 0;
}

static bool is_told(const struct facts *f, enum geofence_kind kind, int64_t t_ms)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->out[i].kind == kind && f->out[i].t_ms == t_ms)
            return true;
    return false;
}

/* The fixes have told it by now, have ruled it out, or leave it open as before. */
static void settle_told(struct geofence *g, const struct geofence_settings *set, struct facts *f)
{
    int64_t visit = visit_ms(g);
    bool enter_open = visit > 0 && visit == g->told_enter_ms;
    bool dwell_open = visit > 0 && visit + set->dwell_ms == g->told_dwell_ms;

    if (g->told_enter_ms > 0 && !enter_open && !is_told(f, GEOFENCE_ENTER, g->told_enter_ms))
        tell(f, GEOFENCE_NO_ENTER, g->told_enter_ms, (double)NAN, (double)NAN, false);
    if (g->told_dwell_ms > 0 && !dwell_open && !is_told(f, GEOFENCE_DWELL, g->told_dwell_ms))
        tell(f, GEOFENCE_NO_DWELL, g->told_dwell_ms, (double)NAN, (double)NAN, false);
    if (!enter_open || g->side == GEOFENCE_IN)
        g->told_enter_ms = 0;
    if (!dwell_open || g->dwelt)
        g->told_dwell_ms = 0;
}

struct spot {
    int64_t t_ms;
    double lat, lon;
};

struct passage {
    double inside_m;     /* of the way */
    struct spot in, out; /* where it began and ended to be inside */
};

static struct spot between(const struct spot *a, const struct spot *b, double part)
{
    return (struct spot){a->t_ms + llround(part * (double)(b->t_ms - a->t_ms)),
                         a->lat + part * (b->lat - a->lat),
                         a->lon + part * remainder(b->lon - a->lon, 360)};
}

static void walk(struct passage *p, const struct zone *z, const struct spot *a,
                 const struct spot *b)
{
    double way_m = geo_distance_m(a->lat, a->lon, b->lat, b->lon);
    int pieces = (int)fmin(PIECES_MAX, ceil(way_m / PIECE_M));

    for (int i = 1; i <= pieces; i++) {
        struct spot at = between(a, b, (double)i / pieces);

        if (zone_distance_m(z, at.lat, at.lon) > 0)
            continue;
        if (p->inside_m <= 0)
            p->in = between(a, b, ((double)i - 0.5) / pieces);
        p->out = between(a, b, fmin(1, ((double)i + 0.5) / pieces));
        p->inside_m += way_m / pieces;
    }
}

/* Two outside fixes with the zone between them, and one inside fix or none.  The straight way says
 * whether it was there; that it turned there and so missed the zone on the straight way takes a fix
 * as surely inside as the others are outside.  One at the edge is no visit of a car that stands. */
static void cross(const struct geofence *g, const struct geofence_settings *set,
                  const struct zone *z, const struct spot *now, double accuracy_m, double d_m,
                  struct facts *f)
{
    struct spot before = {g->out_ms, g->out_lat, g->out_lon};
    struct spot seen = {g->run_ms, g->run_lat, g->run_lon};
    double needed_m = fmax(set->crossing_m, accuracy_m);
    struct passage straight = {0}, seen_way = {0}, *p = &straight;

    if (g->out_ms == 0 || now->t_ms - g->out_ms > set->crossing_ms)
        return;
    if (zone_distance_m(z, before.lat, before.lon) + d_m <=
        geo_distance_m(before.lat, before.lon, now->lat, now->lon))
        walk(&straight, z, &before, now); /* else too far from it on both ends */
    if (g->run > 0 && (straight.inside_m >= needed_m || g->run_sure)) {
        p = &seen_way;
        walk(p, z, &before, &seen);
        walk(p, z, &seen, now);
    }
    if (p->inside_m < needed_m)
        return;
    tell(f, GEOFENCE_ENTER, p->in.t_ms, p->in.lat, p->in.lon, true);
    tell(f, GEOFENCE_EXIT, p->out.t_ms, p->out.lat, p->out.lon, true);
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
            if (g->run == 1 && g->run_ms == t_ms)
                g->run_sure = -d_m - accuracy_m > z->margin_m;
        } else if (d_m - accuracy_m > z->margin_m) {
            if (g->side == GEOFENCE_OUT)
                cross(g, set, z, &(struct spot){t_ms, lat, lon}, accuracy_m, d_m, &f);
            count(g, set, GEOFENCE_OUT, t_ms, lat, lon, &f);
        }
    }
    if (d_m - accuracy_m > z->margin_m) {
        g->out_ms = t_ms;
        g->out_lat = lat;
        g->out_lon = lon;
    } else if (g->side == GEOFENCE_IN) {
        g->out_ms = 0;
    }
    settle_told(g, set, &f);
    return f.n;
}

size_t geofence_tick(struct geofence *g, const struct geofence_settings *set, int64_t now_ms,
                     struct geofence_fact out[GEOFENCE_FACTS_MAX])
{
    struct geofence_fact found[GEOFENCE_FACTS_MAX];
    struct facts by_then = {.out = found}, f = {.out = out};
    struct geofence then = *g;

    if (now_ms > g->t_ms)
        pass_time(&then, set, now_ms, &by_then);
    for (size_t i = 0; i < by_then.n; i++) {
        int64_t *told_ms = found[i].kind == GEOFENCE_ENTER ? &g->told_enter_ms : &g->told_dwell_ms;

        if (*told_ms == found[i].t_ms)
            continue;
        *told_ms = found[i].t_ms;
        f.out[f.n++] = found[i];
    }
    return f.n;
}

size_t geofence_remember(struct geofence *g, const struct geofence_settings *set,
                         const struct geofence *told, struct geofence_fact out[GEOFENCE_FACTS_MAX])
{
    struct facts f = {.out = out};

    g->told_enter_ms = told->told_enter_ms;
    g->told_dwell_ms = told->told_dwell_ms;
    settle_told(g, set, &f);
    return f.n;
}
