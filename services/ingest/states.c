/* services/ingest/states.c - memory holds what is newest; the database gets the vehicles a group
 * touched. Another instance may have had a vehicle meanwhile, or it was deleted and made anew:
 * memory counts only while the row is the very version we wrote (its xmin). */
#include "states.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "lib/map.h"
#include "newest.h"

#define VEHICLES_MAX 200000

struct vehicle {
    char vin[VIN_LEN + 1];
    struct newest newest;
    char version[16];           /* of the row that `newest` equals, "" none */
    bool touched;               /* by this group */
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
static void keys(struct states *s, bool with_version)
{
    static const Oid types[] = {PG_TEXT, PG_TEXT};

    columns_begin(&s->c, 2, types);
    for (size_t i = 0; i < s->touched_count; i++) {
        pg_array_text(&s->c.column[0], s->touched[i]->vin, VIN_LEN);
        if (with_version)
            pg_array_text(&s->c.column[1], s->touched[i]->version, strlen(s->touched[i]->version));
    }
}

/* Column 0 VIN, column 1 the version of its row. */
static struct vehicle *take_version(struct states *s, const PGresult *rows, int row)
{
    struct vehicle *v = map_get(s->vehicles, PQgetvalue(rows, row, 0));

    if (v)
        text_copy(v->version, sizeof v->version, PQgetvalue(rows, row, 1));
    return v;
}

/* Lock all, read those we do not know.  In order: two instances never deadlock. */
static enum status lock_rows(struct states *s, int *found, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st;

    keys(s, true);
    st =
        columns_run(&s->c, s->db, 2,
                    "SELECT s.vin, s.xmin::text, CASE WHEN s.xmin::text <> k.x THEN s.signals END "
                    "FROM vehicle_state s "
                    "JOIN unnest($1, $2) AS k (v, x) ON s.vin = k.v ORDER BY s.vin FOR UPDATE OF s",
                    &rows, fault);
    if (st != ST_OK || !rows)
        return st;
    *found = PQntuples(rows);
    for (int i = 0; i < *found; i++) {
        struct vehicle *v = take_version(s, rows, i);

        if (!v || PQgetisnull(rows, i, 2))
            continue;
        newest_done(&v->newest);
        newest_read(&v->newest, PQgetvalue(rows, i, 2), (size_t)PQgetlength(rows, i, 2));
    }
    PQclear(rows);
    return ST_OK;
}

/* A vehicle speaks for the first time once: rows are made only when one was not found. */
static enum status lock(struct states *s, struct fault *fault)
{
    int found = 0, wanted = (int)s->touched_count;
    enum status st = lock_rows(s, &found, fault);

    if (st != ST_OK || found == wanted)
        return st;
    keys(s, false);
    st = columns_run(&s->c, s->db, 1,
                     "INSERT INTO vehicle_state (vin) SELECT v FROM unnest($1) AS k (v) ORDER BY v "
                     "ON CONFLICT DO NOTHING",
                     NULL, fault);
    return st == ST_OK ? lock_rows(s, &found, fault) : st;
}

/* From here on memory is ahead of the row; write_newest makes them equal again, a failure before it
 * does not. */
static void merge(struct states *s, struct record *const *records, const bool *fresh, size_t n)
{
    for (size_t i = 0; i < s->touched_count; i++)
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
    PGresult *rows = NULL;
    enum status st;

    columns_begin(&s->c, 9, types);
    for (size_t i = 0; i < s->touched_count; i++)
        add_newest(s, s->touched[i]);
    if (s->text.failed)
        return fault_set(fault, ST_RETRY, "out of memory for a state");
    st = columns_run(
        &s->c, s->db, 9,
        "UPDATE vehicle_state s SET last_seen = greatest(s.last_seen, to_timestamp(nullif(l, 0) / "
        "1000.0)), "
        "t_ms = nullif(t, 0), lat = la, lon = lo, speed_kmh = sp, heading_deg = he, ignition_on = "
        "ig <> 0, "
        "signals = si FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9) "
        "AS f (v, l, t, la, lo, sp, he, ig, si) WHERE s.vin = f.v RETURNING s.vin, s.xmin::text",
        &rows, fault);
    for (int i = 0; st == ST_OK && i < PQntuples(rows); i++)
        take_version(s, rows, i);
    PQclear(rows);
    return st;
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
    st = columns_run(
        &s->c, s->db, 10,
        "UPDATE vehicle_state s SET presence = f.p, presence_t = f.t, boot = f.b, agent = f.a, "
        "config = f.c, sources = f.s, private_since = CASE WHEN f.r < 0 THEN s.private_since ELSE "
        "nullif(f.r, 0) END, heartbeat_ms = nullif(f.h, 0), wake_ms = nullif(f.w, 0) "
        "FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
        "AS f (v, p, t, b, a, c, s, r, h, w) WHERE s.vin = f.v",
        NULL, fault);
    if (st != ST_OK)
        return st;
    return columns_run(&s->c, s->db, 1, "SELECT pg_notify('vehicle', v) FROM unnest($1) AS k (v)",
                       NULL, fault);
}

enum status states_write(struct states *s, struct record *const *records, const bool *fresh,
                         size_t n, struct fault *fault)
{
    enum status st;

    if ((st = begin(s, n, fault)) != ST_OK)
        return st;
    touch_all(s, records, fresh, n);
    if ((st = lock(s, fault)) != ST_OK)
        return st;
    merge(s, records, fresh, n);
    if ((st = write_newest(s, fault)) != ST_OK)
        return st;
    return write_presence(s, fault);
}
