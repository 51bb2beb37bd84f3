/* services/ingest/again/silence.c - `presence` decides, from what the rows say. */
#include "silence.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text.h"
#include "services/ingest/commit/tell.h"
#include "services/ingest/facts/presence.h"

struct silence {
    struct pg *db;
    struct tell *tell;
    struct presence_settings set;
    struct presence_site site;
};

enum status silence_open(struct silence **out, struct pg *db, int64_t now_ms,
                         int64_t start_quiet_ms, struct fault *fault)
{
    struct silence *s = calloc(1, sizeof *s);
    enum status st;

    if (!s)
        return fault_set(fault, ST_FATAL, "out of memory");
    s->db = db;
    s->set = presence_defaults;
    s->set.started_ms = start_quiet_ms;
    s->site.started_ms = now_ms;
    if ((st = tell_open(&s->tell, db, fault)) != ST_OK) {
        silence_close(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

void silence_close(struct silence *s)
{
    if (!s)
        return;
    tell_close(s->tell);
    free(s);
}

const struct alert_change_message *silence_changes(const struct silence *s, size_t *n)
{
    return tell_changes(s->tell, n);
}

/* ---- rows */
enum { VIN, SEEN, SLEEPING, DRIVING, CASE_MS, MISSING, HEARTBEAT, WAKE, LAT, LON, GONE };

static enum status read_site(struct silence *s, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st = pg_run(s->db,
                            "SELECT count(*), coalesce(ms(max(last_seen)), 0) FROM vehicle_state "
                            "WHERE last_seen IS NOT NULL",
                            0, NULL, &rows, fault);

    if (st != ST_OK)
        return st;
    s->site.vehicles = (size_t)pg_text_int8(rows, 0, 0);
    s->site.heard_ms = pg_text_int8(rows, 0, 1);
    PQclear(rows);
    return ST_OK;
}

/* Numbers that are missing, of those made since: above what its case says had come by then.  What
 * a stream without such a word has, if anything came of it since. */
#define MISSING_OF_IT                                                                              \
    "(SELECT coalesce(sum(upper(r) - lower(r)), 0) FROM watermark w, LATERAL (SELECT CASE WHEN "   \
    "jsonb_typeof(a.data #> ARRAY['stored', w.stream::text]) = 'number' THEN least(greatest("      \
    "(a.data #>> ARRAY['stored', w.stream::text])::numeric, 0), 1e15)::int8 ELSE 0 END AS upto) "  \
    "b, unnest(w.gaps * int8multirange(int8range(b.upto + 1, NULL))) r WHERE a.id IS NOT NULL "    \
    "AND w.vin = s.vin AND w.site = '' AND w.updated_at > a.last_at)"

static enum status read_rows(struct silence *s, PGresult **rows, struct fault *fault)
{
    return pg_run(
        s->db,
        "SELECT s.vin, ms(s.last_seen), s.presence = 'sleeping', "
        "coalesce(s.ignition_on, s.speed_kmh >= 3, false), ms(a.last_at), " MISSING_OF_IT ", "
        "greatest(coalesce(s.heartbeat_ms, 600000), 60000), coalesce(s.wake_ms, 0), "
        "CASE WHEN a.id IS NOT NULL THEN a.lat WHEN p.near THEN s.lat END, "
        "CASE WHEN a.id IS NOT NULL THEN a.lon WHEN p.near THEN s.lon END, "
        "v.status IN ('revoked', 'retired') "
        "FROM vehicle_state s JOIN vehicle v ON v.vin = s.vin LEFT JOIN alert a ON a.vin = s.vin "
        "AND a.type = 'vehicle_silent' AND a.state <> 'cleared', LATERAL (SELECT place_shown(s) "
        "AND "
        "abs(s.t_ms - ms(s.last_seen)) <= 30000 AND coalesce((s.signals #>> "
        "'{Vehicle.CurrentLocation.HorizontalAccuracy,0}')::float8 <= 50, true) AS near) p "
        "WHERE s.last_seen IS NOT NULL AND (a.id IS NOT NULL OR (s.last_seen < now() - "
        "interval '60 s' AND v.status NOT IN ('revoked', 'retired'))) ORDER BY s.vin",
        0, NULL, rows, fault);
}

static struct presence_state state_of(const PGresult *rows, int row)
{
    return (struct presence_state){
        .heard_ms = pg_text_int8(rows, row, SEEN),
        .sleeping = *PQgetvalue(rows, row, SLEEPING) == 't',
        .driving = *PQgetvalue(rows, row, DRIVING) == 't',
        .heartbeat_ms = pg_text_int8(rows, row, HEARTBEAT),
        .wake_ms = pg_text_int8(rows, row, WAKE),
        .silent_since_ms = PQgetisnull(rows, row, CASE_MS) ? 0 : pg_text_int8(rows, row, CASE_MS),
    };
}

static bool is_gone(const PGresult *rows, int row)
{
    return *PQgetvalue(rows, row, GONE) == 't';
}

/* Who went late, and is still: many at once is us. */
static void look_at_site(struct silence *s, const PGresult *rows, const struct silence_look *look)
{
    s->site.broken = look->broken;
    presence_begin(&s->site);
    for (int i = 0; i < PQntuples(rows); i++) {
        struct presence_state p = state_of(rows, i);

        if (!is_gone(rows, i))
            presence_went_late(&s->site, &s->set, presence_late_at_ms(&p, &s->set), look->now_ms);
    }
    presence_look(&s->site, &s->set, look->now_ms);
}

/* ---- cases */
/* What has come of its newest streams: what is missing below was before this silence. */
static enum status take_stored(struct silence *s, struct found *begun, const char *vin,
                               struct fault *fault)
{
    const char *const values[] = {vin};
    PGresult *rows = NULL;
    enum status st =
        pg_run(s->db,
               "SELECT jsonb_build_object('stored', coalesce(jsonb_object_agg(stream, "
               "upto), '{}')) FROM (SELECT stream, upto FROM watermark WHERE site = '' "
               "AND vin = $1 ORDER BY updated_at DESC LIMIT 6) w",
               1, values, &rows, fault);

    if (st != ST_OK)
        return st;
    text_copy(begun->data, sizeof begun->data, PQgetvalue(rows, 0, 0));
    PQclear(rows);
    return ST_OK;
}

static struct found about(int64_t at_ms, unsigned parts)
{
    struct found f = {
        .parts = parts, .occurred_ms = at_ms, .lat = (double)NAN, .lon = (double)NAN, .data = "{}"};

    text_copy(f.type, sizeof f.type, "vehicle_silent");
    return f;
}

/* Where it was heard last; it stays the place of the case. */
static void take_place(struct found *f, const PGresult *rows, int row)
{
    if (PQgetisnull(rows, row, LAT) || PQgetisnull(rows, row, LON))
        return;
    f->lat = strtod(PQgetvalue(rows, row, LAT), NULL);
    f->lon = strtod(PQgetvalue(rows, row, LON), NULL);
}

static enum status tell_one(struct silence *s, const PGresult *rows, int row, bool ours,
                            const struct silence_look *look, struct fault *fault)
{
    const char *vin = PQgetvalue(rows, row, VIN);
    struct presence_state p = state_of(rows, row);

    if (is_gone(rows, row)) { /* nobody waits for it any more */
        struct found end = about(look->now_ms, FOUND_END);

        tell_found(s->tell, vin, &end, 1, look->now_ms);
    } else if (p.silent_since_ms > 0 && p.heard_ms > p.silent_since_ms) { /* it spoke again */
        struct found end[2] = {about(p.silent_since_ms, FOUND_EVENT), about(p.heard_ms, FOUND_END)};

        take_place(&end[0], rows, row);
        (void)snprintf(end[0].data, sizeof end[0].data, "{\"until\":%lld,\"missing\":%lld}",
                       (long long)p.heard_ms, (long long)pg_text_int8(rows, row, MISSING));
        tell_found(s->tell, vin, end, 2, look->now_ms);
    } else if (presence_tick(&p, &s->set, ours, look->now_ms)) {
        struct found begun = about(p.silent_since_ms, FOUND_EVENT | FOUND_ALERT);
        enum status st = take_stored(s, &begun, vin, fault);

        if (st != ST_OK)
            return st;
        begun.severity = p.driving ? ALERT_MINOR : ALERT_WARNING;
        take_place(&begun, rows, row);
        tell_found(s->tell, vin, &begun, 1, look->now_ms);
    }
    return ST_OK;
}

enum status silence_step(struct silence *s, const struct silence_look *look, bool *alarm,
                         struct fault *fault)
{
    PGresult *rows = NULL;
    bool ours;
    enum status st;

    tell_forget(s->tell);
    if ((st = pg_ready(s->db, fault)) != ST_OK || (st = pg_begin(s->db, fault)) != ST_OK)
        return st;
    if ((st = read_site(s, fault)) != ST_OK || (st = read_rows(s, &rows, fault)) != ST_OK) {
        pg_rollback(s->db);
        return st;
    }
    look_at_site(s, rows, look);
    ours = presence_is_ours(&s->site, &s->set, look->now_ms);
    *alarm = presence_alarm(&s->site, &s->set, look->now_ms);
    for (int i = 0; st == ST_OK && i < PQntuples(rows); i++)
        if (look->is_ours(look->self, PQgetvalue(rows, i, VIN)))
            st = tell_one(s, rows, i, ours, look, fault);
    PQclear(rows);
    if (st == ST_OK && (st = tell_write(s->tell, look->now_ms, fault)) == ST_OK)
        return pg_commit(s->db, fault);
    pg_rollback(s->db);
    return st;
}
