/* lib/drive/geo.c - haversine and headings. */
#include "geo.h"

#include <math.h>

#define RADIANS (3.14159265358979323846 / 180)
#define NEAR_DEG 0.01 /* a kilometre: what lies between two fixes of a drive */
#define NEAR_POLE_DEG 85

bool geo_valid(double lat, double lon)
{
    return fabs(lat) <= 90 && fabs(lon) <= 180 && (lat != 0 || lon != 0); /* NaN: neither */
}

/* The same formula with one cosine in place of five functions: the sine of an angle this small is
 * a - a^3 / 6 to the last bit of a double, the arc sine likewise, and the product of two cosines is
 * half the sum of those of the sum and of the difference. */
static double near_m(double lat_a, double lat_b, double half_up, double half_over)
{
    double up = half_up - half_up * half_up * half_up / 6;
    double over = half_over - half_over * half_over * half_over / 6;
    double cosines = (1 - 2 * up * up + cos((lat_a + lat_b) * RADIANS)) / 2;
    double h = up * up + cosines * over * over, root = sqrt(h);

    return 2 * GEO_EARTH_M * (root + root * h / 6);
}

double geo_distance_m(double lat_a, double lon_a, double lat_b, double lon_b)
{
    double half_up = (lat_b - lat_a) * RADIANS / 2, half_over = (lon_b - lon_a) * RADIANS / 2;
    double up, over, h;

    if (fabs(lat_b - lat_a) < NEAR_DEG && fabs(lon_b - lon_a) < NEAR_DEG &&
        fabs(lat_a) < NEAR_POLE_DEG)
        return near_m(lat_a, lat_b, half_up, half_over);
    up = sin(half_up);
    over = sin(half_over);
    h = up * up + cos(lat_a * RADIANS) * cos(lat_b * RADIANS) * over * over;
    return 2 * GEO_EARTH_M * asin(sqrt(fmin(1, h)));
}

double geo_turn_deg(double from_deg, double to_deg)
{
    return remainder(to_deg - from_deg, 360);
}
