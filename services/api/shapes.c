/* services/api/shapes.c - seen in a plane that touches the globe at the first point. */
#include "shapes.h"

#include <math.h>
#include <string.h>

#define POINTS_MOST 1000
#define RADIANS (3.14159265358979323846 / 180)
#define DEGREE_M (6371008.8 * RADIANS) /* of a great circle */
#define TOUCH_M 0.01                   /* nearer to the other edge than this is on it */

struct spot {
    double x, y; /* m from the first point, to the east and the north */
};

static bool is_point(const json_t *value)
{
    const json_t *lon = json_array_get(value, 0), *lat = json_array_get(value, 1);
    double x = json_number_value(lon), y = json_number_value(lat);

    return json_array_size(value) == 2 && json_is_number(lon) && json_is_number(lat) &&
           fabs(x) <= 180 && fabs(y) <= 90 && (x != 0 || y != 0);
}

bool shape_has_points(const json_t *value)
{
    size_t n = json_array_size(value);

    if (n < 1 || n > POINTS_MOST)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_point(json_array_get(value, i)))
            return false;
    return true;
}

static double number(const json_t *points, size_t i, size_t k)
{
    return json_number_value(json_array_get(json_array_get(points, i), k));
}

static void flatten(const json_t *points, size_t n, struct spot *out)
{
    double lon = number(points, 0, 0), lat = number(points, 0, 1);

    for (size_t i = 0; i < n; i++)
        out[i] = (struct spot){
            remainder(number(points, i, 0) - lon, 360) * DEGREE_M * cos(lat * RADIANS),
            (number(points, i, 1) - lat) * DEGREE_M,
        };
}

static double area_m2(const struct spot *s, size_t n)
{
    double twice = 0;

    for (size_t i = 0; i < n; i++)
        twice += s[i].x * s[(i + 1) % n].y - s[(i + 1) % n].x * s[i].y;
    return fabs(twice) / 2;
}

static double length_m(const struct spot *s, size_t n)
{
    double sum = 0;

    for (size_t i = 1; i < n; i++)
        sum += hypot(s[i].x - s[i - 1].x, s[i].y - s[i - 1].y);
    return sum;
}

/* Which side of the line from a to b is p on: -1, 1, or 0: on it. */
static int side(struct spot a, struct spot b, struct spot p)
{
    double dx = b.x - a.x, dy = b.y - a.y;
    double twice = dx * (p.y - a.y) - dy * (p.x - a.x), on = TOUCH_M * hypot(dx, dy);

    return twice > on ? 1 : twice < -on ? -1 : 0;
}

static bool cross(struct spot a, struct spot b, struct spot c, struct spot d)
{
    return side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;
}

static bool is_crossed(const struct spot *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 2; k < n; k++)
            if (cross(s[i], s[i + 1], s[k], s[(k + 1) % n]))
                return true;
    return false;
}

const char *shape_fault(const char *kind, const json_t *points)
{
    size_t n = json_array_size(points);
    bool polygon = !strcmp(kind, "polygon");
    struct spot spots[POINTS_MOST];

    if (!strcmp(kind, "circle"))
        return n == 1 ? NULL : "count";
    if (n < (polygon ? 3U : 2U) || n > POINTS_MOST)
        return "count";
    flatten(points, n, spots);
    if (!polygon)
        return length_m(spots, n) >= SHAPE_LINE_LEAST_M ? NULL : "line";
    if (is_crossed(spots, n))
        return "crossed";
    return area_m2(spots, n) >= SHAPE_AREA_LEAST_M2 ? NULL : "area";
}
