/* services/ingest/again/minutes.c - the database counts, we ask and write down.  A query is
 * followed by a pause at least as long: the samples that come in have the database first. */
#include "minutes.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/stop.h"
#include "lib/store/influx.h"
#include "lib/store/postgres.h"
#include "lib/text.h"
#include "proto/json.h"
#include "proto/signals.h"
#include "proto/vin.h"
#include "services/ingest/commit/touched.h"
#include "services/ingest/record/meters.h"
#include "services/ingest/record/pace.h"
#include "services/ingest/record/record.h"
#include "services/ingest/record/session.h"
#include "setbacks.h"

#define ANSWER_MS 10000
#define LOOK_MS 1000
#define AWAY_MS 5000
#define JOIN_SPANS 6 /* an hour in one question */
#define ROWS 240
#define FAILED_MAX 3 /* vehicles in a row: it is the database then */

static const char *const functions[] = {"min", "max", "mean", "count", "last"};
#define FUNCTIONS (sizeof functions / sizeof *functions)

struct minutes {
    struct minutes_options set;
    struct pg *db;
    struct influx *influx;
    unsigned connections; /* when we last asked for the lock */
    bool ours, prepared, away;
    struct setbacks *setbacks;
    char after_vin[VIN_LEN + 1]; /* where the look goes on; "": from the first */
    int64_t after_span;
    struct text statement, lines;
    pthread_t thread;
    bool running;
};

/* ---- one of us per site: the lock goes with the connection */
static enum status take_turn(struct minutes *m, struct fault *fault)
{
    const char *params[] = {m->set.site};
    PGresult *rows = NULL;
    enum status st = pg_ready(m->db, fault);

    if (st != ST_OK || (m->ours && m->connections == pg_connections(m->db)))
        return st;
    m->connections = pg_connections(m->db);
    m->ours = false;
    st = pg_run(m->db, "SELECT pg_try_advisory_lock(hashtext('vigie minutes ' || $1))", 1, params,
                &rows, fault);
    if (st != ST_OK)
        return st;
    m->ours = PQgetvalue(rows, 0, 0)[0] == 't';
    PQclear(rows);
    return ST_OK;
}

/* What has rested long enough, after where the last look ended.  `keep`: is the whole span within
 * what is kept of its vehicle?  What is not would be computed from what a purge left of it. */
static enum status find_due(struct minutes *m, PGresult **rows, struct fault *fault)
{
    char wait[24], span[24], most[12];
    const char *params[] = {m->set.site, wait, m->after_vin, span, most};

    snprintf(wait, sizeof wait, "%lld", (long long)m->set.wait_ms);
    snprintf(span, sizeof span, "%lld", (long long)m->after_span);
    snprintf(most, sizeof most, "%d", ROWS);
    return pg_run(m->db,
                  "SELECT t.vin, t.span, t.touched_at, "
                  "coalesce(t.span > extract(epoch FROM now() - interval '1 day' * coalesce("
                  "c.retention_days, 60)) / 600, false) AND t.span >= coalesce((SELECT g.until_ms "
                  "FROM samples_gone g WHERE g.vin = t.vin), 0) / 600000 AS keep, "
                  "(SELECT string_agg(k, ',') FROM jsonb_object_keys(s.signals) AS k) AS signals "
                  "FROM touched t LEFT JOIN vehicle v ON v.vin = t.vin LEFT JOIN customer c "
                  "ON c.id = v.customer_id LEFT JOIN vehicle_state s ON s.vin = t.vin "
                  "WHERE t.site = $1 AND t.touched_at < now() - interval '1 ms' * $2::bigint "
                  "AND (t.vin, t.span) > ($3, $4::bigint) ORDER BY t.vin, t.span LIMIT $5::int",
                  5, params, rows, fault);
}

/* ---- one question */
static bool is_place(const char *path, size_t len)
{
    static const char place[] = "Vehicle.CurrentLocation.";

    return len >= sizeof place - 1 && memcmp(path, place, sizeof place - 1) == 0;
}

/* False: the vehicle has nothing to count. */
static bool make_statement(struct text *out, const char *vin, const char *signals, int64_t from_ms,
                           int64_t end_ms)
{
    const char *before = "SELECT ";

    text_clear(out);
    for (const char *at = signals; *at;) {
        size_t len = strcspn(at, ",");

        if (signal_find(at, len) != SIGNAL_NONE && !is_place(at, len))
            for (size_t f = 0; f < FUNCTIONS; f++, before = ", ")
                text_print(out, "%s%s(\"%.*s\") AS \"%s_%.*s\"", before, functions[f], (int)len, at,
                           functions[f], (int)len, at);
        at += len + (at[len] == ',');
    }
    text_print(out,
               " FROM telemetry WHERE vin = '%s' AND time >= %lldms AND time < %lldms "
               "GROUP BY time(1m) fill(none)",
               vin, (long long)from_ms, (long long)end_ms);
    return before[0] == ',' && !out->failed;
}

static void add_line(struct text *out, const char *vin, const json_t *columns, const json_t *row)
{
    char before = ' ', number[40];
    size_t begin = out->len;

    text_print(out, "telemetry_1m,vin=%s", vin);
    for (size_t i = 1; i < json_array_size(row); i++) {
        const json_t *v = json_array_get(row, i);
        const char *name = json_string_value(json_array_get(columns, i));

        if (!name || !json_is_number(v) || !isfinite(json_number_value(v)))
            continue;
        json_print_double(number, json_number_value(v));
        text_print(out, "%c%s=%s", before, name, number);
        before = ',';
    }
    if (before == ',')
        text_print(out, " %lld\n", (long long)json_integer_value(json_array_get(row, 0)));
    else
        out->len = begin;
}

static enum status compute(struct minutes *m, const char *vin, const char *signals, int64_t first,
                           int64_t last, struct fault *fault)
{
    json_t *answer = NULL, *row;
    const json_t *series;
    enum status st;
    size_t i;

    if (!make_statement(&m->statement, vin, signals, first * SPAN_MS, (last + 1) * SPAN_MS))
        return ST_OK;
    if ((st = influx_query(m->influx, m->statement.bytes, NULL, &answer, fault)) != ST_OK)
        return st;
    series = json_array_get(
        json_object_get(json_array_get(json_object_get(answer, "results"), 0), "series"), 0);
    text_clear(&m->lines);
    json_array_foreach(json_object_get(series, "values"), i, row)
    {
        add_line(&m->lines, vin, json_object_get(series, "columns"), row);
    }
    json_decref(answer);
    if (m->lines.failed)
        return fault_set(fault, ST_RETRY, "out of memory for minutes");
    st = influx_write_minutes(m->influx, m->lines.bytes, m->lines.len, fault);
    if (st == ST_OK)
        metric_add(meters.minutes, NULL, (double)i);
    return st;
}

/* ---- rows of `touched` */

/* Done, unless somebody touched it meanwhile. */
static enum status strike_out(struct minutes *m, const PGresult *rows, int row, struct fault *fault)
{
    const char *params[] = {m->set.site, PQgetvalue(rows, row, 0), PQgetvalue(rows, row, 1),
                            PQgetvalue(rows, row, 2)};

    return pg_run(m->db,
                  "DELETE FROM touched WHERE site = $1 AND vin = $2 AND span = $3::bigint "
                  "AND touched_at = $4::timestamptz",
                  4, params, NULL, fault);
}

static int64_t span_of(const PGresult *rows, int row)
{
    return pg_text_int8(rows, row, 1);
}

static bool is_kept(const PGresult *rows, int row)
{
    return PQgetvalue(rows, row, 3)[0] == 't' &&
           vin_is_valid(PQgetvalue(rows, row, 0), strlen(PQgetvalue(rows, row, 0)));
}

/* How many rows from `row` on are one question: neighbours of one vehicle. */
static int neighbours(const PGresult *rows, int row)
{
    int n = 1;

    while (n < JOIN_SPANS && row + n < PQntuples(rows) && is_kept(rows, row + n) &&
           span_of(rows, row + n) == span_of(rows, row) + n &&
           strcmp(PQgetvalue(rows, row + n, 0), PQgetvalue(rows, row, 0)) == 0)
        n++;
    return n;
}

/* Those from `row` on, *n of them; fewer where so many take too long.  It is this vehicle's fault
 * where the database answers others: ST_NONE, it waits. */
static enum status ask(struct minutes *m, const PGresult *rows, int row, int *n, int *failed,
                       struct fault *fault)
{
    const char *vin = PQgetvalue(rows, row, 0), *signals = PQgetvalue(rows, row, 4);
    int64_t from_ms = clock_boot_ms();
    struct fault away;
    enum status st =
        compute(m, vin, signals, span_of(rows, row), span_of(rows, row + *n - 1), fault);

    if (st == ST_RETRY && *n > 1 && !stop_asked()) {
        *n = 1;
        st = compute(m, vin, signals, span_of(rows, row), span_of(rows, row), fault);
    }
    if (st == ST_REJECT) { /* it would be refused again, and hold up the others */
        log_warn("minutes.refused", "vehicle=%s reason=\"%s\"", vin, fault->text);
        st = ST_OK;
    } else if (st == ST_RETRY && !stop_asked() && influx_ping(m->influx, &away) == ST_OK) {
        if (setbacks_add(m->setbacks, vin, false, clock_boot_ms()) == 1)
            log_warn("minutes.later", "vehicle=%s reason=\"%s\"", vin, fault->text);
        return ++*failed < FAILED_MAX ? ST_NONE : ST_RETRY;
    }
    if (st == ST_OK)
        setbacks_end(m->setbacks, vin);
    setbacks_rest(m->setbacks, vin, clock_boot_ms() - from_ms, clock_boot_ms());
    return st;
}

/* All rows of that vehicle, and those that did not fit here. */
static int pass_over(struct minutes *m, const PGresult *rows, int row)
{
    int n = 1;

    while (row + n < PQntuples(rows) &&
           strcmp(PQgetvalue(rows, row + n, 0), PQgetvalue(rows, row, 0)) == 0)
        n++;
    m->after_span = INT64_MAX;
    return n;
}

static enum status compute_rows(struct minutes *m, const PGresult *rows, struct fault *fault)
{
    enum status st = ST_OK;
    int failed = 0;

    for (int i = 0; i < PQntuples(rows) && st == ST_OK && !stop_asked();) {
        const char *vin = PQgetvalue(rows, i, 0);
        int n = is_kept(rows, i) ? neighbours(rows, i) : 1;
        int64_t began_ms = clock_boot_ms();

        if (is_kept(rows, i))
            st = setbacks_allow(m->setbacks, vin, began_ms) ? ask(m, rows, i, &n, &failed, fault)
                                                            : ST_NONE;
        text_copy(m->after_vin, sizeof m->after_vin, vin);
        m->after_span = span_of(rows, i + n - 1);
        for (int k = 0; k < n && st == ST_OK; k++)
            st = strike_out(m, rows, i + k, fault);
        if (st == ST_OK)
            stop_pause(pace_minutes_ms(clock_boot_ms() - began_ms, records_held_bytes()));
        i += st == ST_NONE ? pass_over(m, rows, i) : n;
        st = st == ST_NONE ? ST_OK : st;
    }
    return st;
}

/* *n: how many rows were due. */
static enum status step(struct minutes *m, int *n, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st;

    *n = 0;
    if ((st = take_turn(m, fault)) != ST_OK || !m->ours)
        return st;
    if (!m->prepared && (st = influx_prepare_minutes(m->influx, fault)) != ST_OK)
        return st;
    m->prepared = true;
    if ((st = find_due(m, &rows, fault)) != ST_OK)
        return st;
    *n = PQntuples(rows);
    st = compute_rows(m, rows, fault);
    PQclear(rows);
    if (st == ST_OK && *n < ROWS) { /* from the first again */
        m->after_vin[0] = '\0';
        *n = 0;
    }
    if (st == ST_FATAL)
        m->prepared = false; /* perhaps the database was dropped */
    return st;
}

static void *minutes_run(void *self)
{
    struct minutes *m = self;
    struct fault fault;
    enum status st;
    int n;

    do {
        fault.text[0] = '\0';
        st = step(m, &n, &fault);
        if (st != ST_OK && !m->away)
            log_warn("minutes.wait", "reason=\"%s\"", fault.text);
        m->away = st != ST_OK;
    } while (stop_pause(m->away ? AWAY_MS : n > 0 ? 0 : LOOK_MS));
    return NULL;
}

/* ---- life */
enum status minutes_start(struct minutes **out, const struct minutes_options *options,
                          struct fault *fault)
{
    struct minutes *m;
    enum status st;

    if (options->wait_ms == 0)
        return ST_OK;
    if (!(m = calloc(1, sizeof *m)))
        return fault_set(fault, ST_FATAL, "out of memory");
    m->set = *options;
    text_init(&m->statement);
    text_init(&m->lines);
    if ((st = session_open(&m->db, options->pg, "minutes", fault)) == ST_OK &&
        (st = influx_open(&m->influx, options->influx, "fleet", fault)) == ST_OK &&
        (st = setbacks_open(&m->setbacks, fault)) == ST_OK) {
        pg_set_patience(m->db, ANSWER_MS);
        m->running = pthread_create(&m->thread, NULL, minutes_run, m) == 0;
        if (!m->running)
            st = fault_set(fault, ST_FATAL, "cannot start the thread for minutes");
    }
    if (st != ST_OK) {
        minutes_join(m);
        return st;
    }
    *out = m;
    return ST_OK;
}

void minutes_join(struct minutes *m)
{
    if (!m)
        return;
    stop_ask(); /* already asked for, unless the program could not even start */
    if (m->running)
        pthread_join(m->thread, NULL);
    text_done(&m->statement);
    text_done(&m->lines);
    setbacks_close(m->setbacks);
    influx_close(m->influx);
    pg_close(m->db);
    free(m);
}
