/* services/ingest/commit/meter_rows.c - written whenever the open rows are; what is not known takes
 * nothing away. */
#include "meter_rows.h"

#include <math.h>
#include <string.h>

void meter_rows_add(struct meter_rows *m, const char *vin, const struct car *car)
{
    static const Oid types[] = {PG_TEXT,   PG_INT8,   PG_FLOAT8, PG_TEXT,
                                PG_FLOAT8, PG_FLOAT8, PG_FLOAT8};
    static const char *const words[] = {"", "estimated", "car"};
    struct pg_array *at = m->c.column;
    enum odometer_source source;
    double metres = odometer_m(&car->odometer, &source);
    double hours = odometer_engine_h(&car->odometer), idle_h = car->odometer.idle_h;

    if (!m->begun)
        columns_begin(&m->c, 7, types);
    m->begun = true;
    pg_array_text(&at[0], vin, strlen(vin));
    pg_array_int8(&at[1], car_t_ms(car));
    columns_add_double(&at[2], isfinite(metres), metres);
    pg_array_text(&at[3], words[source], strlen(words[source]));
    columns_add_double(&at[4], isfinite(hours), hours);
    columns_add_double(&at[5], isfinite(idle_h), idle_h);
    columns_add_double(&at[6], car->odometer.factor > 0, car->odometer.factor);
}

void meter_rows_forget(struct meter_rows *m)
{
    m->begun = false;
}

enum status meter_rows_write(struct meter_rows *m, struct pg *db, struct fault *fault)
{
    enum status st = ST_OK;

    if (m->begun)
        st = columns_queue(
            &m->c, db, 7,
            "INSERT INTO vehicle_meter AS m (vin, at, odometer_m, source, engine_h, idle_h, "
            "factor) "
            "SELECT v, to_timestamp(t / 1000.0), o, s, e, i, f "
            "FROM unnest($1, $2, $3, $4, $5, $6, $7) AS x (v, t, o, s, e, i, f) "
            "ON CONFLICT (vin) DO UPDATE SET at = greatest(excluded.at, m.at), "
            "odometer_m = coalesce(excluded.odometer_m, m.odometer_m), "
            "source = CASE WHEN excluded.odometer_m IS NULL THEN m.source ELSE excluded.source "
            "END, engine_h = coalesce(excluded.engine_h, m.engine_h), "
            "idle_h = coalesce(excluded.idle_h, m.idle_h), "
            "factor = coalesce(excluded.factor, m.factor)",
            NULL, fault);
    m->begun = false;
    return st;
}

void meter_rows_done(struct meter_rows *m)
{
    columns_done(&m->c);
}
