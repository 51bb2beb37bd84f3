/* services/api/vehicle_row.c - one vehicle as JSON. */
#include "vehicle_row.h"

#include <stdlib.h>

#include "render.h"

enum column {
    VIN,
    NAME,
    PLATE,
    MAKE,
    CLASS,
    FUEL,
    STATUS,
    CUSTOMER_ID,
    CUSTOMER_NAME,
    CONNECTIVITY,
    LAST_SEEN,
    T,
    LAT,
    LON,
    SPEED,
    HEADING,
    IGNITION,
    PRIVATE,
    VERSION,
    CREATED,
    SHEET
};

static void add_text(struct text *out, const char *key, const PGresult *rows, int row, int column)
{
    render_key(out, key);
    render_text(out, PQgetvalue(rows, row, column));
}

static void add_double(struct text *out, const char *key, const PGresult *rows, int row, int column)
{
    if (PQgetisnull(rows, row, column))
        return;
    render_key(out, key);
    render_double(out, strtod(PQgetvalue(rows, row, column), NULL));
}

static void add_time(struct text *out, const char *key, const PGresult *rows, int row, int column)
{
    if (PQgetisnull(rows, row, column))
        return;
    render_key(out, key);
    render_time(out, strtoll(PQgetvalue(rows, row, column), NULL, 10));
}

long vehicle_row_version(const PGresult *rows, int row)
{
    return strtol(PQgetvalue(rows, row, VERSION), NULL, 10);
}

void vehicle_row_render(struct text *out, const PGresult *rows, int row, bool whole)
{
    text_print(out, "{");
    add_text(out, "vin", rows, row, VIN);
    add_text(out, "name", rows, row, NAME);
    add_text(out, "plate", rows, row, PLATE);
    add_text(out, "make", rows, row, MAKE);
    text_print(out, ",\"customer\":{");
    add_text(out, "id", rows, row, CUSTOMER_ID);
    add_text(out, "name", rows, row, CUSTOMER_NAME);
    text_print(out, "}");
    add_text(out, "class", rows, row, CLASS);
    add_text(out, "fuel", rows, row, FUEL);
    add_text(out, "status", rows, row, STATUS);
    add_text(out, "connectivity", rows, row, CONNECTIVITY);
    add_time(out, "last_seen", rows, row, LAST_SEEN);
    add_time(out, "t", rows, row, T);
    add_double(out, "lat", rows, row, LAT);
    add_double(out, "lon", rows, row, LON);
    add_double(out, "speed", rows, row, SPEED);
    add_double(out, "heading", rows, row, HEADING);
    if (!PQgetisnull(rows, row, IGNITION))
        text_print(out, ",\"ignition\":%s",
                   PQgetvalue(rows, row, IGNITION)[0] == 't' ? "true" : "false");
    add_time(out, "private_since", rows, row, PRIVATE);
    text_print(out, ",\"version\":%ld", vehicle_row_version(rows, row));
    if (whole) {
        add_time(out, "created_at", rows, row, CREATED);
        text_print(out, ",%s", PQgetvalue(rows, row, SHEET) + 1); /* without its first brace */
    } else {
        text_print(out, "}");
    }
}
