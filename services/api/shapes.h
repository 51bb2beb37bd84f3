/* services/api/shapes.h - what the points of a zone must be, beyond their number.  Pure. */
#ifndef API_SHAPES_H
#define API_SHAPES_H

#include <stdbool.h>

#include "proto/json.h"

#define SHAPE_AREA_LEAST_M2 1
#define SHAPE_LINE_LEAST_M 1

/* [[lon, lat], ...], 1 .. 1,000 on the globe; not 0/0, which receivers without a fix say. */
bool shape_has_points(const json_t *value);

/* What is wrong with the points (as above) of a "circle", "polygon" or "corridor"; NULL: nothing.
 *   count    too few, or more than the one of a circle
 *   area     the corners enclose less than SHAPE_AREA_LEAST_M2: they are equal or on one line
 *   crossed  two edges cross: which side is inside?  Edges that touch do not
 *   line     the line is shorter than SHAPE_LINE_LEAST_M */
const char *shape_fault(const char *kind, const json_t *points);

#endif
