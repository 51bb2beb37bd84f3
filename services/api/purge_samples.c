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
    char statement[512];
    json_t *answer = NULL;
    enum status st;

    snprintf(statement, sizeof statement, "SELECT * FROM %s%s%s ORDER BY time ASC LIMIT 1", from,
             where[0] ? " WHERE " : "", where);
    if ((st = ask(p, statement, &answer, fault)) != ST_OK)
        return st;
    *ms = json_integer_value(json_array_get(first_row(answer), 0));
    json_decref(answer);
    return ST_OK;
}

/* What there is of it, and since when: its policy lets go of the rest. */
static enum status report(struct purge *p, const char *kind, const char *kept, const char *from,
                          struct fault *fault)
{
    int64_t oldest_ms = 0;
    enum status st = oldest(p, from, "", &oldest_ms, fault);

    return st == ST_OK ? purge_file(p, kind, kept, 0, "values", oldest_ms, fault) : st;
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

/* Before anything is deleted: ingest computes nothing from what a purge left.  Never set back. */
static enum status mark(struct purge *p, const char *vin, int64_t until_ms, struct fault *fault)
{
    char until[24];
    const char *params[] = {vin, until};

    (void)snprintf(until, sizeof until, "%lld", (long long)until_ms);
    return pg_run(
        p->pg,
        "INSERT INTO samples_gone AS g (vin, until_ms) SELECT vin, $2::bigint FROM vehicle "
        "WHERE vin = $1 ON CONFLICT (vin) DO UPDATE SET until_ms = greatest(g.until_ms, "
        "excluded.until_ms)",
        2, params, NULL, fault);
}

/* What becomes of a customer's samples: how many values go, and how old the rest is, 0 for none. */
struct sum {
    const char *kept;
    int64_t before_ms, removed, oldest_ms;
};

static enum status add_vehicle(struct purge *p, struct sum *sum, const char *vin, int64_t removed,
                               int64_t left_ms, struct fault *fault)
{
    char kind[48];

    sum->removed += removed;
    if (left_ms > 0 && (sum->oldest_ms == 0 || left_ms < sum->oldest_ms))
        sum->oldest_ms = left_ms;
    if (removed == 0)
        return ST_OK;
    snprintf(kind, sizeof kind, "samples of vehicle %s", vin);
    return purge_file(p, kind, sum->kept, removed, "values", left_ms, fault);
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
    if (left_ms > 0 && left_ms < before_ms && !p->dry &&
        (st = mark(p, vin, before_ms, fault)) != ST_OK)
        return st;
    for (int64_t at = left_ms; at > 0 && at < before_ms && st == ST_OK; at += DAY_MS)
        st = purge_slice(p, vin, at, at + DAY_MS < before_ms ? at + DAY_MS : before_ms, &removed,
                         fault);
    if (st == ST_OK && (st = oldest(p, RAW, of, &left_ms, fault)) == ST_OK)
        st = add_vehicle(p, sum, vin, removed, left_ms, fault);
    return st;
}

static enum status purge_customer(struct purge *p, const char *id, int days, int64_t now_ms,
                                  struct fault *fault)
{
    const char *params[] = {id};
    char kind[64], kept[32];
    struct sum sum = {.kept = kept, .before_ms = (now_ms - days * DAY_MS) / SPAN_MS * SPAN_MS};
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

enum status purge_samples(struct purge *p, int64_t now_ms, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st;

    st = pg_run(p->pg,
                "SELECT id, retention_days FROM customer WHERE retention_days IS NOT NULL "
                "ORDER BY id",
                0, NULL, &rows, fault);
    for (int i = 0; st == ST_OK && i < PQntuples(rows); i++)
        st = purge_customer(p, PQgetvalue(rows, i, 0), atoi(PQgetvalue(rows, i, 1)), now_ms, fault);
    PQclear(rows);
    if (st == ST_OK)
        st = report(p, "samples", "60 days, the database's own clock cuts at 61", RAW, fault);
    return st == ST_OK
               ? report(p, "minutes", "2 years, by the database's own clock", MINUTES, fault)
               : st;
}
