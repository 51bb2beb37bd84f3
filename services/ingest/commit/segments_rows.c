/* services/ingest/commit/segments_rows.c - a segment as a row, both ways, to the last bit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "segments_inside.h"

static const Oid types[SEGMENT_COLUMNS] = {
    PG_UUID,   PG_TEXT,   PG_TEXT,   PG_TEXT,   PG_INT2,   PG_INT2,   PG_INT8,   PG_INT8,
    PG_INT8,   PG_FLOAT8, PG_FLOAT8, PG_FLOAT8, PG_FLOAT8, PG_FLOAT8, PG_FLOAT8, PG_FLOAT8,
    PG_INT2,   PG_FLOAT8, PG_INT8,   PG_INT8,   PG_INT8,   PG_INT8,   PG_INT8,   PG_INT8,
    PG_FLOAT8, PG_TEXT,   PG_FLOAT8, PG_FLOAT8, PG_FLOAT8, PG_TEXT,   PG_TEXT,   PG_INT8,
    PG_FLOAT8, PG_FLOAT8, PG_FLOAT8, PG_FLOAT8, PG_FLOAT8, PG_TEXT,   PG_INT8,   PG_INT8,
    PG_INT8,   PG_INT8,   PG_INT8};

/* A row found for the first time has version 1; where its id was superseded before it goes on from
 * there. */
const char segment_insert[] =
    "INSERT INTO segment AS old (id, vin, kind, state, settled, provisional, version, start_at, "
    "end_at, start_lat, start_lon, end_lat, end_lon, distance_m, estimated_m, odometer_m, "
    "distance_check, max_speed_kmh, moving_ms, engine_ms, idle_ms, covered_ms, expected_ms, "
    "pause_ms, fuel_l, fuel_method, fuel_share, fuel_coverage, fuel_l_100km, fuel_litres, fuel_ms, "
    "fuel_expected_ms, co2_kg, odometer_start_m, odometer_end_m, level_start_percent, "
    "level_end_percent, end_reason, high_rpm_ms, rpm_ms, cold_load_ms, load_ms, slope_ms, "
    "driver_id) "
    "SELECT i, v, k, st, se <> 0, pr <> 0, ve, to_timestamp(sa / 1000.0), to_timestamp(ea / "
    "1000.0), sla, slo, ela, elo, di, es, od, dc <> 0, ms, mo, en, id, co, ex, pa, fl, fm, fs, fc, "
    "fk, fv::float8[], ft::bigint[], fe, c2, os, oe, ls, le, er, hr, rp, cd, lo, sl, "
    "CASE WHEN k = 'trip' THEN (SELECT d.driver_id FROM driver_assignment d WHERE d.vin = v AND "
    "d.from_at <= to_timestamp(sa / 1000.0) AND (d.to_at IS NULL OR d.to_at > to_timestamp(sa / "
    "1000.0)) ORDER BY d.from_at DESC, d.id DESC LIMIT 1) END "
    "FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, "
    "$19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, "
    "$37, $38, $39, $40, $41, $42, $43) AS f (i, v, k, st, se, pr, ve, sa, ea, sla, slo, ela, elo, "
    "di, "
    "es, od, dc, ms, mo, "
    "en, id, co, ex, pa, fl, fm, fs, fc, fk, fv, ft, fe, c2, os, oe, ls, le, er, hr, rp, cd, lo, "
    "sl) "
    "ON CONFLICT (id) DO UPDATE SET state = excluded.state, settled = excluded.settled, "
    "provisional = excluded.provisional, "
    "version = greatest(excluded.version, old.version + (old.state = 'superseded')::int), "
    "start_at = excluded.start_at, end_at = excluded.end_at, start_lat = excluded.start_lat, "
    "start_lon = excluded.start_lon, end_lat = excluded.end_lat, end_lon = excluded.end_lon, "
    "distance_m = excluded.distance_m, estimated_m = excluded.estimated_m, "
    "odometer_m = excluded.odometer_m, distance_check = excluded.distance_check, "
    "max_speed_kmh = excluded.max_speed_kmh, moving_ms = excluded.moving_ms, "
    "engine_ms = excluded.engine_ms, idle_ms = excluded.idle_ms, covered_ms = excluded.covered_ms, "
    "expected_ms = excluded.expected_ms, pause_ms = excluded.pause_ms, fuel_l = excluded.fuel_l, "
    "fuel_method = excluded.fuel_method, fuel_share = excluded.fuel_share, "
    "fuel_coverage = excluded.fuel_coverage, fuel_l_100km = excluded.fuel_l_100km, "
    "fuel_litres = excluded.fuel_litres, fuel_ms = excluded.fuel_ms, "
    "fuel_expected_ms = excluded.fuel_expected_ms, co2_kg = excluded.co2_kg, "
    "odometer_start_m = excluded.odometer_start_m, odometer_end_m = excluded.odometer_end_m, "
    "level_start_percent = excluded.level_start_percent, "
    "level_end_percent = excluded.level_end_percent, end_reason = excluded.end_reason, "
    "high_rpm_ms = excluded.high_rpm_ms, rpm_ms = excluded.rpm_ms, "
    "cold_load_ms = excluded.cold_load_ms, load_ms = excluded.load_ms, "
    "slope_ms = excluded.slope_ms, "
    "score = NULL, score_terms = NULL, "
    "driver_id = excluded.driver_id, updated_at = now()";

const char segment_select[] =
    "s.vin COLLATE \"C\", s.id, s.kind, s.state, s.provisional, s.version, "
    "(extract(epoch FROM s.start_at) * 1000)::bigint, (extract(epoch FROM s.end_at) * "
    "1000)::bigint, s.start_lat, s.start_lon, s.end_lat, s.end_lon, s.distance_m, s.estimated_m, "
    "s.max_speed_kmh, s.moving_ms, s.engine_ms, s.idle_ms, s.covered_ms, s.expected_ms, "
    "s.pause_ms, s.fuel_litres, s.fuel_ms, s.fuel_expected_ms, s.odometer_start_m, "
    "s.odometer_end_m, s.level_start_percent, s.level_end_percent, s.end_reason, s.high_rpm_ms, "
    "s.rpm_ms, s.cold_load_ms, s.load_ms, s.slope_ms";

/* ---- out */
static void add_word(struct pg_array *a, const char *word)
{
    pg_array_text(a, word, strlen(word));
}

static void add_known(struct pg_array *a, double value)
{
    columns_add_double(a, isfinite(value), value);
}

void segment_begin_columns(struct columns *c)
{
    columns_begin(c, SEGMENT_COLUMNS, types);
}

static void add_fuel(struct pg_array *at, struct text *text, const struct fuel_settings *fuel,
                     const struct segment *s)
{
    const struct fuel_sum *sum = &s->sum.fuel;
    double litres = fuel_litres(sum), share;
    enum fuel_method method = fuel_main_method(sum, &share);

    add_known(&at[0], litres);
    add_word(&at[1], fuel_word(method));
    add_known(&at[2], method == FUEL_NONE ? (double)NAN : share);
    add_known(&at[3], fuel_coverage(sum));
    add_known(&at[4], fuel_per_100_km(sum, fuel, s->sum.distance_m));
    text_clear(text);
    for (int i = 0; i < FUEL_METHODS; i++)
        text_print(text, "%c%.17g", i ? ',' : '{', sum->litres[i]);
    text_add(text, "}", 1);
    pg_array_text(&at[5], text->bytes, text->len);
    text_clear(text);
    for (int i = 0; i < FUEL_METHODS; i++)
        text_print(text, "%c%lld", i ? ',' : '{', (long long)sum->by_ms[i]);
    text_add(text, "}", 1);
    pg_array_text(&at[6], text->bytes, text->len);
    pg_array_int8(&at[7], sum->expected_ms);
    add_known(&at[8], isfinite(litres) ? fuel_co2_kg(fuel, litres) : litres);
}

static void add_sums(struct pg_array *at, const struct segment *s)
{
    bool check;
    double odometer_m = segment_odometer_m(s, &check);
    const int64_t times[] = {s->sum.moving_ms,  s->sum.engine_ms,   s->sum.idle_ms,
                             s->sum.covered_ms, s->sum.expected_ms, s->pause_ms};

    add_known(&at[0], s->sum.distance_m);
    add_known(&at[1], s->sum.estimated_m);
    add_known(&at[2], odometer_m);
    pg_array_int2(&at[3], check);
    add_known(&at[4], s->sum.max_kmh);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        pg_array_int8(&at[5 + i], times[i]);
}

void segment_add_columns(struct columns *c, struct text *text, const char *vin,
                         const struct fuel_settings *fuel, const struct segment *s, bool settled)
{
    struct pg_array *at = c->column;

    pg_array_uuid(&at[0], s->id);
    add_word(&at[1], vin);
    add_word(&at[2], segment_word(s->kind));
    add_word(&at[3], segment_state_word(s->state));
    pg_array_int2(&at[4], settled);
    pg_array_int2(&at[5], s->provisional);
    pg_array_int8(&at[6], s->version);
    pg_array_int8(&at[7], s->start_ms);
    pg_array_int8(&at[8], s->end_ms);
    add_known(&at[9], s->start.lat);
    add_known(&at[10], s->start.lon);
    add_known(&at[11], s->end.lat);
    add_known(&at[12], s->end.lon);
    add_sums(&at[13], s);
    add_fuel(&at[24], text, fuel, s);
    add_known(&at[33], s->odometer_start_m);
    add_known(&at[34], s->odometer_end_m);
    add_known(&at[35], s->level_start_percent);
    add_known(&at[36], s->level_end_percent);
    add_word(&at[37], end_reason_word(s->reason));
    pg_array_int8(&at[38], s->sum.high_rpm_ms);
    pg_array_int8(&at[39], s->sum.rpm_ms);
    pg_array_int8(&at[40], s->sum.cold_load_ms);
    pg_array_int8(&at[41], s->sum.load_ms);
    pg_array_int8(&at[42], s->sum.slope_ms);
}

/* ---- in */
static int find(const char *word, const char *(*name)(int), int n)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(word, name(i)))
            return i;
    return -1;
}

static const char *kind_name(int i)
{
    return segment_word((enum segment_kind)i);
}

static const char *state_name(int i)
{
    return segment_state_word((enum segment_state)i);
}

static const char *reason_name(int i)
{
    return end_reason_word((enum end_reason)i);
}

static void scan_fuel(const PGresult *rows, int row, struct fuel_sum *sum)
{
    const char *litres = PQgetvalue(rows, row, 21), *by_ms = PQgetvalue(rows, row, 22);

    for (int i = 0; i < FUEL_METHODS && *litres && *by_ms; i++) { /* {0,1.5,...} */
        char *end;

        sum->litres[i] = strtod(litres + 1, &end);
        litres = end;
        sum->by_ms[i] = strtoll(by_ms + 1, &end, 10);
        by_ms = end;
    }
    sum->expected_ms = pg_text_int8(rows, row, 23);
}

static void scan_sums(const PGresult *rows, int row, struct segment *s)
{
    struct tally *sum = &s->sum;
    int64_t *const times[] = {&sum->moving_ms,  &sum->engine_ms,   &sum->idle_ms,
                              &sum->covered_ms, &sum->expected_ms, &s->pause_ms};

    s->start = (struct place){pg_text_float8(rows, row, 8), pg_text_float8(rows, row, 9)};
    s->end = (struct place){pg_text_float8(rows, row, 10), pg_text_float8(rows, row, 11)};
    sum->distance_m = pg_text_float8(rows, row, 12);
    sum->estimated_m = pg_text_float8(rows, row, 13);
    sum->max_kmh = pg_text_float8(rows, row, 14);
    for (int i = 0; i < 6; i++)
        *times[i] = pg_text_int8(rows, row, 15 + i);
    scan_fuel(rows, row, &sum->fuel);
    s->odometer_start_m = pg_text_float8(rows, row, 24);
    s->odometer_end_m = pg_text_float8(rows, row, 25);
    s->level_start_percent = pg_text_float8(rows, row, 26);
    s->level_end_percent = pg_text_float8(rows, row, 27);
    sum->high_rpm_ms = pg_text_int8(rows, row, 29);
    sum->rpm_ms = pg_text_int8(rows, row, 30);
    sum->cold_load_ms = pg_text_int8(rows, row, 31);
    sum->load_ms = pg_text_int8(rows, row, 32);
    sum->slope_ms = pg_text_int8(rows, row, 33);
}

bool segment_scan(const PGresult *rows, int row, struct segment *out)
{
    int kind = find(PQgetvalue(rows, row, 2), kind_name, SEGMENT_LAPSE + 1);
    int state = find(PQgetvalue(rows, row, 3), state_name, SEGMENT_SUPERSEDED + 1);
    int reason = find(PQgetvalue(rows, row, 28), reason_name, END_SILENT + 1);

    if (kind < 0 || state < 0 || reason < 0)
        return false;
    segment_init(out, (enum segment_kind)kind, pg_text_int8(rows, row, 6));
    text_copy(out->id, sizeof out->id, PQgetvalue(rows, row, 1));
    out->state = (enum segment_state)state;
    out->provisional = *PQgetvalue(rows, row, 4) == 't';
    out->version = (int)pg_text_int8(rows, row, 5);
    out->end_ms = pg_text_int8(rows, row, 7);
    out->reason = (enum end_reason)reason;
    scan_sums(rows, row, out);
    return true;
}
