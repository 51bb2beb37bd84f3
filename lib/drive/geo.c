/* lib/drive/geo.c - haversine and headings. */
#include "geo.h"

#include <math.h>

#define RADIANS (3.14159265358979323846 / 180)

bool geo_valid(double lat, double lon)
{
    return isfinite(lat) && isfinite(lon) && fabs(lat) <= 90 && fabs(lon) <= 180 &&
           (lat != 0 || lon != 0);
}

double geo_distance_m(double lat_a, double lon_a, double lat_b, double lon_b)
{
    double up = sin((lat_b - lat_a) * RADIANS / 2), over = sin((lon_b - lon_a) * RADIANS / 2);
    double h = up * up + cos(lat_a * RADIANS) * cos(lat_b * RADIANS) * over * over;

    return 2 * GEO_EARTH_M * asin(sqrt(fmin(1, h)));
}

double geo_turn_deg(double from_deg, double to_deg)
{
    return remainder(to_deg - from_deg, 360);
}
