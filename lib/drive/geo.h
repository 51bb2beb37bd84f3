/* lib/drive/geo.h - places on the globe.  Pure.
 * Degrees are WGS 84 as receivers give them; metres are on the sphere of mean radius. */
#ifndef LIB_DRIVE_GEO_H
#define LIB_DRIVE_GEO_H

#include <stdbool.h>

#define GEO_EARTH_M 6371008.8 /* mean radius (2 a + b) / 3 of WGS 84 */
#define GEO_DEGREE_M (GEO_EARTH_M * 3.14159265358979323846 / 180) /* of a great circle */

/* Finite, -90 .. 90 and -180 .. 180, and not 0/0, which is what receivers without a fix say. */
bool geo_valid(double lat, double lon);

/* Great circle in m (haversine: exact enough from millimetres to the other side of the globe). */
double geo_distance_m(double lat_a, double lon_a, double lat_b, double lon_b);

/* The turn from one heading to another in degrees, -180 .. 180, positive to the right: 350 to 10
 * is 20.  Both 0 .. 360. */
double geo_turn_deg(double from_deg, double to_deg);

#endif
