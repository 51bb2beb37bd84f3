/* services/api/purge_rows.c - the table of what is kept how long. */
#include <stdio.h>
#include <stdlib.h>

#include "purge.h"

#define BATCH "10000"
#define COARSE(column) column " = round(" column "::numeric, 2)::float8"
#define IS_FINE(column) column " <> round(" column "::numeric, 2)::float8"
/* A member "lat" and "lon" of a JSON object, as the agent and ingest write them. */
#define HAS_PLACE(object)                                                                          \
    "jsonb_typeof(" object "->'lat') = 'number' AND jsonb_typeof(" object "->'lon') = 'number'"
#define FINE_PLACE(object)                                                                         \
    HAS_PLACE(object)                                                                              \
    " AND ((" object "->>'lat')::numeric <> round((" object "->>'lat')::numeric, 2) OR (" object   \
    "->>'lon')::numeric <> round((" object "->>'lon')::numeric, 2))"
#define COARSE_PLACE(object)                                                                       \
    "jsonb_build_object('lat', round((" object "->>'lat')::numeric, 2), 'lon', round((" object     \
    "->>'lon')::numeric, 2))"

static const char place_kept[] = "0.01 degrees after 60 days";

struct rule {
    const char *kind, *kept;
    const char *table;
    const char *of;    /* which rows of it */
    const char *at;    /* since when they count */
    const char *after; /* an interval: then they go */
    const char *only;  /* NULL, or which of those that are old enough */
    const char *set;   /* NULL: they are deleted; else what is changed in them */
    const char *chain; /* NULL, or the column whose order is never torn: the oldest go first */
};

#define GOES(what, limit, from, which, since, age)                                                 \
    {                                                                                              \
        .kind = (what), .kept = (limit), .table = (from), .of = (which), .at = (since),            \
        .after = (age)                                                                             \
    }
#define COARSENS(what, from, which, since, change)                                                 \
    {                                                                                              \
        .kind = (what), .kept = place_kept, .table = (from), .of = (which), .at = (since),         \
        .after = "60 days", .set = (change)                                                        \
    }
#define FINE_SEGMENT                                                                               \
    "(" IS_FINE("start_lat") " OR " IS_FINE("start_lon") " OR " IS_FINE("end_lat") " OR " IS_FINE( \
        "end_lon") ")"
#define COARSE_SEGMENT                                                                             \
    COARSE("start_lat") ", " COARSE("start_lon") ", " COARSE("end_lat") ", " COARSE("end_lon")
#define FINE_ROW "(" IS_FINE("lat") " OR " IS_FINE("lon") ")"
#define COARSE_ROW COARSE("lat") ", " COARSE("lon")
#define BODY "(body->'data')"
/* Where a stream stands is asked when its car comes back, be that after a winter: so the latest
 * stay for ever.  A car that makes streams up, one a record, makes rows for ever too. */
#define SURPLUS_STREAM                                                                             \
    "ctid = ANY (ARRAY(SELECT w.ctid FROM (SELECT ctid, updated_at, row_number() OVER (PARTITION " \
    "BY site, vin ORDER BY updated_at DESC, stream) AS n FROM watermark) AS w WHERE w.n > 4096 "   \
    "OR (w.n > 64 AND w.updated_at < now() - interval '61 days')))"
/* What a report of codes says; a car sends one every few minutes for as long as nothing changes. */
#define REPORT(row)                                                                                \
    "jsonb_build_array(" row ".body->'dtcs', " row ".body->'lists', " row ".body->'mil', " row     \
    ".body->'readiness', " row ".body->'freeze_frame', " row ".body->'vin')"
#define REPEATS                                                                                    \
    REPORT("fact")                                                                                 \
    " = (SELECT " REPORT(                                                                          \
        "p") " FROM fact p WHERE p.vin = fact.vin AND p.kind = 'diagnostics' "                     \
             "AND p.occurred_at < fact.occurred_at ORDER BY p.occurred_at DESC LIMIT 1)"
#define OCCURRED "coalesce(occurred_at, received_at)"

/* Places first: of what is about to go they are told too. */
static const struct rule rules[] = {
    COARSENS("places of trips and stops", "segment", FINE_SEGMENT, "end_at", COARSE_SEGMENT),
    COARSENS("places of events", "event", FINE_ROW, "occurred_at", COARSE_ROW),
    COARSENS("places in events", "event", FINE_PLACE("data"), "occurred_at",
             "data = data || " COARSE_PLACE("data")),
    COARSENS("places of alerts", "alert", FINE_ROW, "last_at", COARSE_ROW),
    COARSENS("places in alerts", "alert", FINE_PLACE("data"), "last_at",
             "data = data || " COARSE_PLACE("data")),
    COARSENS("places in messages", "fact", FINE_PLACE(BODY), OCCURRED,
             "body = body || jsonb_build_object('data', " BODY " || " COARSE_PLACE(BODY) ")"),
    {.kind = "trips and stops that are final now",
     .kept = "as long as their samples",
     .table = "segment",
     .of = "state = 'closed' AND (kind <> 'trip' OR provisional OR score_terms IS NOT NULL) AND "
           "EXISTS (SELECT FROM samples_gone g WHERE g.vin = segment.vin AND segment.end_at < "
           "to_timestamp(g.until_ms / 1000.0))",
     .at = "end_at",
     .after = "1 day",
     .set = "state = 'final'"},
    GOES("states to compute again from", "61 days", "fact_checkpoint", "true",
         "to_timestamp(t_ms / 1000.0)", "61 days"),
    GOES("trips and stops", "1 year", "segment", "state <> 'open'", "end_at", "1 year"),
    /* How far a car went since its contract began is counted over clusters that were swapped. */
    GOES("events", "1 year", "event", "type <> 'odometer_reset'", "occurred_at", "1 year"),
    /* Before the alerts that they go with, so that they are counted. */
    GOES("notifications", "90 days", "notification", "state <> 'queued'", "created_at", "90 days"),
    GOES("alerts", "1 year", "alert", "state = 'cleared'", "last_at", "1 year"),
    GOES("messages of vehicles", "1 year", "fact", "kind <> 'diagnostics'", OCCURRED, "1 year"),
    /* Codes stay for the life of the vehicle: every report that says something new. */
    {.kind = "reports of codes that say what the one before said",
     .kept = "61 days",
     .table = "fact",
     .of = "kind = 'diagnostics'",
     .at = OCCURRED,
     .after = "61 days",
     .only = REPEATS},
    GOES("who drove what", "1 year", "driver_assignment", "to_at IS NOT NULL", "to_at", "1 year"),
    GOES("commands", "1 year", "command", "state IN ('done', 'failed', 'refused', 'expired')",
         "created_at", "1 year"),
    {.kind = "audit",
     .kept = "1 year",
     .table = "audit",
     .of = "true",
     .at = "at",
     .after = "1 year",
     .chain = "id"},
    GOES("order of changes", "90 days", "change", "true", "at", "90 days"),
    GOES("dead letters", "14 days", "dead_letter", "true", "received_at", "14 days"),
    {.kind = "streams of vehicles",
     .kept = "the latest 64 of a vehicle; of the others 61 days, and 4,096 at most",
     .table = "watermark",
     .of = "true",
     .at = "updated_at",
     .after = "1 day",
     .only = SURPLUS_STREAM},
    GOES("losses and lags", "1 year", "loss_hour", "true", "hour", "1 year"),
    GOES("answers to repeats", "1 day", "idempotency", "true", "created_at", "1 day"),
    GOES("tickets", "1 hour", "ws_ticket", "true", "expires_at", "1 hour"),
    GOES("sessions", "90 days", "refresh_token", "true", "family_started_at", "90 days"),
    GOES("enrolment tokens", "90 days", "enroll_token", "true", "expires_at", "90 days"),
    GOES("proofs of purges", "2 years", "purge_proof", "true", "at", "2 years"),
};

/* Which rows are due.  Of a chain all up to the last that is: times may be a moment out of order.
 */
static void print_due(char *out, size_t size, const struct rule *r)
{
    if (r->chain)
        snprintf(out, size,
                 "%s <= (SELECT max(%s) FROM %s WHERE %s AND %s < now() - interval '%s')", r->chain,
                 r->chain, r->table, r->of, r->at, r->after);
    else
        snprintf(out, size, "%s AND %s < now() - interval '%s'%s%s", r->of, r->at, r->after,
                 r->only ? " AND " : "", r->only ? r->only : "");
}

static enum status run_batch(struct purge *p, const struct rule *r, int64_t *n, struct fault *fault)
{
    char sql[2048], due[1024];
    PGresult *rows = NULL;
    enum status st;
    int len;

    print_due(due, sizeof due, r);
    len = snprintf(sql, sizeof sql,
                   "%s %s %s%s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %s WHERE %s%s%s "
                   "LIMIT " BATCH "))",
                   r->set ? "UPDATE" : "DELETE FROM", r->table, r->set ? "SET " : "",
                   r->set ? r->set : "", r->table, due, r->chain ? " ORDER BY " : "",
                   r->chain ? r->chain : "");
    if (len < 0 || (size_t)len >= sizeof sql)
        return fault_set(fault, ST_FATAL, "the statement for %s is too long", r->kind);
    if ((st = pg_run(p->pg, sql, 0, NULL, &rows, fault)) == ST_OK)
        *n = strtoll(PQcmdTuples(rows), NULL, 10);
    PQclear(rows);
    return st;
}

static enum status ask_number(struct purge *p, const char *sql, int64_t *out, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st = pg_run(p->pg, sql, 0, NULL, &rows, fault);

    if (st == ST_OK)
        *out = strtoll(PQgetvalue(rows, 0, 0), NULL, 10);
    PQclear(rows);
    return st;
}

static enum status count_due(struct purge *p, const struct rule *r, int64_t *n, struct fault *fault)
{
    char sql[2048], due[1024];

    print_due(due, sizeof due, r);
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE %s", r->table, due);
    return ask_number(p, sql, n, fault);
}

static enum status oldest_left(struct purge *p, const struct rule *r, int64_t *ms,
                               struct fault *fault)
{
    char sql[2048], due[1024];

    print_due(due, sizeof due, r);
    snprintf(sql, sizeof sql,
             "SELECT coalesce((extract(epoch FROM min(%s)) * 1000)::bigint, 0) FROM %s WHERE "
             "%s%s%s%s",
             r->at, r->table, r->of, p->dry ? " AND (" : "", p->dry ? due : "",
             p->dry ? ") IS NOT TRUE" : "");
    return ask_number(p, sql, ms, fault);
}

static enum status apply(struct purge *p, const struct rule *r, struct fault *fault)
{
    int64_t removed = 0, n = 0, oldest_ms = 0;
    enum status st;

    if (p->dry) {
        st = count_due(p, r, &removed, fault);
    } else {
        do {
            st = run_batch(p, r, &n, fault);
            removed += n;
        } while (st == ST_OK && n > 0);
    }
    if (st != ST_OK || (st = oldest_left(p, r, &oldest_ms, fault)) != ST_OK)
        return st;
    return purge_file(p, r->kind, r->kept, removed, r->kept == place_kept ? "places" : "rows",
                      oldest_ms, fault);
}

enum status purge_rows(struct purge *p, struct fault *fault)
{
    enum status st = ST_OK;

    for (size_t i = 0; i < sizeof rules / sizeof *rules && st == ST_OK; i++)
        st = apply(p, &rules[i], fault);
    return st;
}
