/* services/api/purge_samples.c - InfluxDB forgets whole days by itself; here the rest, and what a
 * customer wants to keep for less. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text.h"
#include "proto/vin.h"
#include "purge.h"

#define SPAN_MS (10 * 60 * 1000) /* ingest computes minutes by these: none is cut in two */
#define DAY_MS (INT64_C(24) * 3600 * 1000)
#define RAW "\"telemetry\""
#define MINUTES "\"minutes\".\"telemetry_1m\""

/* One statement; a database or policy that nobody made yet holds nothing. */
static enum status ask(struct purge *p, const char *statement, json_t **answer, struct fault *fault)
{
    enum status st = influx_query(p->influx, statement, NULL, answer, fault);

    if (st == ST_OK || st == ST_RETRY || !strstr(fault->text, "not found"))
        return st;
    *answer = json_object();
    return *answer ? ST_OK : fault_set(fault, ST_FATAL, "out of memory");
}

static const json_t *first_row(const json_t *answer)
{
    const json_t *result = json_array_get(json_object_get(answer, "results"), 0);
    const json_t *series = json_array_get(json_object_get(result, "series"), 0);

    return json_array_get(json_object_get(series, "values"), 0);
}

/* Values (not points) that `where` finds. */
static enum status count(struct purge *p, const char *from, const char *where, int64_t *out,
                         struct fault *fault)
{
    char statement[512];
    json_t *answer = NULL;
    const json_t *row;
    enum status st;

    snprintf(statement, sizeof statement, "SELECT count(*) FROM %s WHERE %s", from, where);
    if ((st = ask(p, statement, &answer, fault)) != ST_OK)
        return st;
    row = first_row(answer);
    *out = 0;
    for (size_t i = 1; i < json_array_size(row); i++)
        *out += json_integer_value(json_array_get(row, i));
    json_decref(answer);
    return ST_OK;
}

static enum status oldest(struct purge *p, const char *from, const char *where, int64_t *ms,
                          struct fault *fault)
{
    struct text statement;
    json_t *answer = NULL;
    enum status st;

    text_init(&statement);
    text_print(&statement, "SELECT * FROM %s%s%s ORDER BY time ASC LIMIT 1", from,
               where[0] ? " WHERE " : "", where);
    st = statement.failed ? fault_set(fault, ST_FATAL, "out of memory")
                          : ask(p, statement.bytes, &answer, fault);
    text_done(&statement);
    if (st != ST_OK)
        return st;
    *ms = json_integer_value(json_array_get(first_row(answer), 0));
    json_decref(answer);
    return ST_OK;
}

/* Of a dry run: the vehicles whose oldest samples would be gone, and the oldest of their others. */
struct spared {
    struct text others; /* what no such vehicle is: "" or "vin !~ /^(A|B" */
    int64_t oldest_ms;
};

static void add_older(int64_t *oldest_ms, int64_t ms)
{
    if (ms > 0 && (*oldest_ms == 0 || ms < *oldest_ms))
        *oldest_ms = ms;
}

/* Since when there are samples: their policy lets go of the rest. */
static enum status report_samples(struct purge *p, struct spared *spared, struct fault *fault)
{
    int64_t oldest_ms = 0;
    enum status st;

    if (spared->others.len > 0)
        text_print(&spared->others, ")$/");
    if (spared->others.failed)
        return fault_set(fault, ST_FATAL, "out of memory");
    st = oldest(p, RAW, spared->others.len > 0 ? spared->others.bytes : "", &oldest_ms, fault);
    if (st != ST_OK)
        return st;
    add_older(&oldest_ms, spared->oldest_ms);
    return purge_file(p, "samples", "60 days, the database's own clock cuts at 61", 0, "values",
                      oldest_ms, fault);
}

static enum status report_minutes(struct purge *p, struct fault *fault)
{
    int64_t oldest_ms = 0;
    enum status st = oldest(p, MINUTES, "", &oldest_ms, fault);

    return st == ST_OK ? purge_file(p, "minutes", "2 years, by the database's own clock", 0,
                                    "values", oldest_ms, fault)
                       : st;
}

/* ---- customers who keep less */
static enum status purge_slice(struct purge *p, const char *vin, int64_t from_ms, int64_t end_ms,
                               int64_t *removed, struct fault *fault)
{
    char where[128], statement[256];
    json_t *answer = NULL;
    int64_t n = 0;
    enum status st;

    snprintf(where, sizeof where, "vin = '%s' AND time >= %lldms AND time < %lldms", vin,
             (long long)from_ms, (long long)end_ms);
    if ((st = count(p, RAW, where, &n, fault)) != ST_OK)
        return st;
    *removed += n;
    if (n == 0 || p->dry)
        return ST_OK;
    snprintf(statement, sizeof statement, "DELETE FROM telemetry WHERE %s", where);
    st = ask(p, statement, &answer, fault);
    json_decref(answer);
    return st;
}

/* A dry run sets its marks in a copy that hides the table from this connection alone. */
static enum status copy_marks(struct purge *p, struct fault *fault)
{
    enum status st =
        pg_run(p->pg, "CREATE TEMP TABLE samples_gone (LIKE samples_gone INCLUDING ALL)", 0, NULL,
               NULL, fault);

    return st == ST_OK
               ? pg_run(p->pg, "INSERT INTO pg_temp.samples_gone SELECT * FROM public.samples_gone",
                        0, NULL, NULL, fault)
               : st;
}

/* Before anything is deleted: ingest computes nothing from what a purge left.  Never set back. */
static enum status mark(struct purge *p, const char *vin, int64_t until_ms, struct fault *fault)
{
    char until[24], sql[256];
    const char *params[] = {vin, until};

    (void)snprintf(until, sizeof until, "%lld", (long long)until_ms);
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO %s.samples_gone AS g (vin, until_ms) SELECT vin, $2::bigint FROM "
                   "vehicle WHERE vin = $1 ON CONFLICT (vin) DO UPDATE SET until_ms = "
                   "greatest(g.until_ms, excluded.until_ms)",
                   p->dry ? "pg_temp" : "public");
    return pg_run(p->pg, sql, 2, params, NULL, fault);
}

/* What becomes of a customer's samples: how many values go, and how old the rest is, 0 for none. */
struct sum {
    const char *kept;
    int64_t before_ms, removed, oldest_ms;
    struct spared *spared;
};

static enum status add_vehicle(struct purge *p, struct sum *sum, const char *vin, int64_t removed,
                               int64_t left_ms, struct fault *fault)
{
    char kind[48];

    sum->removed += removed;
    add_older(&sum->oldest_ms, left_ms);
    if (removed == 0)
        return ST_OK;
    snprintf(kind, sizeof kind, "samples of vehicle %s", vin);
    return purge_file(p, kind, sum->kept, removed, "values", left_ms, fault);
}

/* The oldest sample that is left of the vehicle, or would be. */
static enum status oldest_left(struct purge *p, struct sum *sum, const char *vin, int64_t *left_ms,
                               struct fault *fault)
{
    struct spared *spared = sum->spared;
    char of[80];
    enum status st;

    (void)snprintf(of, sizeof of, "vin = '%s' AND time >= %lldms", vin,
                   p->dry ? (long long)sum->before_ms : 0);
    if ((st = oldest(p, RAW, of, left_ms, fault)) != ST_OK || !p->dry)
        return st;
    text_print(&spared->others, "%s%s", spared->others.len > 0 ? "|" : "vin !~ /^(", vin);
    add_older(&spared->oldest_ms, *left_ms);
    return ST_OK;
}

/* A day at a time: a question has seconds to be answered. */
static enum status purge_vehicle(struct purge *p, const char *vin, struct sum *sum,
                                 struct fault *fault)
{
    int64_t before_ms = sum->before_ms, removed = 0, left_ms = 0;
    char of[48];
    enum status st;

    if (!vin_is_valid(vin, strlen(vin)))
        return ST_OK;
    snprintf(of, sizeof of, "vin = '%s'", vin);
    if ((st = oldest(p, RAW, of, &left_ms, fault)) != ST_OK)
        return st;
    if (left_ms > 0 && left_ms < before_ms && (st = mark(p, vin, before_ms, fault)) != ST_OK)
        return st;
    for (int64_t at = left_ms; at > 0 && at < before_ms && st == ST_OK; at += DAY_MS)
        st = purge_slice(p, vin, at, at + DAY_MS < before_ms ? at + DAY_MS : before_ms, &removed,
                         fault);
    if (st == ST_OK && (st = oldest_left(p, sum, vin, &left_ms, fault)) == ST_OK)
        st = add_vehicle(p, sum, vin, removed, left_ms, fault);
    return st;
}

static enum status purge_customer(struct purge *p, const char *id, int days, int64_t now_ms,
                                  struct spared *spared, struct fault *fault)
{
    const char *params[] = {id};
    char kind[64], kept[32];
    struct sum sum = {
        .kept = kept, .before_ms = (now_ms - days * DAY_MS) / SPAN_MS * SPAN_MS, .spared = spared};
    PGresult *rows = NULL;
    enum status st;

    snprintf(kept, sizeof kept, "%d days", days);
    st = pg_run(p->pg, "SELECT vin FROM vehicle WHERE customer_id = $1::uuid ORDER BY vin", 1,
                params, &rows, fault);
    for (int i = 0; st == ST_OK && i < PQntuples(rows); i++)
        st = purge_vehicle(p, PQgetvalue(rows, i, 0), &sum, fault);
    PQclear(rows);
    if (st != ST_OK)
        return st;
    snprintf(kind, sizeof kind, "samples of customer %.36s", id);
    return purge_file(p, kind, kept, sum.removed, "values", sum.oldest_ms, fault);
}

static enum status purge_customers(struct purge *p, int64_t now_ms, struct spared *spared,
                                   struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st = pg_run(p->pg,
                            "SELECT id, retention_days FROM customer WHERE retention_days IS NOT "
                            "NULL ORDER BY id",
                            0, NULL, &rows, fault);

    for (int i = 0; st == ST_OK && i < PQntuples(rows); i++)
        st = purge_customer(p, PQgetvalue(rows, i, 0), atoi(PQgetvalue(rows, i, 1)), now_ms, spared,
                            fault);
    PQclear(rows);
    return st;
}

enum status purge_samples(struct purge *p, int64_t now_ms, struct fault *fault)
{
    struct spared spared = {.oldest_ms = 0};
    enum status st;

    text_init(&spared.others);
    if ((!p->dry || (st = copy_marks(p, fault)) == ST_OK) &&
        (st = purge_customers(p, now_ms, &spared, fault)) == ST_OK &&
        (st = report_samples(p, &spared, fault)) == ST_OK)
        st = report_minutes(p, fault);
    text_done(&spared.others);
    return st;
}
