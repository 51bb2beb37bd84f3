/* services/ingest/facts/zone.h - shapes on the map, and how far a place is from their edge.  Pure.
 */
#ifndef INGEST_ZONE_H
#define INGEST_ZONE_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/status.h"

#define ZONE_POINTS_MAX 1000
#define ZONE_RADIUS_MIN_M 30
#define ZONE_RADIUS_MAX_M 100000

enum zone_kind { ZONE_CIRCLE = 0, ZONE_POLYGON, ZONE_CORRIDOR };

struct zone_point {
    double lat, lon;
};

struct zone {
    enum zone_kind kind;
    double radius_m; /* circle: radius; corridor: half its width; polygon: filled by zone_init */
    double margin_m; /* filled by zone_init: beyond it, net of accuracy, is outside */
    const struct zone_point *points; /* borrowed: the centre, the corners, or the line */
    size_t n;
};

struct zone_settings {
    double margin_m;     /* 20 at least, ... */
    double margin_share; /* ... else 0.1 of the radius; of a polygon the root of area / pi */
};
extern const struct zone_settings zone_defaults;

/* Complete a zone whose kind, radius and points are set.  ST_REJECT: a radius outside 30 m .. 100
 * km, too few or too many points, a point that is none. */
enum status zone_init(struct zone *z, const struct zone_settings *set,
                      struct fault *fault) MUST_CHECK;

/* Distance to the edge in m, negative inside. */
double zone_distance_m(const struct zone *z, double lat, double lon);

#endif
