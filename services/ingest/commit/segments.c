/* services/ingest/commit/segments.c - read the old rows, find them in the new ones, write what
 * changed. */
#include <stdlib.h>
#include <string.h>

#include "lib/room.h"
#include "proto/vin.h"
#include "segments_inside.h"

struct car_rows { /* of one vehicle: fresh[from .. from + n), the first `settled` of them settled */
    char vin[VIN_LEN + 1];
    struct fuel_settings fuel;
    int64_t again_ms, base_ms;
    size_t from, n, settled;
};

struct segments {
    struct pg *db;
    struct columns c;
    struct text text;
    struct car_rows *cars;
    size_t cars_n, cars_room;
    struct segment *fresh;
    size_t fresh_n, fresh_room;
    struct segment *old;
    size_t old_n, old_room;
    bool *changed;
    size_t changed_room;
    bool failed; /* no memory for what was added */
};

enum status segments_open(struct segments **out, struct pg *db, struct fault *fault)
{
    struct segments *s = calloc(1, sizeof *s);

    if (!s)
        return fault_set(fault, ST_FATAL, "out of memory");
    s->db = db;
    text_init(&s->text);
    *out = s;
    return ST_OK;
}

void segments_close(struct segments *s)
{
    if (!s)
        return;
    columns_done(&s->c);
    text_done(&s->text);
    free(s->cars);
    free(s->fresh);
    free(s->old);
    free(s->changed);
    free(s);
}

void segments_add(struct segments *s, const char *vin, const struct fuel_settings *fuel,
                  const struct segment *settled, size_t settled_n, const struct segment *open,
                  size_t open_n, int64_t again_ms, int64_t base_ms)
{
    size_t n = settled_n + open_n;
    struct car_rows *car;

    if (!room_grow((void **)&s->cars, sizeof *s->cars, s->cars_n + 1, &s->cars_room) ||
        !room_grow((void **)&s->fresh, sizeof *s->fresh, s->fresh_n + n, &s->fresh_room)) {
        s->failed = true;
        return;
    }
    car = &s->cars[s->cars_n++];
    *car = (struct car_rows){.fuel = *fuel,
                             .again_ms = again_ms,
                             .base_ms = base_ms,
                             .from = s->fresh_n,
                             .n = n,
                             .settled = settled_n};
    text_copy(car->vin, sizeof car->vin, vin);
    if (settled_n)
        memcpy(s->fresh + s->fresh_n, settled, settled_n * sizeof *settled);
    if (open_n)
        memcpy(s->fresh + s->fresh_n + settled_n, open, open_n * sizeof *open);
    s->fresh_n += n;
}

/* ---- old rows */
static enum status take_rows(struct segments *s, PGresult *rows, struct fault *fault)
{
    int n = PQntuples(rows);

    s->old_n = 0;
    if (!room_grow((void **)&s->old, sizeof *s->old, (size_t)n, &s->old_room)) {
        PQclear(rows);
        return fault_set(fault, ST_RETRY, "out of memory for %d rows", n);
    }
    for (int i = 0; i < n; i++)
        if (segment_scan(rows, i, &s->old[s->old_n]))
            s->old_n++;
    return ST_OK;
}

enum status segments_read(struct segments *s, const char *vin, int64_t from_ms,
                          struct segment **rows, size_t *n, struct fault *fault)
{
    char from[24];
    const char *params[] = {vin, from};
    PGresult *found = NULL;
    enum status st;

    text_clear(&s->text);
    text_print(&s->text,
               "SELECT %s FROM segment s WHERE s.vin = $1 AND s.state <> 'superseded' AND "
               "s.end_at >= to_timestamp($2::bigint / 1000.0) ORDER BY s.start_at, s.id",
               segment_select);
    (void)snprintf(from, sizeof from, "%lld", (long long)from_ms);
    if ((st = pg_run(s->db, s->text.bytes, 2, params, &found, fault)) != ST_OK ||
        (st = take_rows(s, found, fault)) != ST_OK)
        return st;
    PQclear(found);
    *rows = s->old;
    *n = s->old_n;
    return ST_OK;
}

static enum status read_old(struct segments *s, PGresult **rows, struct fault *fault)
{
    static const Oid types[] = {PG_TEXT, PG_INT8, PG_INT8};

    columns_begin(&s->c, 3, types);
    for (size_t i = 0; i < s->cars_n; i++) {
        pg_array_text(&s->c.column[0], s->cars[i].vin, VIN_LEN);
        pg_array_int8(&s->c.column[1], s->cars[i].again_ms);
        pg_array_int8(&s->c.column[2], s->cars[i].base_ms);
    }
    text_clear(&s->text);
    /* LATERAL: an index search each, however small the tables were when this was planned */
    text_print(&s->text,
               "SELECT s.* FROM unnest($1, $2, $3) AS k (v, f, b) CROSS JOIN LATERAL ("
               "SELECT %1$s FROM segment s WHERE s.vin = k.v AND NOT s.settled "
               "AND s.state <> 'superseded' UNION ALL SELECT %1$s FROM segment s "
               "WHERE k.f < 9000000000000 AND s.vin = k.v AND "
               "s.start_at >= to_timestamp(k.f / 1000.0) AND s.settled AND "
               "(s.kind NOT IN ('idle', 'lapse') OR s.end_at > to_timestamp(k.b / 1000.0)) "
               "AND s.state <> 'superseded') s ORDER BY 1",
               segment_select);
    return columns_run(&s->c, s->db, 3, s->text.bytes, rows, fault);
}

/* ---- which is which */
static int by_vin(const void *a, const void *b)
{
    return strcmp(((const struct car_rows *)a)->vin, ((const struct car_rows *)b)->vin);
}

static void add_changed(struct segments *s, const struct car_rows *car, const struct segment *old,
                        size_t old_n)
{
    struct segment *fresh = s->fresh + car->from;

    for (size_t i = 0; i < car->n; i++)
        if (s->changed[i] || i < car->settled)
            segment_add_columns(&s->c, &s->text, car->vin, &car->fuel, &fresh[i], i < car->settled);
    for (size_t i = 0; i < old_n; i++)
        if (old[i].state == SEGMENT_SUPERSEDED)
            segment_add_columns(&s->c, &s->text, car->vin, &car->fuel, &old[i], false);
}

/* Both sorted by VIN: the old rows of a vehicle lie together. */
static bool reconcile(struct segments *s, const PGresult *rows)
{
    size_t at = 0, n;

    segment_begin_columns(&s->c);
    for (size_t i = 0; i < s->cars_n; i++) {
        const struct car_rows *car = &s->cars[i];

        for (n = 0; at + n < s->old_n && !strcmp(PQgetvalue(rows, (int)(at + n), 0), car->vin);)
            n++;
        if (!segment_reconcile(s->fresh + car->from, s->changed, car->n, s->old + at, n, car->vin))
            return false;
        add_changed(s, car, s->old + at, n);
        at += n;
    }
    return true;
}

static enum status write_rows(struct segments *s, struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st;
    bool known;

    if (s->failed ||
        !room_grow((void **)&s->changed, sizeof *s->changed, s->fresh_n, &s->changed_room))
        return fault_set(fault, ST_RETRY, "out of memory for rows of time");
    qsort(s->cars, s->cars_n, sizeof *s->cars, by_vin);
    if ((st = read_old(s, &rows, fault)) != ST_OK || (st = take_rows(s, rows, fault)) != ST_OK)
        return st;
    if (s->old_n != (size_t)PQntuples(rows)) {
        PQclear(rows);
        return fault_set(fault, ST_FATAL, "a row of time is none of this program's");
    }
    known = reconcile(s, rows);
    PQclear(rows);
    if (!known)
        return fault_set(fault, ST_RETRY, "out of memory for rows of time");
    return columns_queue(&s->c, s->db, SEGMENT_COLUMNS, segment_insert, NULL, fault);
}

void segments_forget(struct segments *s)
{
    s->cars_n = s->fresh_n = 0;
    s->failed = false;
}

enum status segments_write(struct segments *s, struct fault *fault)
{
    enum status st = s->cars_n ? write_rows(s, fault) : ST_OK;

    segments_forget(s);
    return st;
}
