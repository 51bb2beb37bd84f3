/* lib/drive/anchor.c - median place. */
#include "anchor.h"

#include <math.h>
#include <string.h>

#include "geo.h"

#define UNITS 1e7

static void insert(int32_t *sorted, int n, int32_t value)
{
    int at = n;

    for (; at > 0 && sorted[at - 1] > value; at--)
        sorted[at] = sorted[at - 1];
    sorted[at] = value;
}

void anchor_add(struct anchor *a, double lat, double lon)
{
    if (a->n >= ANCHOR_FIXES || !geo_valid(lat, lon))
        return;
    insert(a->lat, a->n, (int32_t)lround(lat * UNITS));
    insert(a->lon, a->n, (int32_t)lround(lon * UNITS));
    a->n++;
}

static double median(const int32_t *sorted, int n)
{
    int low = (n - 1) / 2, high = n / 2;

    return ((double)sorted[low] + (double)sorted[high]) / 2 / UNITS;
}

bool anchor_place(const struct anchor *a, double *lat, double *lon)
{
    if (a->n == 0)
        return false;
    *lat = median(a->lat, a->n);
    *lon = median(a->lon, a->n);
    return true;
}

void anchor_clear(struct anchor *a)
{
    a->n = 0;
}
