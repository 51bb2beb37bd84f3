/* services/ingest/commit/states.c - memory holds what is newest; the database gets the vehicles a
 * group touched. Another instance may have had a vehicle meanwhile, or it was deleted and made
 * anew: memory counts only while the signals of the row are those we wrote (signals_by).  Who tells
 * no telemetry leaves them alone. */
#include "states.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "lib/map.h"
#include "services/ingest/record/newest.h"

#define VEHICLES_MAX 200000

struct vehicle {
    char vin[VIN_LEN + 1];
    struct newest newest;
    char version[24];           /* signals_by of the row that `newest` equals, "" none */
    bool touched, measured;     /* by this group; with telemetry */
    int64_t last_seen_ms;       /* in this group, 0 not */
    const struct record *state; /* the last up/state of this group */
    const struct record *own;   /* the last that is not offline: it says whether it is private */
};

struct states {
    struct pg *db;
    struct map *vehicles; /* VIN -> struct vehicle */
    struct vehicle **touched;
    size_t touched_count, touched_room;
    struct columns c;
    struct text text;
    PGresult *rows;       /* of those touched, locked */
    char transaction[24]; /* the version of the rows it writes */
};

static void vehicle_done(void *value)
{
    newest_done(&((struct vehicle *)value)->newest);
}

enum status states_open(struct states **out, struct pg *db, struct fault *fault)
{
    struct states *s = calloc(1, sizeof *s);
    enum status st;

    if (!s)
        return fault_set(fault, ST_FATAL, "out of memory");
    s->db = db;
    text_init(&s->text);
    if ((st = map_open(&s->vehicles, sizeof(struct vehicle), VEHICLES_MAX, vehicle_done, fault)) !=
        ST_OK) {
        free(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

void states_close(struct states *s)
{
    if (!s)
        return;
    columns_done(&s->c);
    PQclear(s->rows);
    text_done(&s->text);
    map_close(s->vehicles);
    free(s->touched);
    free(s);
}

/* ---- who is touched */
static struct vehicle *touch(struct states *s, const char *vin)
{
    struct vehicle *v = map_put(s->vehicles, vin);

    if (!v || v->touched)
        return v;
    memcpy(v->vin, vin, sizeof v->vin);
    v->touched = true;
    v->measured = false;
    v->state = v->own = NULL;
    v->last_seen_ms = 0;
    s->touched[s->touched_count++] = v;
    return v;
}

static enum status begin(struct states *s, size_t n, struct fault *fault)
{
    for (size_t i = 0; i < s->touched_count; i++)
        s->touched[i]->touched = false;
    s->touched_count = 0;
    if (n > s->touched_room) {
        struct vehicle **more = realloc(s->touched, n * sizeof *more);

        if (!more)
            return fault_set(fault, ST_RETRY, "out of memory for %zu records", n);
        s->touched = more;
        s->touched_room = n;
    }
    return ST_OK;
}

static void touch_all(struct states *s, struct record *const *records, const bool *fresh, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct record *r = records[i];
        bool state = r->from.topic.leaf == LEAF_STATE;
        struct vehicle *v;

        if (!fresh[i] || (r->dead && (!record_has_seq(r) || r->letter[0])) ||
            !(v = touch(s, r->from.topic.vin)))
            continue;
        v->measured |= !r->dead && r->from.topic.leaf == LEAF_TELEMETRY;
        if (state)
            v->state = r;
        if (state && !r->dead && r->state.presence != PRESENCE_OFFLINE)
            v->own = r;
        /* A last will and what the broker kept are not the vehicle speaking. */
        if (!r->from.retained && !(state && r->state.presence == PRESENCE_OFFLINE) &&
            r->from.received_ms > v->last_seen_ms)
            v->last_seen_ms = r->from.received_ms;
    }
}

/* ---- memory */
static void keys(struct states *s)
{
    static const Oid types[] = {PG_TEXT, PG_TEXT, PG_INT2};

    columns_begin(&s->c, 3, types);
    for (size_t i = 0; i < s->touched_count; i++) {
        const struct vehicle *v = s->touched[i];

        pg_array_text(&s->c.column[0], v->vin, VIN_LEN);
        pg_array_text(&s->c.column[1], v->version, strlen(v->version));
        pg_array_int2(&s->c.column[2], v->measured);
    }
}

/* Lock all, read those we need and do not know.  In order: two instances never deadlock. */
static enum status ask_rows(struct states *s, struct fault *fault)
{
    PQclear(s->rows);
    s->rows = NULL;
    keys(s);
    return columns_queue(
        &s->c, s->db, 3,
        "SELECT s.vin, CASE WHEN k.m <> 0 AND s.signals_by::text IS DISTINCT FROM k.x THEN "
        "s.signals END, pg_current_xact_id()::text FROM vehicle_state s "
        "JOIN unnest($1, $2, $3) AS k (v, x, m) ON s.vin = k.v ORDER BY s.vin FOR UPDATE OF s",
        &s->rows, fault);
}

static void take_rows(struct states *s)
{
    for (int i = 0; i < PQntuples(s->rows); i++) {
        struct vehicle *v = map_get(s->vehicles, PQgetvalue(s->rows, i, 0));

        text_copy(s->transaction, sizeof s->transaction, PQgetvalue(s->rows, i, 2));
        if (!v || PQgetisnull(s->rows, i, 1))
            continue;
        newest_done(&v->newest);
        newest_read(&v->newest, PQgetvalue(s->rows, i, 1), (size_t)PQgetlength(s->rows, i, 1));
    }
    PQclear(s->rows);
    s->rows = NULL;
}

/* A vehicle speaks for the first time once: rows are made only when one was not found. */
static enum status take(struct states *s, struct fault *fault)
{
    enum status st = ST_OK;

    if ((size_t)PQntuples(s->rows) != s->touched_count) {
        keys(s);
        st = columns_queue(&s->c, s->db, 1,
                           "INSERT INTO vehicle_state (vin) SELECT v FROM unnest($1) AS k (v) "
                           "ORDER BY v ON CONFLICT DO NOTHING",
                           NULL, fault);
        if (st != ST_OK || (st = ask_rows(s, fault)) != ST_OK)
            return st;
        st = pg_settle(s->db, fault);
    }
    if (st == ST_OK)
        take_rows(s);
    return st;
}

/* From here on memory is ahead of the row; write_newest makes them equal again, a failure before it
 * does not. */
static void merge(struct states *s, struct record *const *records, const bool *fresh, size_t n)
{
    for (size_t i = 0; i < s->touched_count; i++)
        if (s->touched[i]->measured)
            s->touched[i]->version[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        const struct record *r = records[i];
        struct vehicle *v;

        if (fresh[i] && !r->dead && r->from.topic.leaf == LEAF_TELEMETRY &&
            (v = map_get(s->vehicles, r->from.topic.vin)) != NULL)
            newest_merge(&v->newest, &r->telemetry, r->from.received_ms + NEWEST_AHEAD_MS);
    }
}

/* ---- rows */
static void add_newest(struct states *s, const struct vehicle *v)
{
    struct pg_array *column = s->c.column;
    struct live live = {0};

    newest_live(&v->newest, &live);
    text_clear(&s->text);
    newest_print(&v->newest, &s->text);
    pg_array_text(&column[0], v->vin, VIN_LEN);
    pg_array_int8(&column[1], v->last_seen_ms);
    pg_array_int8(&column[2], v->newest.t_ms);
    columns_add_double(&column[3], live.has_position, live.lat);
    columns_add_double(&column[4], live.has_position, live.lon);
    columns_add_double(&column[5], live.has_speed, live.speed_kmh);
    columns_add_double(&column[6], live.has_heading, live.heading_deg);
    columns_add_double(&column[7], live.has_ignition, live.ignition_on);
    pg_array_jsonb(&column[8], s->text.bytes, s->text.len);
}

/* Should the transaction fail after this, the versions are those of rows that never were: read
 * again then. */
static enum status write_newest(struct states *s, struct fault *fault)
{
    static const Oid types[] = {PG_TEXT,   PG_INT8,   PG_INT8,   PG_FLOAT8, PG_FLOAT8,
                                PG_FLOAT8, PG_FLOAT8, PG_FLOAT8, PG_JSONB};

    columns_begin(&s->c, 9, types);
    for (size_t i = 0; i < s->touched_count; i++) {
        if (!s->touched[i]->measured)
            continue;
        add_newest(s, s->touched[i]);
        memcpy(s->touched[i]->version, s->transaction, sizeof s->transaction);
    }
    if (s->text.failed)
        return fault_set(fault, ST_RETRY, "out of memory for a state");
    return columns_queue(
        &s->c, s->db, 9,
        "UPDATE vehicle_state s SET last_seen = greatest(s.last_seen, to_timestamp(nullif(l, 0) / "
        "1000.0)), "
        "t_ms = nullif(t, 0), lat = la, lon = lo, speed_kmh = sp, heading_deg = he, ignition_on = "
        "ig <> 0, "
        "signals = si, signals_by = pg_current_xact_id() FROM unnest($1, $2, $3, $4, $5, $6, $7, "
        "$8, $9) "
        "AS f (v, l, t, la, lo, sp, he, ig, si) WHERE s.vin = f.v",
        NULL, fault);
}

static enum status write_seen(struct states *s, struct fault *fault)
{
    static const Oid types[] = {PG_TEXT, PG_INT8};

    columns_begin(&s->c, 2, types);
    for (size_t i = 0; i < s->touched_count; i++) {
        if (s->touched[i]->measured || s->touched[i]->last_seen_ms == 0)
            continue;
        pg_array_text(&s->c.column[0], s->touched[i]->vin, VIN_LEN);
        pg_array_int8(&s->c.column[1], s->touched[i]->last_seen_ms);
    }
    return columns_queue(&s->c, s->db, 2,
                         "UPDATE vehicle_state s SET last_seen = to_timestamp(l / 1000.0) FROM "
                         "unnest($1, $2) AS f (v, l) WHERE s.vin = f.v AND (s.last_seen IS NULL "
                         "OR s.last_seen < to_timestamp(l / 1000.0))",
                         NULL, fault);
}

static void add_presence(struct states *s, const struct vehicle *v)
{
    const struct vehicle_state *told = &v->state->state;
    struct pg_array *column = s->c.column;
    const char *presence = presence_name(told->presence);

    text_clear(&s->text);
    text_print(&s->text, "{\"gps\":\"%s\",\"obd\":\"%s\",\"camera\":\"%s\"}",
               source_name(told->gps), source_name(told->obd), source_name(told->camera));
    pg_array_text(&column[0], v->vin, VIN_LEN);
    pg_array_text(&column[1], presence, strlen(presence));
    pg_array_int8(&column[2], told->t_ms);
    pg_array_text(&column[3], told->boot, strlen(told->boot));
    pg_array_text(&column[4], told->agent, strlen(told->agent));
    pg_array_int8(&column[5], told->config);
    pg_array_jsonb(&column[6], s->text.bytes, s->text.len);
    pg_array_int8(&column[7], v->own ? v->own->state.private_since_ms : -1);
    pg_array_int8(&column[8], told->heartbeat_ms);
    pg_array_int8(&column[9], told->wake_ms);
}

/* The order of arrival counts: a last will carries the time of the connection it ends. */
static enum status write_presence(struct states *s, struct fault *fault)
{
    static const Oid types[] = {PG_TEXT, PG_TEXT,  PG_INT8, PG_TEXT, PG_TEXT,
                                PG_INT8, PG_JSONB, PG_INT8, PG_INT8, PG_INT8};
    enum status st;

    columns_begin(&s->c, 10, types);
    for (size_t i = 0; i < s->touched_count; i++)
        if (s->touched[i]->state && !s->touched[i]->state->dead)
            add_presence(s, s->touched[i]);
    st = columns_queue(
        &s->c, s->db, 10,
        "UPDATE vehicle_state s SET presence = f.p, presence_t = f.t, boot = f.b, agent = f.a, "
        "config = f.c, sources = f.s, private_since = CASE WHEN f.r < 0 THEN s.private_since ELSE "
        "nullif(f.r, 0) END, heartbeat_ms = nullif(f.h, 0), wake_ms = nullif(f.w, 0) "
        "FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
        "AS f (v, p, t, b, a, c, s, r, h, w) WHERE s.vin = f.v",
        NULL, fault);
    if (st != ST_OK)
        return st;
    return columns_queue(&s->c, s->db, 1, "SELECT pg_notify('vehicle', v) FROM unnest($1) AS k (v)",
                         NULL, fault);
}

enum status states_ask(struct states *s, struct record *const *records, const bool *fresh, size_t n,
                       struct fault *fault)
{
    enum status st = begin(s, n, fault);

    if (st != ST_OK)
        return st;
    touch_all(s, records, fresh, n);
    return ask_rows(s, fault);
}

enum status states_write(struct states *s, struct record *const *records, const bool *fresh,
                         size_t n, struct fault *fault)
{
    enum status st;

    if ((st = take(s, fault)) != ST_OK)
        return st;
    merge(s, records, fresh, n);
    if ((st = write_newest(s, fault)) != ST_OK || (st = write_seen(s, fault)) != ST_OK)
        return st;
    return write_presence(s, fault);
}
