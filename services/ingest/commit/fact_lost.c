/* services/ingest/commit/fact_lost.c - two questions, once per vehicle and upgrade. */
#include "fact_lost.h"

#include <string.h>

#include "proto/envelope.h"

void fact_lost_forget(struct fact_lost *l)
{
    PQclear(l->shown);
    PQclear(l->told);
    *l = (struct fact_lost){0};
}

static enum status ask(struct pg *db, const struct pg_array *vins, const char *sql, PGresult **rows,
                       struct fault *fault)
{
    const Oid types[] = {pg_array_type(vins)};
    const char *const params[] = {vins->bytes};
    const int lengths[] = {(int)vins->len}, formats[] = {1};

    return pg_run_typed(db, sql, 1, types, params, lengths, formats, rows, fault);
}

enum status fact_lost_read(struct fact_lost *l, struct pg *db, const struct pg_array *vins,
                           struct fault *fault)
{
    enum status st;

    fact_lost_forget(l);
    st = ask(db, vins,
             "SELECT f.vin, m.source, m.odometer_m, m.engine_h, m.idle_h, ms(m.at), m.factor, "
             "f.stream, f.passed_seq FROM unnest($1) AS k (v) JOIN fact_state f ON f.vin = k.v "
             "LEFT JOIN vehicle_meter m ON m.vin = k.v",
             &l->shown, fault);
    if (st != ST_OK)
        return st;
    return ask(db, vins,
               "SELECT a.vin, a.type, a.subject, ms(a.occurred_at) FROM unnest($1) AS k (v) JOIN "
               "alert a ON a.vin = k.v WHERE a.ending <> 'point' AND (a.held_down OR "
               "(a.state <> 'cleared' AND a.ended_at IS NULL)) ORDER BY a.occurred_at",
               &l->told, fault);
}

static void resume(const PGresult *rows, int row, struct car *out)
{
    const char *source = PQgetvalue(rows, row, 1);
    struct odometer_shown shown = {
        .source = !*source                     ? ODOMETER_UNKNOWN
                  : strcmp(source, "car") == 0 ? ODOMETER_CAR
                                               : ODOMETER_ESTIMATED,
        .m = pg_text_float8(rows, row, 2),
        .engine_h = pg_text_float8(rows, row, 3),
        .idle_h = pg_text_float8(rows, row, 4),
        .at_ms = pg_text_int8(rows, row, 5),
        .factor = pg_text_float8(rows, row, 6),
    };

    odometer_resume(&out->odometer, &shown);
    (void)uuid_scan(out->stream, PQgetvalue(rows, row, 7));
    out->passed_seq = pg_text_int8(rows, row, 8);
}

void fact_lost_begin(const struct fact_lost *l, const char *vin, int64_t t_ms, struct car *out)
{
    car_lose(out, t_ms);
    for (int i = 0; i < PQntuples(l->shown); i++)
        if (!strcmp(PQgetvalue(l->shown, i, 0), vin))
            resume(l->shown, i, out);
    for (int i = 0; i < PQntuples(l->told); i++)
        if (!strcmp(PQgetvalue(l->told, i, 0), vin))
            detect_told(&out->detect, PQgetvalue(l->told, i, 1), PQgetvalue(l->told, i, 2),
                        pg_text_int8(l->told, i, 3));
}
