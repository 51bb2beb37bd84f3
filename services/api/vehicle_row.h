/* services/api/vehicle_row.h - a vehicle as SQL gives it and as JSON says it. */
#ifndef API_VEHICLE_ROW_H
#define API_VEHICLE_ROW_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "lib/text.h"

/* Columns in the order vehicle_row_render expects them, and the tables they come from. */
#define VEHICLE_COLUMNS                                                                            \
    " v.vin, v.name, v.plate, v.make, v.class, v.fuel, v.status, c.id, c.name,"                    \
    " connectivity(s, now()), (extract(epoch FROM s.last_seen) * 1000)::bigint, s.t_ms,"           \
    " CASE WHEN place_shown(s) THEN s.lat END, CASE WHEN place_shown(s) THEN s.lon END,"           \
    " s.speed_kmh, CASE WHEN place_shown(s) THEN s.heading_deg END, s.ignition_on,"                \
    " s.private_since,"                                                                            \
    " v.version,"                                                                                  \
    " (extract(epoch FROM v.created_at) * 1000)::bigint,"                                          \
    " json_strip_nulls(json_build_object('detects', v.detects, 'record_ms', v.record_ms,"          \
    " 'model', v.model, 'group_name', v.group_name, 'displacement_l', v.displacement_l,"           \
    " 'tank_l', v.tank_l, 'redline_rpm', v.redline_rpm, 'nominal_v', v.nominal_v,"                 \
    " 'speed_limit_kmh', v.speed_limit_kmh, 'co2_kg_l', v.co2_kg_l, 'timezone', v.timezone,"       \
    " 'muted_until', rfc3339(v.muted_until), 'privacy', v.privacy)) "
#define VEHICLE_TABLES                                                                             \
    " vehicle v JOIN customer c ON c.id = v.customer_id LEFT JOIN vehicle_state s ON s.vin = "     \
    "v.vin "

/* One row as a JSON object; what was not measured is left out.  `whole` adds what lists leave
 * out: created_at and the sheet. */
void vehicle_row_render(struct text *out, const PGresult *rows, int row, bool whole);
long vehicle_row_version(const PGresult *rows, int row);

#endif
