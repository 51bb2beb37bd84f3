/* services/ingest/again/scores.c - sums of a trip and of what happened in it; `score` decides. */
#include "scores.h"

#include <math.h>
#include <stdio.h>

#include "lib/text.h"
#include "services/ingest/commit/columns.h"
#include "services/ingest/facts/score.h"

enum {
    ID,
    KM,
    IDLE_S,
    ENGINE_S,
    MOVING_S,
    HIGH_S,
    RPM_S,
    COLD_S,
    LOAD_S,
    BAND_1,
    BAND_2,
    BAND_3,
    ABOVE_S,
    LIMITED,
    SLOPES
};

static const char *const terms[SCORE_TERMS] = {"harsh", "idle", "overspeed", "high_rpm",
                                               "cold_load"};

static struct score_sums sums_of(const PGresult *rows, int row)
{
    struct score_sums s = {
        .km = pg_text_float8(rows, row, KM),
        .idle_s = pg_text_float8(rows, row, IDLE_S),
        .engine_s = pg_text_float8(rows, row, ENGINE_S),
        .above_s = pg_text_float8(rows, row, ABOVE_S),
        .moving_s = pg_text_float8(rows, row, MOVING_S),
        .high_rpm_s = pg_text_float8(rows, row, HIGH_S),
        .cold_s = pg_text_float8(rows, row, COLD_S),
    };

    for (int i = 0; i < 3; i++)
        s.bands[i] = (int)pg_text_float8(rows, row, BAND_1 + i);
    s.measured[SCORE_HARSH] = *PQgetvalue(rows, row, SLOPES) == 't';
    s.measured[SCORE_IDLE] = s.engine_s > 0;
    s.measured[SCORE_OVERSPEED] = s.moving_s > 0 && *PQgetvalue(rows, row, LIMITED) == 't';
    s.measured[SCORE_RPM] = pg_text_float8(rows, row, RPM_S) > 0;
    s.measured[SCORE_COLD] = pg_text_float8(rows, row, LOAD_S) > 0;
    return s;
}

static void add_score(struct columns *c, struct text *text, const PGresult *rows, int row)
{
    struct score_sums sums = sums_of(rows, row);
    struct score score = score_trip(&sums, &score_defaults);

    text_clear(text);
    text_add(text, "{", 1);
    for (int i = 0; i < SCORE_TERMS; i++)
        if (isfinite(score.penalty[i]))
            text_print(text, "%s\"%s\":%.6g", text->len > 1 ? "," : "", terms[i], score.penalty[i]);
    text_add(text, "}", 1);
    pg_array_uuid(&c->column[0], PQgetvalue(rows, row, ID));
    columns_add_double(&c->column[1], score.present, score.value);
    pg_array_jsonb(&c->column[2], text->bytes, text->len);
}

/* Harsh manoeuvres show where the car looks for them itself, at its own pace, or where it told
 * speeds often enough for most of the way.  A limit is known where the vehicle, its customer or a
 * zone has one.  What a car itself says of its speeding may hold anything, and would count twice:
 * ours was measured. */
static enum status read_trips(struct pg *db, PGresult **rows, struct fault *fault)
{
    return pg_run(
        db,
        "SELECT s.id, s.distance_m / 1000, s.idle_ms / 1000.0, s.engine_ms / 1000.0, "
        "s.moving_ms / 1000.0, s.high_rpm_ms / 1000.0, s.rpm_ms / 1000.0, s.cold_load_ms / 1000.0, "
        "s.load_ms / 1000.0, e.b1, e.b2, e.b3, e.above, v.speed_limit_kmh IS NOT NULL OR "
        "c.speed_limit_kmh IS NOT NULL OR e.above > 0, s.moving_ms > 0 AND "
        "(v.detects = 'agent' OR s.slope_ms * 2 >= s.moving_ms) "
        "FROM segment s JOIN vehicle v ON v.vin = s.vin JOIN customer c ON c.id = v.customer_id "
        "CROSS JOIN LATERAL (SELECT "
        "count(*) FILTER (WHERE e.type LIKE 'harsh%' AND e.data ->> 'band' = '1') AS b1, "
        "count(*) FILTER (WHERE e.type LIKE 'harsh%' AND e.data ->> 'band' = '2') AS b2, "
        "count(*) FILTER (WHERE e.type LIKE 'harsh%' AND e.data ->> 'band' = '3') AS b3, "
        "coalesce(sum(CASE WHEN e.type = 'overspeed' AND e.source = 'ingest' THEN "
        "(e.data ->> 'above_ms')::float8 / 1000 END), 0) AS above "
        "FROM event e WHERE e.vin = s.vin AND NOT e.withdrawn AND "
        "e.occurred_at BETWEEN s.start_at AND s.end_at) e "
        "WHERE s.kind = 'trip' AND s.state = 'closed' AND NOT s.provisional AND "
        "s.score_terms IS NULL ORDER BY s.end_at LIMIT 100 FOR UPDATE OF s SKIP LOCKED",
        0, NULL, rows, fault);
}

static enum status write_scores(struct pg *db, const PGresult *rows, struct fault *fault)
{
    static const Oid types[] = {PG_UUID, PG_FLOAT8, PG_JSONB};
    static struct columns c; /* one thread */
    struct text text;
    enum status st;

    text_init(&text);
    columns_begin(&c, 3, types);
    for (int i = 0; i < PQntuples(rows); i++)
        add_score(&c, &text, rows, i);
    st = columns_run(&c, db, 3,
                     "UPDATE segment s SET score = f.v, score_terms = f.t "
                     "FROM unnest($1, $2, $3) AS f (i, v, t) WHERE s.id = f.i",
                     NULL, fault);
    text_done(&text);
    columns_done(&c);
    return st;
}

enum status scores_step(struct pg *db, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st;

    if ((st = pg_ready(db, fault)) != ST_OK || (st = pg_begin(db, fault)) != ST_OK)
        return st;
    if ((st = read_trips(db, &rows, fault)) == ST_OK)
        st = write_scores(db, rows, fault);
    PQclear(rows);
    if (st == ST_OK)
        return pg_commit(db, fault);
    pg_rollback(db);
    return st;
}
