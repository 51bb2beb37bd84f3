/* services/ingest/car/fences.c - which zones are near, and what happens at their edges. */
#include "fences.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/drive/geo.h"
#include "lib/text.h"

#define PI 3.14159265358979323846
#define METRES_DEGREE (GEO_EARTH_M * PI / 180)

void fence_complete(struct fence *f)
{
    const struct zone *z = &f->zone;
    double reach_m = z->margin_m + geofence_defaults.accuracy_max_m + 1, lat = 0, up, side;

    reach_m += z->kind == ZONE_POLYGON ? 0 : z->radius_m;
    f->south = f->west = INFINITY;
    f->north = f->east = -INFINITY;
    for (size_t i = 0; i < z->n; i++) {
        f->south = fmin(f->south, z->points[i].lat);
        f->north = fmax(f->north, z->points[i].lat);
        f->west = fmin(f->west, z->points[i].lon);
        f->east = fmax(f->east, z->points[i].lon);
        lat = fmax(lat, fabs(z->points[i].lat));
    }
    up = reach_m / METRES_DEGREE;
    side = lat + up < 89 ? up / cos((lat + up) * PI / 180) : 360;
    f->south -= up;
    f->north += up;
    f->west -= side;
    f->east += side;
    if (f->east - f->west > 180 || f->west < -180 || f->east > 180) { /* over the date line: look */
        f->west = -360;
        f->east = 360;
    }
    (void)uuid_scan(f->key, f->id);
}

/* Could the way from the last place to this one touch the zone, or its edge? */
static bool is_far(const struct fence *f, const struct fences *s, double lat, double lon)
{
    return fmax(s->lat, lat) < f->south || fmin(s->lat, lat) > f->north ||
           fmax(s->lon, lon) < f->west || fmin(s->lon, lon) > f->east;
}

static struct fence_near *find(struct fences *s, const struct fence *f)
{
    for (int64_t i = 0; i < s->n; i++)
        if (!memcmp(s->near[i].key, f->key, sizeof f->key))
            return &s->near[i];
    return NULL;
}

/* Nothing but what the last place says of any zone that is far. */
static bool is_plain(const struct geofence *g, int64_t t_ms)
{
    return g->side == GEOFENCE_OUT && g->run == 0 && g->out_ms == t_ms;
}

static void forget(struct fences *s, struct fence_near *near)
{
    *near = s->near[--s->n];
    s->near[s->n] = (struct fence_near){.version = 0};
}

static void tell(const struct fence *f, const struct geofence_fact *fact, const struct wall *wall,
                 int64_t told_ms, struct car_out *out)
{
    bool dwell = fact->kind == GEOFENCE_DWELL, no_dwell = fact->kind == GEOFENCE_NO_DWELL;
    unsigned parts = dwell || !f->muted ? FOUND_EVENT | FOUND_ALERT : FOUND_EVENT;
    struct found *found;

    if (no_dwell ||
        fact->kind == GEOFENCE_NO_ENTER) { /* the end: of a case that had begun before */
        found = car_out_add(out, no_dwell ? FOUND_GONE | FOUND_END : FOUND_GONE,
                            geofence_word(fact->kind), fact->t_ms, told_ms);
        if (found)
            text_copy(found->subject, sizeof found->subject, f->id);
        return;
    }
    if (fact->kind == GEOFENCE_EXIT && f->set.dwell_ms > 0 &&
        (found = car_out_add(out, FOUND_END, "geofence_dwell", fact->t_ms, told_ms)) != NULL)
        text_copy(found->subject, sizeof found->subject, f->id);
    if (!schedule_holds(&f->schedule, fact->t_ms, wall_ahead_min(wall, fact->t_ms)))
        return;
    found = car_out_add(out, parts, geofence_word(fact->kind), fact->t_ms, told_ms);
    if (!found)
        return;
    text_copy(found->subject, sizeof found->subject, f->id);
    found->severity = dwell ? ALERT_WARNING : ALERT_INFO;
    found->lat = fact->lat;
    found->lon = fact->lon;
    (void)snprintf(found->data, sizeof found->data, "{\"geofence\":\"%s\"%s}", f->id,
                   fact->interpolated ? ",\"interpolated\":true" : "");
}

static void step_one(struct fences *s, const struct fence *f, const struct wall *wall, int64_t t_ms,
                     const struct fix *at, struct car_out *out)
{
    struct geofence_fact facts[GEOFENCE_FACTS_MAX];
    struct fence_near *near = find(s, f);
    struct geofence g = {.side = GEOFENCE_OUT,
                         .out_ms = s->t_ms,
                         .out_lat = s->lat,
                         .out_lon = s->lon,
                         .t_ms = s->t_ms};
    size_t n;

    if (!near && s->t_ms > 0 && is_far(f, s, at->lat, at->lon))
        return;
    if (near)
        g = near->state;
    else if (s->t_ms == 0)
        g = (struct geofence){0};
    n = geofence_step(&g, &f->set, &f->zone, t_ms, at->lat, at->lon, at->accuracy_m, facts);
    for (size_t i = 0; i < n; i++)
        tell(f, &facts[i], wall, t_ms, out);
    if (is_plain(&g, t_ms)) {
        if (near)
            forget(s, near);
        return;
    }
    if (!near && s->n == FENCES_NEAR) {
        s->crowded++;
        return;
    }
    if (!near)
        near = &s->near[s->n++];
    memcpy(near->key, f->key, sizeof near->key);
    near->version = f->version;
    near->state = g;
}

/* A long stay is over as well when its zone was taken away, or is drawn elsewhere now. */
static void end_stays(const struct fences *before, struct fences *s, int64_t t_ms,
                      struct car_out *out)
{
    for (int64_t i = 0; i < before->n; i++) {
        const struct fence_near *was = &before->near[i];
        int64_t told_ms = was->state.told_dwell_ms; /* by the clock, maybe ahead of the samples */
        struct found *f;

        if ((!was->state.dwelt && told_ms == 0) || fences_inside(s, was->key))
            continue;
        f = car_out_add(out, FOUND_END, "geofence_dwell", t_ms > told_ms ? t_ms : told_ms, t_ms);
        if (f)
            uuid_print(f->subject, was->key);
    }
}

/* Zones were drawn, changed or taken away: those are judged at the last place, without a word but
 * of what ends by that. */
static void adopt(struct fences *s, const struct fence_list *list, int64_t t_ms,
                  struct car_out *out)
{
    struct fences before = *s;
    struct car_out none = {0};

    s->n = 0;
    memset(s->near, 0, sizeof s->near);
    for (size_t i = 0; i < list->n; i++) {
        const struct fence *f = list->all[i];
        struct fence_near *known = find(&before, f);
        struct fix last = {.lat = s->lat, .lon = s->lon, .accuracy_m = s->accuracy_m};

        if (known && known->version == f->version && s->n < FENCES_NEAR)
            s->near[s->n++] = *known;
        else if (s->t_ms > 0) {
            struct fences one = {.lat = s->lat, .lon = s->lon};

            step_one(&one, f, 0, s->t_ms, &last, &none);
            if (one.n == 1 && s->n < FENCES_NEAR)
                s->near[s->n++] = one.near[0];
            else
                s->crowded += one.n;
        }
    }
    s->stamp = list->stamp;
    end_stays(&before, s, t_ms, out);
    car_out_done(&none);
}

void fences_step(struct fences *s, const struct fence_list *list, const struct wall *wall,
                 int64_t t_ms, const struct fix *place, struct car_out *out)
{
    if (s->stamp != list->stamp)
        adopt(s, list, t_ms, out);
    for (size_t i = 0; i < list->n; i++)
        step_one(s, list->all[i], wall, t_ms, place, out);
    s->t_ms = t_ms;
    s->lat = place->lat;
    s->lon = place->lon;
    s->accuracy_m = place->accuracy_m;
}

void fences_tick(struct fences *s, const struct fence_list *list, const struct wall *wall,
                 int64_t now_ms, struct car_out *out)
{
    struct geofence_fact facts[GEOFENCE_FACTS_MAX];

    for (size_t i = 0; i < list->n && s->n > 0; i++) {
        const struct fence *f = list->all[i];
        struct fence_near *near = find(s, f);
        size_t n = near && near->version == f->version
                       ? geofence_tick(&near->state, &f->set, now_ms, facts)
                       : 0;

        for (size_t k = 0; k < n; k++)
            tell(f, &facts[k], wall, 0, out);
    }
}

static bool is_found(const struct car_out *out, const char *type, const char *subject, int64_t t_ms)
{
    for (size_t i = 0; i < out->found_n; i++) {
        const struct found *f = &out->found[i];

        if ((f->parts & FOUND_EVENT) && f->occurred_ms == t_ms && !strcmp(f->type, type) &&
            !strcmp(f->subject, subject))
            return true;
    }
    return false;
}

void fences_remember(struct fences *s, const struct fence_list *list, const struct fences *told,
                     int64_t t_ms, struct car_out *out)
{
    for (size_t i = 0; i < list->n && told->n > 0; i++) {
        const struct fence *f = list->all[i];
        struct fence_near *near = find(s, f);
        struct geofence nowhere = {0};
        struct geofence_fact facts[GEOFENCE_FACTS_MAX];
        size_t n = 0;

        for (int64_t k = 0; k < told->n; k++)
            if (!memcmp(told->near[k].key, f->key, sizeof f->key) &&
                told->near[k].version == f->version)
                n = geofence_remember(near ? &near->state : &nowhere, &f->set, &told->near[k].state,
                                      facts);
        for (size_t k = 0; k < n; k++)
            if (!is_found(out, geofence_word(facts[k].kind), f->id, facts[k].t_ms))
                tell(f, &facts[k], NULL, t_ms, out);
    }
    end_stays(told, s, t_ms, out);
}

bool fences_inside(const struct fences *s, const unsigned char key[16])
{
    for (int64_t i = 0; i < s->n; i++)
        if (!memcmp(s->near[i].key, key, sizeof s->near[i].key))
            return s->near[i].state.side == GEOFENCE_IN;
    return false;
}

bool fences_placed(const struct fences *s, int64_t t_ms)
{
    return s->t_ms > 0 && t_ms - s->t_ms <= FENCES_PLACE_MS;
}

size_t fences_limits(const struct fences *s, const struct fence_list *list, int64_t t_ms,
                     double *limits, size_t max)
{
    size_t n = 0;

    if (!fences_placed(s, t_ms))
        return 0;
    for (size_t i = 0; s->n > 0 && i < list->n && n < max; i++) {
        const struct fence *f = list->all[i];

        if (isfinite(f->limit_kmh) && fences_inside(s, f->key) &&
            zone_distance_m(&f->zone, s->lat, s->lon) <= 0)
            limits[n++] = f->limit_kmh;
    }
    return n;
}
