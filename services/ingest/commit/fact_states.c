/* services/ingest/commit/fact_states.c - read with the lock, written in the same transaction. */
#include "fact_states.h"

#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "fact_layouts.h"
#include "fact_lost.h"
#include "services/ingest/car/pack.h"

#define CHECKPOINT_MS ((int64_t)2 * 3600 * 1000)

struct fact_states {
    struct pg *db;
    struct fact_layouts *layouts;
    struct columns c, states, checkpoints;
    struct text text;
    PGresult *rows;        /* of the newest lock */
    struct fact_lost lost; /* of those among them that cannot be read */
};

enum status fact_states_open(struct fact_states **out, struct pg *db, struct fault *fault)
{
    struct fact_states *s = calloc(1, sizeof *s);

    if (!s)
        return fault_set(fault, ST_FATAL, "out of memory");
    s->db = db;
    text_init(&s->text);
    if (fact_layouts_open(&s->layouts, db, fault) != ST_OK) {
        fact_states_close(s);
        return ST_FATAL;
    }
    *out = s;
    return ST_OK;
}

void fact_states_close(struct fact_states *s)
{
    if (!s)
        return;
    fact_layouts_close(s->layouts);
    PQclear(s->rows);
    fact_lost_forget(&s->lost);
    columns_done(&s->c);
    columns_done(&s->states);
    columns_done(&s->checkpoints);
    text_done(&s->text);
    free(s);
}

/* ---- in */
static void begin_rows(struct fact_states *s)
{
    static const Oid states[] = {PG_TEXT, PG_INT8, PG_BYTEA, PG_INT8, PG_INT8, PG_INT8, PG_INT8,
                                 PG_INT8, PG_INT2, PG_INT2,  PG_UUID, PG_INT8, PG_INT8, PG_INT2};
    static const Oid checkpoints[] = {PG_TEXT, PG_INT8, PG_INT8, PG_BYTEA};

    columns_begin(&s->states, 14, states);
    columns_begin(&s->checkpoints, 4, checkpoints);
}

enum status fact_states_ask(struct fact_states *s, const char *const *vins, size_t n,
                            struct fault *fault)
{
    static const Oid types[] = {PG_TEXT};
    enum status st = fact_layouts_ask(s->layouts, fault);

    if (st != ST_OK)
        return st;
    PQclear(s->rows);
    s->rows = NULL;
    columns_begin(&s->c, 1, types);
    for (size_t i = 0; i < n; i++)
        pg_array_text(&s->c.column[0], vins[i], VIN_LEN);
    return columns_queue_binary(
        &s->c, s->db, 1,
        "SELECT s.vin, s.layout, s.state, s.t_ms, s.checkpoint_ms, s.wait_ms, s.late_from_ms, "
        "s.late_until_ms, s.late_at, s.waits FROM unnest($1) WITH ORDINALITY AS k (v, i) "
        "JOIN fact_state s ON s.vin = k.v ORDER BY k.i FOR UPDATE OF s",
        &s->rows, fault);
}

static bool read_state(struct fact_states *s, const PGresult *rows, int row, int column,
                       struct car *out)
{
    return fact_layouts_read(s->layouts, pg_get_int8(rows, row, column - 1),
                             PQgetvalue(rows, row, column), (size_t)PQgetlength(rows, row, column),
                             out);
}

static bool is_of_another(const struct fact_states *s, int row)
{
    return !PQgetisnull(s->rows, row, 2) &&
           pg_get_int8(s->rows, row, 1) != fact_layouts_own(s->layouts);
}

/* Once per vehicle and upgrade. */
static enum status read_others(struct fact_states *s, struct fault *fault)
{
    struct pg_array *vins = &s->c.column[0];
    struct car car;
    bool any = false;
    enum status st;

    fact_lost_forget(&s->lost);
    for (int i = 0; i < PQntuples(s->rows) && !any; i++)
        any = is_of_another(s, i);
    if (!any)
        return ST_OK;
    if ((st = fact_layouts_learn(s->layouts, fault)) != ST_OK)
        return st;
    pg_array_begin(vins, PG_TEXT);
    for (int i = 0; i < PQntuples(s->rows); i++)
        if (is_of_another(s, i) && !read_state(s, s->rows, i, 2, &car))
            pg_array_text(vins, PQgetvalue(s->rows, i, 0), VIN_LEN);
    if (vins->count == 0)
        return ST_OK;
    if (vins->failed)
        return fault_set(fault, ST_RETRY, "out of memory for vehicles");
    pg_array_end(vins);
    return fact_lost_read(&s->lost, s->db, vins, fault);
}

enum status fact_states_take(struct fact_states *s, const char *const *vins, size_t n,
                             struct fault *fault)
{
    enum status st;

    begin_rows(s);
    if ((size_t)PQntuples(s->rows) == n)
        return read_others(s, fault);
    st = columns_queue(&s->c, s->db, 1,
                       "INSERT INTO fact_state (vin) SELECT v FROM unnest($1) AS k (v) ORDER BY v "
                       "ON CONFLICT DO NOTHING",
                       NULL, fault);
    if (st == ST_OK && (st = fact_states_ask(s, vins, n, fault)) == ST_OK)
        st = pg_settle(s->db, fault);
    if (st == ST_OK && (size_t)PQntuples(s->rows) != n)
        st = fault_set(fault, ST_RETRY, "%d of %zu vehicles have facts", PQntuples(s->rows), n);
    return st == ST_OK ? read_others(s, fault) : st;
}

enum status fact_states_lock(struct fact_states *s, const char *const *vins, size_t n,
                             struct fault *fault)
{
    enum status st = fact_states_ask(s, vins, n, fault);

    if (st != ST_OK || (st = pg_settle(s->db, fault)) != ST_OK)
        return st;
    return fact_states_take(s, vins, n, fault);
}

/* What it waits for is there: the history. */
static void begin_lost(const struct fact_states *s, int64_t t_ms, struct fact_row *out)
{
    fact_lost_begin(&s->lost, out->vin, t_ms, &out->car);
    if (t_ms == 0)
        return;
    if (out->wait_ms == 0)
        out->waits_anew = true;
    if (out->wait_ms < t_ms)
        out->wait_ms = t_ms;
}

void fact_states_get(struct fact_states *s, size_t i, struct fact_row *out)
{
    const PGresult *rows = s->rows;
    int row = (int)i;
    int64_t t_ms = pg_get_int8(rows, row, 3);

    memset(out, 0, sizeof *out);
    text_copy(out->vin, sizeof out->vin, PQgetvalue(rows, row, 0));
    out->checkpoint_ms = pg_get_int8(rows, row, 4);
    out->wait_ms = pg_get_int8(rows, row, 5);
    out->late_from_ms = pg_get_int8(rows, row, 6);
    out->late_until_ms = pg_get_int8(rows, row, 7);
    out->late_at_ms = pg_get_time_ms(rows, row, 8);
    out->waits = pg_get_int8(rows, row, 9);
    if (PQgetisnull(rows, row, 2) || read_state(s, rows, row, 2, &out->car))
        return;
    begin_lost(s, t_ms, out);
}

/* ---- out */
bool fact_states_is_due(int64_t t_ms, int64_t checkpoint_ms)
{
    return t_ms - checkpoint_ms >= CHECKPOINT_MS;
}

static void add_checkpoint(struct fact_states *s, const char *vin, int64_t t_ms)
{
    struct pg_array *at = s->checkpoints.column;

    pg_array_text(&at[0], vin, VIN_LEN);
    pg_array_int8(&at[1], t_ms);
    pg_array_int8(&at[2], fact_layouts_own(s->layouts));
    pg_array_text(&at[3], s->text.bytes, s->text.len);
}

void fact_states_keep(struct fact_states *s, const char *vin, const struct car *car)
{
    text_clear(&s->text);
    pack_add(&s->text, car, sizeof *car);
    add_checkpoint(s, vin, car_t_ms(car));
}

static void add_stream(struct pg_array *a, const unsigned char stream[16])
{
    static const unsigned char none[16];
    char text[UUID_TEXT + 1];

    if (!memcmp(stream, none, sizeof none)) {
        pg_array_null(a);
        return;
    }
    uuid_print(text, stream);
    pg_array_uuid(a, text);
}

void fact_states_put(struct fact_states *s, const struct fact_row *row)
{
    struct pg_array *at = s->states.column;
    int64_t t_ms = car_t_ms(&row->car);
    bool first = row->checkpoint_ms == 0; /* nothing comes before it: from nothing is as good */
    bool due = !first && row->car.lost_ms == 0 && fact_states_is_due(t_ms, row->checkpoint_ms);

    text_clear(&s->text);
    pack_add(&s->text, &row->car, sizeof row->car);
    if (due)
        add_checkpoint(s, row->vin, t_ms);
    pg_array_text(&at[0], row->vin, VIN_LEN);
    pg_array_int8(&at[1], t_ms);
    pg_array_text(&at[2], s->text.bytes, s->text.len);
    pg_array_int8(&at[3], row->car.shown_ms);
    pg_array_int8(&at[4], due || first ? t_ms : row->checkpoint_ms);
    pg_array_int8(&at[5], row->wait_ms);
    pg_array_int8(&at[6], row->late_from_ms);
    pg_array_int8(&at[7], row->late_until_ms);
    pg_array_int2(&at[8], row->waits_anew);
    pg_array_int2(&at[9], row->late_now);
    add_stream(&at[10], row->car.stream);
    pg_array_int8(&at[11], row->car.passed_seq);
    pg_array_int8(&at[12], row->waits);
    pg_array_int2(&at[13], row->late_anew);
}

enum status fact_states_write(struct fact_states *s, struct fault *fault)
{
    char sql[1024];
    enum status st;

    if (s->text.failed)
        return fault_set(fault, ST_RETRY, "out of memory for a state");
    if ((st = fact_layouts_tell(s->layouts, fault)) != ST_OK)
        return st;
    (void)snprintf(
        sql, sizeof sql,
        "UPDATE fact_state s SET t_ms = f.t, layout = %lld, state = f.st, shown_ms = f.sh, "
        "checkpoint_ms = f.c, wait_ms = f.w, late_from_ms = f.lf, late_until_ms = f.lu, "
        "wait_since = CASE WHEN wn <> 0 THEN now() ELSE s.wait_since END, "
        "late_at = CASE WHEN ln <> 0 THEN now() ELSE s.late_at END, "
        "late_since = CASE WHEN la <> 0 THEN now() ELSE s.late_since END, stream = f.sm, "
        "passed_seq = f.pa, waits = f.wc FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, "
        "$12, $13, $14) "
        "AS f (v, t, st, sh, c, w, lf, lu, wn, ln, sm, pa, wc, la) WHERE s.vin = f.v",
        (long long)fact_layouts_own(s->layouts));
    st = columns_queue(&s->states, s->db, 14, sql, NULL, fault);
    if (st != ST_OK)
        return st;
    return columns_queue(&s->checkpoints, s->db, 4,
                         "INSERT INTO fact_checkpoint (vin, t_ms, layout, state) "
                         "SELECT * FROM unnest($1, $2, $3, $4) ON CONFLICT (vin, t_ms) DO UPDATE "
                         "SET layout = excluded.layout, state = excluded.state",
                         NULL, fault);
}

/* ---- checkpoints */
static enum status read_checkpoint(struct fact_states *s, const char *sql, const char *vin,
                                   int64_t at_ms, struct car *out, struct fault *fault)
{
    char at[24];
    const char *params[] = {vin, at, NULL};
    const struct pg_statement ask = {.sql = sql, .n = 3, .params = params, .binary = true};
    PGresult *rows = NULL;
    enum status st;

    if ((st = fact_layouts_learn(s->layouts, fault)) != ST_OK)
        return st;
    params[2] = fact_layouts_known(s->layouts);
    (void)snprintf(at, sizeof at, "%lld", (long long)at_ms);
    if ((st = pg_queue(s->db, &ask, &rows, fault)) != ST_OK ||
        (st = pg_settle(s->db, fault)) != ST_OK)
        return st;
    if (PQntuples(rows) == 0 || !read_state(s, rows, 0, 1, out))
        st = ST_NONE;
    PQclear(rows);
    return st;
}

enum status fact_states_before(struct fact_states *s, const char *vin, int64_t at_ms,
                               struct car *out, struct fault *fault)
{
    return read_checkpoint(
        s,
        "SELECT layout, state FROM fact_checkpoint WHERE vin = $1 AND t_ms <= $2 AND "
        "layout = ANY ($3::bigint[]) ORDER BY t_ms DESC LIMIT 1",
        vin, at_ms, out, fault);
}

enum status fact_states_after(struct fact_states *s, const char *vin, int64_t at_ms,
                              struct car *out, struct fault *fault)
{
    return read_checkpoint(
        s,
        "SELECT layout, state FROM fact_checkpoint WHERE vin = $1 AND t_ms >= $2 AND "
        "layout = ANY ($3::bigint[]) ORDER BY t_ms LIMIT 1",
        vin, at_ms, out, fault);
}

enum status fact_states_forget(struct fact_states *s, const char *vin, int64_t at_ms,
                               struct fault *fault)
{
    char at[24];
    const char *params[] = {vin, at};

    (void)snprintf(at, sizeof at, "%lld", (long long)at_ms);
    return pg_run(s->db, "DELETE FROM fact_checkpoint WHERE vin = $1 AND t_ms > $2", 2, params,
                  NULL, fault);
}
