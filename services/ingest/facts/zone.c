/* services/ingest/facts/zone.c - distances to edges.  Shapes are seen in a plane that touches the
 * globe at the place asked for: exact near the edge, which is where it matters. */
#include "zone.h"

#include <math.h>

#include "lib/drive/geo.h"

#define PI 3.14159265358979323846
#define METRES_DEGREE (GEO_EARTH_M * PI / 180)

const struct zone_settings zone_defaults = {.margin_m = 20, .margin_share = 0.1};

struct flat {
    double x, y; /* m from the place */
};

static struct flat flatten(struct zone_point p, double lat, double lon)
{
    return (struct flat){
        remainder(p.lon - lon, 360) * METRES_DEGREE * cos(lat * PI / 180),
        (p.lat - lat) * METRES_DEGREE,
    };
}

static double area_m2(const struct zone *z)
{
    struct zone_point from = z->points[0];
    double twice = 0;

    for (size_t i = 0; i < z->n; i++) {
        struct flat a = flatten(z->points[i], from.lat, from.lon);
        struct flat b = flatten(z->points[(i + 1) % z->n], from.lat, from.lon);

        twice += a.x * b.y - b.x * a.y;
    }
    return fabs(twice) / 2;
}

enum status zone_init(struct zone *z, const struct zone_settings *set, struct fault *fault)
{
    size_t least = z->kind == ZONE_CIRCLE ? 1 : z->kind == ZONE_CORRIDOR ? 2 : 3;

    if (z->n < least || z->n > ZONE_POINTS_MAX || (z->kind == ZONE_CIRCLE && z->n != 1))
        return fault_set(fault, ST_REJECT, "%zu points do not make this shape", z->n);
    for (size_t i = 0; i < z->n; i++)
        if (!geo_valid(z->points[i].lat, z->points[i].lon))
            return fault_set(fault, ST_REJECT, "point %zu is not on the globe", i + 1);
    if (z->kind == ZONE_POLYGON)
        z->radius_m = sqrt(area_m2(z) / PI);
    else if (!(z->radius_m >= ZONE_RADIUS_MIN_M && z->radius_m <= ZONE_RADIUS_MAX_M))
        return fault_set(fault, ST_REJECT, "radius %g m is not within %d .. %d m", z->radius_m,
                         ZONE_RADIUS_MIN_M, ZONE_RADIUS_MAX_M);
    if (z->kind == ZONE_POLYGON && !(z->radius_m > 0))
        return fault_set(fault, ST_REJECT, "the corners enclose nothing");
    z->margin_m = fmax(set->margin_m, set->margin_share * z->radius_m);
    return ST_OK;
}

/* From 0/0 to the line between two points. */
static double to_line(struct flat a, struct flat b)
{
    double dx = b.x - a.x, dy = b.y - a.y, len2 = dx * dx + dy * dy;
    double along = len2 > 0 ? fmin(1, fmax(0, -(a.x * dx + a.y * dy) / len2)) : 0;

    return hypot(a.x + along * dx, a.y + along * dy);
}

double zone_distance_m(const struct zone *z, double lat, double lon)
{
    size_t lines = z->kind == ZONE_POLYGON ? z->n : z->n - 1;
    double nearest = INFINITY;
    bool inside = false;

    if (z->kind == ZONE_CIRCLE)
        return geo_distance_m(z->points[0].lat, z->points[0].lon, lat, lon) - z->radius_m;
    for (size_t i = 0; i < lines; i++) {
        struct flat a = flatten(z->points[i], lat, lon);
        struct flat b = flatten(z->points[(i + 1) % z->n], lat, lon);

        nearest = fmin(nearest, to_line(a, b));
        if ((a.y > 0) != (b.y > 0) && a.x - a.y * (b.x - a.x) / (b.y - a.y) > 0)
            inside = !inside; /* the line to the east crosses this edge */
    }
    if (z->kind == ZONE_CORRIDOR)
        return nearest - z->radius_m;
    return inside ? -nearest : nearest;
}
