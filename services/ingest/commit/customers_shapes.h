/* services/ingest/commit/customers_shapes.h - zones, hours and rules as their columns have them. */
#ifndef INGEST_CUSTOMERS_SHAPES_H
#define INGEST_CUSTOMERS_SHAPES_H

#include <libpq-fe.h>

#include "services/ingest/car/rules.h"

/* [[lon, lat], ...] into points, yours to free; NULL: it is none, or out of memory. */
struct zone_point *shape_points(const char *json, size_t *n);

/* {"spans": [{"days": [1, ... 7], "from": "08:00", "to": "18:00"}], "except": false}; what cannot
 * be read is "always". */
void shape_schedule(struct schedule *out, const char *json);

/* A row of read_rules; false: a signal that is none. */
bool shape_rule(const PGresult *rows, int row, const char *customer, struct rule_entry *out);

#endif
