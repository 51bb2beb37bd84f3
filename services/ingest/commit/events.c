/* services/ingest/commit/events.c - ids make it idempotent: the car's own, or one made of what and
 * when.
 */
#include "events.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "lib/room.h"
#include "lib/text.h"
#include "services/ingest/facts/finding.h"

struct events {
    struct pg *db;
    struct columns told, found, places, untold, c;
    bool begun;
    struct finding *fresh, *old;
    bool *is_new, *is_gone;
    struct found *gone;
    size_t fresh_room, old_room, new_room, gone_room, rows_room;
};

enum status events_open(struct events **out, struct pg *db, struct fault *fault)
{
    struct events *e = calloc(1, sizeof *e);

    if (!e)
        return fault_set(fault, ST_FATAL, "out of memory");
    e->db = db;
    *out = e;
    return ST_OK;
}

void events_close(struct events *e)
{
    if (!e)
        return;
    columns_done(&e->told);
    columns_done(&e->found);
    columns_done(&e->places);
    columns_done(&e->untold);
    columns_done(&e->c);
    free(e->fresh);
    free(e->old);
    free(e->is_new);
    free(e->is_gone);
    free(e->gone);
    free(e);
}

static void begin(struct events *e)
{
    static const Oid told[] = {PG_TEXT, PG_UUID,  PG_TEXT,   PG_INT2,  PG_INT8,
                               PG_INT8, PG_JSONB, PG_FLOAT8, PG_FLOAT8};
    static const Oid places[] = {PG_TEXT, PG_UUID, PG_FLOAT8, PG_FLOAT8};
    static const Oid found[] = {PG_TEXT, PG_UUID,   PG_TEXT,   PG_TEXT,  PG_TEXT, PG_INT8,
                                PG_INT8, PG_FLOAT8, PG_FLOAT8, PG_JSONB, PG_INT8};

    if (e->begun)
        return;
    e->begun = true;
    columns_begin(&e->told, 9, told);
    columns_begin(&e->places, 4, places);
    columns_begin(&e->untold, 2, places);
    columns_begin(&e->found, 11, found);
}

static void add_word(struct pg_array *a, const char *word)
{
    pg_array_text(a, word, strlen(word));
}

void events_add_told(struct events *e, const struct record *r, double lat, double lon)
{
    struct pg_array *at = e->told.column;

    begin(e);
    pg_array_text(&at[0], r->from.topic.vin, VIN_LEN);
    pg_array_uuid(&at[1], r->fact.id);
    add_word(&at[2], r->fact.type);
    pg_array_int2(&at[3], r->from.topic.leaf == LEAF_ALERT);
    pg_array_int8(&at[4], r->fact.t_ms);
    pg_array_int8(&at[5], r->from.received_ms);
    pg_array_jsonb(&at[6], r->payload, r->len);
    columns_add_double(&at[7], isfinite(lat), lat);
    columns_add_double(&at[8], isfinite(lon), lon);
}

void events_add_place(struct events *e, const char *vin, const struct found_place *place)
{
    struct pg_array *at = e->places.column;
    char id[UUID_TEXT + 1];

    begin(e);
    uuid_print(id, place->id);
    pg_array_text(&at[0], vin, VIN_LEN);
    pg_array_uuid(&at[1], id);
    columns_add_double(&at[2], isfinite(place->lat), place->lat);
    columns_add_double(&at[3], isfinite(place->lon), place->lon);
}

void events_add_found(struct events *e, const char *vin, const struct found *found,
                      int64_t detected_ms)
{
    struct pg_array *at = e->found.column;
    struct finding id;
    bool placed = isfinite(found->lat);

    begin(e);
    finding_init(&id, vin, found->type, found->subject, found->occurred_ms, detected_ms);
    pg_array_text(&at[0], vin, VIN_LEN);
    pg_array_uuid(&at[1], id.id);
    add_word(&at[2], found->type);
    add_word(&at[3], found->subject);
    if (found->parts & FOUND_ALERT)
        add_word(&at[4], alert_severity_word(found->severity));
    else
        pg_array_null(&at[4]);
    pg_array_int8(&at[5], found->occurred_ms);
    pg_array_int8(&at[6], detected_ms);
    columns_add_double(&at[7], placed, found->lat);
    columns_add_double(&at[8], placed, found->lon);
    pg_array_jsonb(&at[9], found->data, strlen(found->data));
    pg_array_int8(&at[10], found->told_ms);
}

void events_add_gone(struct events *e, const char *vin, const struct found *found)
{
    struct finding id;

    begin(e);
    finding_init(&id, vin, found->type, found->subject, found->occurred_ms, 0);
    pg_array_text(&e->untold.column[0], vin, VIN_LEN);
    pg_array_uuid(&e->untold.column[1], id.id);
}

static enum status write_told(struct events *e, struct fault *fault)
{
    return columns_queue(
        &e->told, e->db, 9,
        "INSERT INTO event (vin, id, type, source, severity, occurred_at, detected_at, data, lat, "
        "lon) SELECT f.v, f.i, f.y, 'agent', CASE WHEN f.a <> 0 THEN f.b ->> 'severity' END, "
        "to_timestamp(f.o / 1000.0), to_timestamp(f.r / 1000.0), coalesce(f.b -> 'data', '{}'), "
        "f.la, f.lo FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9) "
        "AS f (v, i, y, a, o, r, b, la, lo) ON CONFLICT DO NOTHING",
        NULL, fault);
}

static enum status write_found(struct events *e, struct fault *fault)
{
    return columns_queue(
        &e->found, e->db, 11,
        "INSERT INTO event AS old (vin, id, type, subject, source, severity, occurred_at, "
        "detected_at, lat, lon, data, told_ms) SELECT DISTINCT ON (v, i) v, i, y, s, 'ingest', se, "
        "to_timestamp(o / 1000.0), to_timestamp(d / 1000.0), la, lo, da, t "
        "FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) "
        "AS f (v, i, y, s, se, o, d, la, lo, da, t) ORDER BY v, i, t DESC ON CONFLICT (vin, id) DO "
        "UPDATE "
        "SET withdrawn = false, severity = excluded.severity, lat = excluded.lat, "
        "lon = excluded.lon, data = excluded.data, told_ms = excluded.told_ms "
        "WHERE old.withdrawn OR old.data <> excluded.data OR old.told_ms <> excluded.told_ms",
        NULL, fault);
}

/* What a sample has told meanwhile stays. */
static enum status write_untold(struct events *e, struct fault *fault)
{
    return columns_queue(&e->untold, e->db, 2,
                         "UPDATE event e SET withdrawn = true FROM unnest($1, $2) AS g (v, i) "
                         "WHERE e.vin = g.v AND e.id = g.i AND e.told_ms = 0 AND NOT e.withdrawn",
                         NULL, fault);
}

void events_forget(struct events *e)
{
    e->begun = false;
}

enum status events_write(struct events *e, struct fault *fault)
{
    enum status st = ST_OK;

    if (e->begun && (st = write_told(e, fault)) == ST_OK && (st = write_untold(e, fault)) == ST_OK)
        st = write_found(e, fault);
    return st;
}

/* An alert has an id of its own where it waits for its end, and where its event's was another
 * vehicle's: it began with its event. */
enum status events_write_places(struct events *e, struct fault *fault)
{
    bool begun = e->begun;

    e->begun = false;
    if (!begun)
        return ST_OK;
    return columns_queue(
        &e->places, e->db, 4,
        "WITH p AS (SELECT DISTINCT ON (v, i) * FROM unnest($1, $2, $3, $4) AS p (v, i, la, lo)), "
        "moved AS (UPDATE event e SET lat = p.la, lon = p.lo FROM p WHERE e.vin = p.v AND "
        "e.id = p.i AND (e.lat, e.lon) IS DISTINCT FROM (p.la, p.lo)) "
        "UPDATE alert a SET lat = p.la, lon = p.lo FROM p JOIN event e ON e.vin = p.v AND "
        "e.id = p.i WHERE a.vin = e.vin AND a.type = e.type AND a.occurred_at = e.occurred_at AND "
        "(a.lat, a.lon) IS DISTINCT FROM (p.la, p.lo)",
        NULL, fault);
}

/* ---- not so after all */
static bool make_room(struct events *e, size_t fresh_n, size_t old_n)
{
    return room_grow((void **)&e->fresh, sizeof *e->fresh, fresh_n + 1, &e->fresh_room) &&
           room_grow((void **)&e->is_new, sizeof *e->is_new, fresh_n + 1, &e->new_room) &&
           room_grow((void **)&e->old, sizeof *e->old, old_n + 1, &e->old_room) &&
           room_grow((void **)&e->is_gone, sizeof *e->is_gone, old_n + 1, &e->gone_room) &&
           room_grow((void **)&e->gone, sizeof *e->gone, old_n + 1, &e->rows_room);
}

static enum status read_old(struct events *e, const char *vin, int64_t after_ms, int64_t until_ms,
                            PGresult **rows, struct fault *fault)
{
    char after[24], until[24];
    const char *params[] = {vin, after, until};

    (void)snprintf(after, sizeof after, "%lld", (long long)after_ms);
    (void)snprintf(until, sizeof until, "%lld", (long long)until_ms);
    return pg_run(e->db,
                  "SELECT id, type, subject, ms(occurred_at), ctid FROM event WHERE vin = $1 AND "
                  "source = 'ingest' AND NOT withdrawn AND told_ms > $2 AND told_ms <= $3 "
                  "FOR UPDATE",
                  3, params, rows, fault);
}

static void scan_old(const PGresult *rows, int row, struct finding *f, struct found *gone)
{
    *f = (struct finding){.occurred_ms = pg_text_int8(rows, row, 3)};
    text_copy(f->id, sizeof f->id, PQgetvalue(rows, row, 0));
    text_copy(f->type, sizeof f->type, PQgetvalue(rows, row, 1));
    text_copy(f->subject, sizeof f->subject, PQgetvalue(rows, row, 2));
    *gone = (struct found){.occurred_ms = f->occurred_ms};
    text_copy(gone->type, sizeof gone->type, f->type);
    text_copy(gone->subject, sizeof gone->subject, f->subject);
}

/* What other settings found. */
static void spare(struct events *e, size_t old_n, const struct judged_past *past)
{
    for (size_t j = 0; j < old_n; j++)
        e->is_gone[j] = e->is_gone[j] && !judged_spares(past, e->gone[j].type, e->gone[j].subject,
                                                        e->gone[j].occurred_ms);
}

/* `rows` are locked since they were read, so they lie where they did: no index has to be chosen for
 * them. */
static enum status mark_gone(struct events *e, const PGresult *rows, size_t old_n, size_t *gone_n,
                             struct fault *fault)
{
    static const Oid types[] = {PG_TEXT};

    *gone_n = 0;
    columns_begin(&e->c, 1, types);
    for (size_t j = 0; j < old_n; j++) {
        if (!e->is_gone[j])
            continue;
        add_word(&e->c.column[0], PQgetvalue(rows, (int)j, 4));
        e->gone[(*gone_n)++] = e->gone[j];
    }
    return columns_queue(&e->c, e->db, 1,
                         "UPDATE event e SET withdrawn = true FROM unnest($1) AS g (at) "
                         "WHERE e.ctid = g.at::tid",
                         NULL, fault);
}

enum status events_withdraw(struct events *e, const char *vin, const struct judged_past *past,
                            int64_t after_ms, int64_t until_ms, struct found **gone, size_t *gone_n,
                            struct fault *fault)
{
    PGresult *rows = NULL;
    size_t fresh_n = 0, old_n;
    enum status st = read_old(e, vin, after_ms, until_ms, &rows, fault);

    if (st != ST_OK)
        return st;
    old_n = (size_t)PQntuples(rows);
    if (!make_room(e, past->n, old_n)) {
        PQclear(rows);
        return fault_set(fault, ST_RETRY, "out of memory for events");
    }
    for (size_t j = 0; j < old_n; j++)
        scan_old(rows, (int)j, &e->old[j], &e->gone[j]);
    for (size_t i = 0; i < past->n; i++)
        if (past->found[i].parts & FOUND_EVENT)
            finding_init(&e->fresh[fresh_n++], vin, past->found[i].type, past->found[i].subject,
                         past->found[i].occurred_ms, 0);
    if (finding_reconcile(e->fresh, e->is_new, fresh_n, e->old, e->is_gone, old_n)) {
        spare(e, old_n, past);
        st = mark_gone(e, rows, old_n, gone_n, fault);
    } else
        st = fault_set(fault, ST_RETRY, "out of memory for events");
    PQclear(rows);
    *gone = e->gone;
    return st;
}
