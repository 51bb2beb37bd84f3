/* services/ingest/again/dues.c - `forecast` decides; a stage that is left or reached is told once.
 */
#include "dues.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text.h"
#include "proto/envelope.h"
#include "proto/vin.h"
#include "services/ingest/commit/meter_rows.h"
#include "services/ingest/commit/tell.h"
#include "services/ingest/facts/forecast.h"

/* $1: the vehicle's column.  Of each of the last N days, oldest last, since its first trip. */
#define DAYS(n, what)                                                                              \
    "(SELECT array_agg(coalesce(d.x, 0) ORDER BY g) FROM generate_series(0, least(" n              \
    ", (SELECT floor(extract(epoch FROM now() - min(f.start_at)) / 86400) FROM segment f WHERE "   \
    "f.vin = x.vin AND f.kind = 'trip' AND f.state <> 'superseded'))::int) g LEFT JOIN (SELECT "   \
    "floor(extract(epoch FROM now() - s.start_at) / 86400)::int AS ago, sum(" what                 \
    ") AS x FROM segment s WHERE s.vin = x.vin AND s.kind = 'trip' AND s.state <> 'superseded' "   \
    "AND s.start_at > now() - interval '91 d' GROUP BY 1) d ON d.ago = g)"
/* What a cluster that was swapped since `km` was read (at `since`; where nobody said when, before
 * we were told of it) takes off the meter.  Within a week of the swap the reading says whose it
 * is. */
#define SWAPPED(km, since)                                                                         \
    "coalesce((SELECT sum(e.b - e.a) FROM (SELECT occurred_at, detected_at, (data ->> "            \
    "'before_km')::float8 AS b, (data ->> 'after_km')::float8 AS a FROM event WHERE vin = x.vin "  \
    "AND type = 'odometer_reset' AND source = 'ingest' AND NOT withdrawn) e WHERE CASE "           \
    "WHEN " since " IS NULL THEN e.detected_at > x.created_at ELSE e.occurred_at > " since         \
    " AND (e.occurred_at > " since " + interval '7 d' OR abs(" km " - e.b) <= abs(" km             \
    " - e.a)) END), 0)"
/* What could not be told (no meter yet) is asked each time. */
#define DUE(unknown)                                                                               \
    "EXISTS (SELECT FROM vehicle v WHERE v.vin = x.vin AND v.status <> 'retired') AND "            \
    "(x.computed_at IS NULL OR x.computed_at < now() - interval '10 min' OR " unknown ")"

struct case_key {
    char vin[VIN_LEN + 1], type[32], subject[128];
};

struct dues {
    struct pg *db;
    struct case_key after; /* the last case looked at, of those whose subject may be gone */
    struct tell *tell;
    struct fact_states *states;
    struct meter_rows meters;
};

enum status dues_open(struct dues **out, struct pg *db, struct fault *fault)
{
    struct dues *d = calloc(1, sizeof *d);
    enum status st;

    if (!d)
        return fault_set(fault, ST_FATAL, "out of memory");
    d->db = db;
    if ((st = tell_open(&d->tell, db, fault)) != ST_OK ||
        (st = fact_states_open(&d->states, db, fault)) != ST_OK) {
        dues_close(d);
        return st;
    }
    *out = d;
    return ST_OK;
}

void dues_close(struct dues *d)
{
    if (!d)
        return;
    tell_close(d->tell);
    fact_states_close(d->states);
    meter_rows_done(&d->meters);
    free(d);
}

const struct alert_change_message *dues_changes(const struct dues *d, size_t *n)
{
    return tell_changes(d->tell, n);
}

/* "{1.5,0,...}" */
static size_t days_of(const PGresult *rows, int row, int column, double days[FORECAST_DAYS_MAX])
{
    const char *at = PQgetvalue(rows, row, column);
    size_t n = 0;

    while (*at && *at != '}' && n < FORECAST_DAYS_MAX) {
        char *end;

        days[n] = strtod(at + 1, &end);
        if (end == at + 1)
            break;
        n++;
        at = end;
    }
    return n;
}

/* What a row became while it was looked at, or whoever has it now, is looked at another time. */
#define UNCHANGED(table, id, xmin)                                                                 \
    " WHERE id = (SELECT id FROM " table " WHERE id = " id " AND xmin = " xmin                     \
    "::xid FOR UPDATE SKIP LOCKED) RETURNING id"

/* A stage was reached (worse than before), or left. */
static void tell_stage(struct dues *d, const char *vin, const char *type, const char *subject,
                       int stage, int before, const char *severity, const char *data,
                       int64_t now_ms)
{
    struct found f = {.occurred_ms = now_ms, .lat = (double)NAN, .lon = (double)NAN};

    if (stage == before)
        return;
    text_copy(f.type, sizeof f.type, type);
    text_copy(f.subject, sizeof f.subject, subject);
    text_copy(f.data, sizeof f.data, data);
    f.parts = stage == 0 ? FOUND_END : stage > before ? FOUND_EVENT | FOUND_ALERT : 0;
    for (int i = ALERT_INFO; i <= ALERT_CRITICAL; i++)
        if (!strcmp(alert_severity_word((enum alert_severity)i), severity))
            f.severity = (enum alert_severity)i;
    tell_found(d->tell, vin, &f, 1, now_ms);
}

static int find(const char *word, const char *const *words, int n)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(word, words[i]))
            return i;
    return 0;
}

static void print_time(char out[24], int64_t t_ms)
{
    out[0] = '\0';
    if (t_ms != FORECAST_NEVER)
        (void)snprintf(out, 24, "%lld", (long long)t_ms);
}

static void print_number(char out[32], double value)
{
    out[0] = '\0';
    if (isfinite(value))
        (void)snprintf(out, 32, "%.17g", value);
}

/* ---- maintenance */
enum {
    ID,
    PLAN_VIN,
    EVERY_KM,
    EVERY_H,
    EVERY_DAYS,
    LAST_KM,
    LAST_H,
    LAST,
    STAGE,
    KM,
    HOURS,
    KM_DAYS,
    HOUR_DAYS,
    PLAN_SEEN
};

static enum status take_plan(struct dues *d, const PGresult *rows, int row, int64_t now_ms,
                             struct fault *fault)
{
    static const char *const stages[] = {"fine", "soon", "due", "overdue"};
    static const char *const by[] = {"", "km", "hours", "date"};
    double days[FORECAST_DAYS_MAX];
    struct service_plan plan = {
        pg_text_float8(rows, row, EVERY_KM),   pg_text_float8(rows, row, EVERY_H),
        pg_text_float8(rows, row, EVERY_DAYS), pg_text_float8(rows, row, LAST_KM),
        pg_text_float8(rows, row, LAST_H),     pg_text_int8(rows, row, LAST)};
    struct usage now = {.now_ms = now_ms,
                        .km = pg_text_float8(rows, row, KM),
                        .hours = pg_text_float8(rows, row, HOURS)};
    char at[24], left[32], data[96];
    struct due due;
    const char *params[] = {PQgetvalue(rows, row, ID),       NULL, NULL, at, left,
                            PQgetvalue(rows, row, PLAN_SEEN)};
    enum status st;

    now.km_day = forecast_median(days, days_of(rows, row, KM_DAYS, days));
    now.hours_day = forecast_median(days, days_of(rows, row, HOUR_DAYS, days));
    due = forecast_service(&plan, &forecast_defaults, &now);
    (void)snprintf(data, sizeof data, "{\"stage\":\"%s\",\"by\":\"%s\",\"left\":%.6g}",
                   stages[due.stage], by[due.by], isfinite(due.left) ? due.left : 0);
    params[1] = stages[due.stage];
    params[2] = by[due.by];
    print_time(at, due.due_ms);
    print_number(left, due.left);
    st = pg_finds(d->db,
                  "UPDATE maintenance SET stage = $2, due_by = $3, due_at = "
                  "to_timestamp(nullif($4, '')::bigint / 1000.0), due_left = nullif($5, "
                  "'')::double precision, computed_at = now()" UNCHANGED("maintenance", "$1", "$6"),
                  6, params, fault);
    if (st == ST_OK)
        tell_stage(d, PQgetvalue(rows, row, PLAN_VIN), "maintenance_due", params[0], (int)due.stage,
                   find(PQgetvalue(rows, row, STAGE), stages, 4), due_severity(due.stage), data,
                   now_ms);
    return st == ST_NONE ? ST_OK : st;
}

/* ---- contracts */
enum {
    CONTRACT_VIN = 1,
    STARTS,
    ENDS,
    START_KM,
    CAP_KM,
    CONTRACT_STAGE,
    CONTRACT_KM,
    WAY_DAYS,
    CONTRACT_SEEN
};

static enum status take_contract(struct dues *d, const PGresult *rows, int row, int64_t now_ms,
                                 struct fault *fault)
{
    static const char *const stages[] = {"fine", "over_soon", "nearly_used"};
    static const char *const severities[] = {"", "warning", "major"};
    double days[FORECAST_DAYS_MAX], sum = 0;
    struct contract_span span = {pg_text_int8(rows, row, STARTS), pg_text_int8(rows, row, ENDS),
                                 pg_text_float8(rows, row, START_KM),
                                 pg_text_float8(rows, row, CAP_KM)};
    int before = find(PQgetvalue(rows, row, CONTRACT_STAGE), stages, 3);
    size_t n = days_of(rows, row, WAY_DAYS, days);
    char used[32], end[32], at[24], data[128];
    struct mileage m;
    const char *params[] = {PQgetvalue(rows, row, ID),           NULL, used, end, at,
                            PQgetvalue(rows, row, CONTRACT_SEEN)};
    enum status st;

    for (size_t i = 0; i < n; i++)
        sum += days[i];
    m = forecast_mileage(&span, &forecast_defaults, now_ms, pg_text_float8(rows, row, CONTRACT_KM),
                         n > 0 ? sum / (double)n : (double)NAN, (enum mileage_stage)before);
    print_number(used, m.used_km);
    print_number(end, m.end_km);
    print_time(at, m.cap_ms);
    (void)snprintf(data, sizeof data, "{\"stage\":\"%s\",\"used_km\":%.6g,\"cap_km\":%.6g}",
                   stages[m.stage], isfinite(m.used_km) ? m.used_km : 0, span.cap_km);
    params[1] = stages[m.stage];
    st = pg_finds(d->db,
                  "UPDATE contract SET stage = $2, used_km = nullif($3, '')::double precision, "
                  "end_km = nullif($4, '')::double precision, cap_at = "
                  "to_timestamp(nullif($5, '')::bigint / 1000.0), computed_at = now()" UNCHANGED(
                      "contract", "$1", "$6"),
                  6, params, fault);
    if (st == ST_OK)
        tell_stage(d, PQgetvalue(rows, row, CONTRACT_VIN), "contract_mileage", params[0],
                   (int)m.stage, before, severities[m.stage], data, now_ms);
    return st == ST_NONE ? ST_OK : st;
}

/* ---- meters somebody read */
enum { ENTRY_VIN = 1, ENTRY_M, ENTRY_H, ENTRY_AT };

static enum status take_entry(struct dues *d, const PGresult *rows, int row, int64_t now_ms,
                              struct fault *fault)
{
    const char *vins[] = {PQgetvalue(rows, row, ENTRY_VIN)};
    const char *params[] = {PQgetvalue(rows, row, ID)};
    double metres = pg_text_float8(rows, row, ENTRY_M), hours = pg_text_float8(rows, row, ENTRY_H);
    int64_t at_ms = pg_text_int8(rows, row, ENTRY_AT);
    struct fact_row state;
    enum status st;

    at_ms = at_ms < now_ms ? at_ms : now_ms; /* nobody read it tomorrow */
    if ((st = fact_states_lock(d->states, vins, 1, fault)) != ST_OK)
        return st;
    fact_states_get(d->states, 0, &state);
    if (isfinite(metres))
        odometer_enter(&state.car.odometer, &odometer_defaults, at_ms, metres);
    if (isfinite(hours))
        odometer_enter_hours(&state.car.odometer, at_ms, hours);
    fact_states_put(d->states, &state);
    meter_rows_add(&d->meters, vins[0], &state.car);
    if ((st = fact_states_write(d->states, fault)) != ST_OK ||
        (st = meter_rows_write(&d->meters, d->db, fault)) != ST_OK)
        return st;
    return pg_run(d->db, "UPDATE meter_entry SET taken_at = now() WHERE id = $1", 1, params, NULL,
                  fault);
}

/* ---- cases of which nobody would find the end: what they are about was deleted, disabled, is over
 * or no longer about the vehicle.  A slice of them at a time, in the order of their index, so that
 * a look costs the same however many there are. */
#define SLICE "1000"
#define SLICE_ROWS 1000
#define CASES                                                                                      \
    "state <> 'cleared' AND ended_at IS NULL AND type IN ('rule', 'geofence_dwell', "              \
    "'maintenance_due', 'contract_mileage')"
enum { CASE_VIN, CASE_TYPE, CASE_SUBJECT, CASE_COUNT, CASE_OVER };

/* Those that are over, and the last of the slice.  LIMIT 1 and IS NOT DISTINCT FROM keep the
 * planner from reading whole tables for a few rows of them. */
static const char over[] =
    "SELECT vin, type, subject, n, over FROM (SELECT a.vin, a.type, a.subject, count(*) OVER () AS "
    "n, lead(a.vin) OVER (ORDER BY a.vin, a.type, a.subject) IS NULL AS last, NOT CASE a.type "
    "WHEN 'rule' THEN EXISTS (SELECT FROM rule x WHERE x.id = s.id AND "
    "x.customer_id = v.customer_id AND x.enabled AND x.group_name IN ('', v.group_name) AND "
    "coalesce(x.vin, a.vin) = a.vin) "
    "WHEN 'geofence_dwell' THEN EXISTS (SELECT FROM geofence x WHERE x.id = s.id AND "
    "x.customer_id = v.customer_id AND x.dwell_s > 0 AND x.group_name IN ('', v.group_name)) "
    "WHEN 'maintenance_due' THEN EXISTS (SELECT FROM maintenance x WHERE x.id = s.id AND "
    "x.vin IS NOT DISTINCT FROM a.vin) "
    "ELSE EXISTS (SELECT FROM contract x WHERE x.id = s.id AND x.vin IS NOT DISTINCT FROM a.vin "
    "AND x.cap_km IS NOT NULL AND now() BETWEEN x.starts_on AND x.ends_on + 1) END AND "
    "coalesce((SELECT x.last_at <= now() FROM alert x WHERE x.vin = a.vin AND x.type = a.type AND "
    "x.subject = a.subject AND x.state <> 'cleared' AND x.ending <> 'point' LIMIT 1), true) AS "
    "over "
    "FROM (SELECT vin, type, subject FROM alert WHERE " CASES
    " AND (vin, type, subject) > ($1, $2, $3) ORDER BY vin, type, subject LIMIT " SLICE ") a "
    "CROSS JOIN LATERAL (SELECT customer_id, group_name FROM vehicle WHERE vin = a.vin LIMIT 1) v "
    "CROSS JOIN LATERAL (SELECT CASE WHEN a.subject ~ "
    "'^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN a.subject::uuid END AS id) s) c "
    "WHERE last OR over ORDER BY vin, type, subject";

static enum status take_over(struct dues *d, const PGresult *rows, int row, int64_t now_ms,
                             struct fault *fault)
{
    struct found f = {
        .parts = FOUND_END, .occurred_ms = now_ms, .lat = (double)NAN, .lon = (double)NAN};
    const char *params[] = {PQgetvalue(rows, row, CASE_SUBJECT)};

    text_copy(f.type, sizeof f.type, PQgetvalue(rows, row, CASE_TYPE));
    text_copy(f.subject, sizeof f.subject, params[0]);
    tell_found(d->tell, PQgetvalue(rows, row, CASE_VIN), &f, 1, now_ms);
    if (strcmp(f.type, "contract_mileage") != 0 || !uuid_is_valid(params[0], strlen(params[0])))
        return ST_OK;
    return pg_run(d->db, /* one that is prolonged may warn again */
                  "UPDATE contract SET stage = 'fine' WHERE id = $1 AND stage <> 'fine'", 1, params,
                  NULL, fault);
}

/* ---- all */
#define PLAN_SWAPPED SWAPPED("x.last_km", "x.last_at")
#define PLAN_KM_DAYS DAYS("27", "s.distance_m / 1000")
#define PLAN_HOUR_DAYS DAYS("27", "s.engine_ms / 3600000.0")
#define PLAN_DUE DUE("x.due_by = ''")
#define CONTRACT_SWAPPED SWAPPED("x.start_km", "x.starts_on::timestamptz")
#define CONTRACT_DAYS DAYS("89", "s.distance_m / 1000")
#define CONTRACT_DUE DUE("x.used_km IS NULL")
#define NEXT " ORDER BY x.computed_at NULLS FIRST LIMIT 100"

static const char plans[] =
    "SELECT x.id, x.vin, x.every_km, x.every_h, x.every_days, x.last_km, x.last_h, ms(x.last_at), "
    "x.stage, m.odometer_m / 1000 + " PLAN_SWAPPED ", m.engine_h, " PLAN_KM_DAYS ", " PLAN_HOUR_DAYS
    ", x.xmin"
    " FROM maintenance x LEFT JOIN vehicle_meter m ON m.vin = x.vin WHERE " PLAN_DUE NEXT;

static const char contracts[] =
    "SELECT x.id, x.vin, ms(x.starts_on::timestamptz), ms((x.ends_on + 1)::timestamptz), "
    "x.start_km, x.cap_km, x.stage, m.odometer_m / 1000 + " CONTRACT_SWAPPED ", " CONTRACT_DAYS
    ", x.xmin"
    " FROM contract x LEFT JOIN vehicle_meter m ON m.vin = x.vin WHERE x.cap_km IS NOT NULL AND "
    "now() BETWEEN x.starts_on AND x.ends_on + 1 AND " CONTRACT_DUE NEXT;

/* Entries in the order of the vehicles: whose states are locked in that order by all. */
static const char entries[] =
    "SELECT x.id, x.vin, x.odometer_m, x.engine_h, ms(x.at) FROM (SELECT * FROM meter_entry "
    "WHERE taken_at IS NULL ORDER BY at LIMIT 100 FOR UPDATE SKIP LOCKED) x ORDER BY x.vin, x.at";

/* Whose vehicles are ours. */
struct dues_look {
    bool (*is_ours)(void *self, const char *vin);
    void *self;
    int64_t now_ms;
};

typedef enum status (*take_one)(struct dues *d, const PGresult *rows, int row, int64_t now_ms,
                                struct fault *fault);

static enum status take_ours(struct dues *d, const PGresult *rows, int vin, take_one take,
                             const struct dues_look *look, struct fault *fault)
{
    enum status st = ST_OK;

    for (int i = 0; st == ST_OK && i < PQntuples(rows); i++)
        if (look->is_ours(look->self, PQgetvalue(rows, i, vin)))
            st = take(d, rows, i, look->now_ms, fault);
    return st;
}

static enum status end(struct dues *d, enum status st, struct fault *fault)
{
    if (st == ST_OK)
        return pg_commit(d->db, fault);
    pg_rollback(d->db);
    return st;
}

/* In a transaction of their own: the state of a car is what its records wait for. */
static enum status take_entries(struct dues *d, const struct dues_look *look, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st = pg_begin(d->db, fault);

    if (st != ST_OK)
        return st;
    if ((st = pg_run(d->db, entries, 0, NULL, &rows, fault)) == ST_OK)
        st = take_ours(d, rows, ENTRY_VIN, take_entry, look, fault);
    PQclear(rows);
    return end(d, st, fault);
}

static bool is_true(const PGresult *rows, int row, int column)
{
    return PQgetvalue(rows, row, column)[0] == 't';
}

/* What is over of the slice, and where the next begins; after the last one the first. */
static enum status take_slice(struct dues *d, const PGresult *rows, const struct dues_look *look,
                              struct fault *fault)
{
    int n = PQntuples(rows);
    enum status st = ST_OK;

    for (int i = 0; st == ST_OK && i < n; i++)
        if (is_true(rows, i, CASE_OVER) && look->is_ours(look->self, PQgetvalue(rows, i, CASE_VIN)))
            st = take_over(d, rows, i, look->now_ms, fault);
    d->after = (struct case_key){"", "", ""};
    if (st == ST_OK && n > 0 && pg_text_int8(rows, n - 1, CASE_COUNT) == SLICE_ROWS) {
        text_copy(d->after.vin, sizeof d->after.vin, PQgetvalue(rows, n - 1, CASE_VIN));
        text_copy(d->after.type, sizeof d->after.type, PQgetvalue(rows, n - 1, CASE_TYPE));
        text_copy(d->after.subject, sizeof d->after.subject, PQgetvalue(rows, n - 1, CASE_SUBJECT));
    }
    return st;
}

/* What was looked at is written, if it is as it was. */
static enum status take_dues(struct dues *d, const PGresult *plan, const PGresult *contract,
                             const PGresult *cases, const struct dues_look *look,
                             struct fault *fault)
{
    enum status st = pg_begin(d->db, fault);

    if (st != ST_OK)
        return st;
    if ((st = take_ours(d, plan, PLAN_VIN, take_plan, look, fault)) == ST_OK &&
        (st = take_ours(d, contract, CONTRACT_VIN, take_contract, look, fault)) == ST_OK &&
        (st = take_slice(d, cases, look, fault)) == ST_OK)
        st = tell_write(d->tell, look->now_ms, fault);
    return end(d, st, fault);
}

enum status dues_step(struct dues *d, bool (*is_ours)(void *self, const char *vin), void *self,
                      int64_t now_ms, struct fault *fault)
{
    const char *after[] = {d->after.vin, d->after.type, d->after.subject};
    const struct dues_look look = {is_ours, self, now_ms};
    PGresult *plan = NULL, *contract = NULL, *cases = NULL;
    enum status st;

    tell_forget(d->tell);
    meter_rows_forget(&d->meters);
    if ((st = pg_ready(d->db, fault)) == ST_OK && (st = take_entries(d, &look, fault)) == ST_OK &&
        (st = pg_run(d->db, plans, 0, NULL, &plan, fault)) == ST_OK &&
        (st = pg_run(d->db, contracts, 0, NULL, &contract, fault)) == ST_OK &&
        (st = pg_run(d->db, over, 3, after, &cases, fault)) == ST_OK)
        st = take_dues(d, plan, contract, cases, &look, fault);
    PQclear(plan);
    PQclear(contract);
    PQclear(cases);
    return st;
}
