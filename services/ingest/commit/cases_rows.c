/* services/ingest/commit/cases_rows.c - a case as a row, both ways. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cases_inside.h"

#define COLUMNS 22

/* ---- in */
static int find(const char *word, const char *(*name)(int), int n)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(word, name(i)))
            return i;
    return 0;
}

static const char *severity_name(int i)
{
    return alert_severity_word((enum alert_severity)i);
}

static const char *state_name(int i)
{
    return alert_state_word((enum alert_state)i);
}

static const char *reason_name(int i)
{
    return alert_reason_word((enum alert_reason)i);
}

static const char *ending_name(int i)
{
    static const char *const word[] = {"point", "condition", "person"};

    return word[i];
}

static int scan_times(int64_t *times, int most, const char *text)
{
    char *end;
    int n = 0;

    for (text++; n < most; text = end + 1) { /* {1,2,3} */
        int64_t t_ms = strtoll(text, &end, 10);

        if (end == text)
            break;
        times[n++] = t_ms;
    }
    return n;
}

void case_rows_scan(const PGresult *rows, int row, struct case_now *now)
{
    struct alert *a = &now->alert;
    bool known = !PQgetisnull(rows, row, 15);

    text_copy(a->id, sizeof a->id, PQgetvalue(rows, row, 1));
    a->key = now->key;
    a->ending = (enum alert_ending)find(PQgetvalue(rows, row, 2), ending_name, ALERT_PERSON + 1);
    a->state = (enum alert_state)find(PQgetvalue(rows, row, 3), state_name, ALERT_CLEARED + 1);
    a->severity =
        (enum alert_severity)find(PQgetvalue(rows, row, 4), severity_name, ALERT_CRITICAL + 1);
    a->reason = (enum alert_reason)find(PQgetvalue(rows, row, 5), reason_name, ALERT_RETIRED + 1);
    a->occurred_ms = pg_text_int8(rows, row, 6);
    a->detected_ms = pg_text_int8(rows, row, 7);
    a->last_ms = pg_text_int8(rows, row, 8);
    a->ended_ms = pg_text_int8(rows, row, 9);
    a->cleared_ms = pg_text_int8(rows, row, 10);
    a->count = (int)pg_text_int8(rows, row, 11);
    a->held_down = *PQgetvalue(rows, row, 12) == 't';
    a->changes = scan_times(a->changes_ms, ALERT_CHANGES, PQgetvalue(rows, row, 13));
    a->messaged_ms = pg_text_int8(rows, row, 14);
    now->lat = known ? strtod(PQgetvalue(rows, row, 15), NULL) : (double)NAN;
    now->lon = known ? strtod(PQgetvalue(rows, row, 16), NULL) : (double)NAN;
    if (!text_copy(now->data, sizeof now->data, PQgetvalue(rows, row, 17)))
        text_copy(now->data, sizeof now->data, CASE_DATA_KEPT);
    now->openings = (int)pg_text_int8(rows, row, 18);
    a->ends = scan_times(a->ends_ms, ALERT_ENDS, PQgetvalue(rows, row, 19));
}

#define OF_KEY(collation)                                                                          \
    "(SELECT b.id FROM alert b WHERE b.vin = k.v COLLATE \"" collation "\" "                       \
    "AND b.type = k.t COLLATE \"" collation "\" AND b.subject = k.s COLLATE \"" collation "\" "    \
    "AND b.occurred_at BETWEEN k.since AND k.until "
#define GOING OF_KEY("POSIX") "AND b.state <> 'cleared'"
#define NOT_DENIED OF_KEY("C") "AND b.reason <> 'corrected'"
#define ANY OF_KEY("C")
#define NEWEST " ORDER BY b.occurred_at DESC LIMIT 1)"

/* One that goes on, else the newest that was not denied, else the newest: each at the first row of
 * an index, for a key may have thousands.  A plan may be older than the rows: it is made while
 * tables are empty, where every index that begins with the VIN costs the same.  The collations of
 * alert_going and alert_named are those of no other index. */
enum status case_rows_read(struct columns *c, struct pg *db, struct case_now *now, size_t n,
                           struct fault *fault)
{
    static const Oid types[] = {PG_INT8, PG_TEXT, PG_TEXT, PG_TEXT, PG_INT8, PG_INT8, PG_UUID};
    PGresult *rows = NULL;
    enum status st;

    columns_begin(c, 7, types);
    for (size_t i = 0; i < n; i++) {
        const struct alert_key *key = &now[i].key;

        pg_array_int8(&c->column[0], (int64_t)i);
        pg_array_text(&c->column[1], key->vin, strlen(key->vin));
        pg_array_text(&c->column[2], key->type, strlen(key->type));
        pg_array_text(&c->column[3], key->subject, strlen(key->subject));
        pg_array_int8(&c->column[4], now[i].correct_ms);
        pg_array_int8(&c->column[5], now[i].correct_ms ? now[i].correct_ms : now[i].until_ms);
        if (now[i].told_id[0])
            pg_array_uuid(&c->column[6], now[i].told_id);
        else
            pg_array_null(&c->column[6]);
    }
    st = columns_run(c, db, 7,
                     "SELECT k.i, " CASE_COLUMNS " FROM (SELECT i, v, t, s, d, "
                     "coalesce(to_timestamp(nullif(o, 0) / 1000.0), '-infinity') AS since, "
                     "coalesce(to_timestamp(nullif(u, 0) / 1000.0), 'infinity') AS until "
                     "FROM unnest($1, $2, $3, $4, $5, $6, $7) AS k (i, v, t, s, o, u, d)) k "
                     "CROSS JOIN LATERAL (SELECT * FROM alert a WHERE a.id = CASE WHEN k.d IS NULL "
                     "THEN coalesce(" GOING NEWEST ", " NOT_DENIED NEWEST ", " ANY NEWEST ") "
                     "ELSE " ANY "AND b.id = k.d) END LIMIT 1 FOR UPDATE) a",
                     &rows, fault);
    for (int i = 0; st == ST_OK && i < PQntuples(rows); i++)
        case_rows_scan(rows, i, &now[pg_text_int8(rows, i, 0)]);
    PQclear(rows);
    return st;
}

/* ---- out */
static void add_word(struct pg_array *a, const char *word)
{
    pg_array_text(a, word, strlen(word));
}

void case_rows_begin(struct columns *c)
{
    static const Oid types[COLUMNS] = {PG_UUID,   PG_TEXT,   PG_TEXT,  PG_TEXT, PG_TEXT, PG_TEXT,
                                       PG_TEXT,   PG_TEXT,   PG_INT8,  PG_INT8, PG_INT8, PG_INT8,
                                       PG_INT8,   PG_INT8,   PG_INT2,  PG_TEXT, PG_INT8, PG_INT8,
                                       PG_FLOAT8, PG_FLOAT8, PG_JSONB, PG_TEXT};

    columns_begin(c, COLUMNS, types);
}

static void add_times(struct pg_array *at, struct text *text, const int64_t *times, int n)
{
    text_clear(text);
    text_add(text, "{", 1);
    for (int i = 0; i < n; i++)
        text_print(text, "%s%lld", i ? "," : "", (long long)times[i]);
    text_add(text, "}", 1);
    pg_array_text(at, text->bytes, text->len);
}

static void add_life(struct pg_array *at, struct text *text, const struct alert *a)
{
    pg_array_int8(&at[0], a->occurred_ms);
    pg_array_int8(&at[1], a->detected_ms);
    pg_array_int8(&at[2], a->last_ms);
    pg_array_int8(&at[3], a->ended_ms);
    pg_array_int8(&at[4], a->cleared_ms);
    pg_array_int8(&at[5], a->count);
    pg_array_int2(&at[6], a->held_down);
    add_times(&at[7], text, a->changes_ms, a->changes);
    pg_array_int8(&at[8], a->messaged_ms);
}

void case_rows_add(struct columns *c, struct text *text, const struct case_now *now)
{
    const struct alert *a = &now->alert;
    struct pg_array *at = c->column;

    pg_array_uuid(&at[0], a->id);
    add_word(&at[1], a->key.vin);
    add_word(&at[2], a->key.type);
    add_word(&at[3], a->key.subject);
    add_word(&at[4], ending_name((int)a->ending));
    add_word(&at[5], alert_state_word(a->state));
    add_word(&at[6], alert_severity_word(a->severity));
    add_word(&at[7], alert_reason_word(a->reason));
    add_life(&at[8], text, a);
    pg_array_int8(&at[17], now->openings);
    columns_add_double(&at[18], isfinite(now->lat), now->lat);
    columns_add_double(&at[19], isfinite(now->lon), now->lon);
    pg_array_jsonb(&at[20], now->data, strlen(now->data));
    add_times(&at[21], text, a->ends_ms, a->ends);
}

/* A point that is there already changes nothing, and is not told again; unless it was taken back.
 * The id of a point is a car's word: it may be that of any other case, of anybody. */
enum status case_rows_write(struct columns *c, struct pg *db, PGresult **rows, struct fault *fault)
{
    return columns_run(
        c, db, COLUMNS,
        "WITH written AS (INSERT INTO alert AS old (id, vin, type, subject, ending, state, "
        "severity, reason, occurred_at, detected_at, last_at, ended_at, cleared_at, count, "
        "held_down, changes, messaged_at, openings, lat, lon, data, ends) "
        "SELECT i, v, t, s, e, st, se, re, to_timestamp(oc / 1000.0), to_timestamp(de / 1000.0), "
        "to_timestamp(la / 1000.0), to_timestamp(nullif(en, 0) / 1000.0), "
        "to_timestamp(nullif(cl, 0) / 1000.0), co, he <> 0, ch::bigint[], "
        "to_timestamp(nullif(me, 0) / 1000.0), op, lat, lon, da, ens::bigint[] "
        "FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, "
        "$18, $19, $20, $21, $22) AS f (i, v, t, s, e, st, se, re, oc, de, la, en, cl, co, he, ch, "
        "me, op, lat, lon, da, ens) "
        "ON CONFLICT (id) DO UPDATE SET state = excluded.state, severity = excluded.severity, "
        "reason = excluded.reason, occurred_at = excluded.occurred_at, last_at = excluded.last_at, "
        "ended_at = excluded.ended_at, "
        "cleared_at = excluded.cleared_at, count = excluded.count, held_down = excluded.held_down, "
        "changes = excluded.changes, messaged_at = excluded.messaged_at, "
        "openings = excluded.openings, ends = excluded.ends, data = CASE WHEN excluded.data = "
        "'" CASE_DATA_KEPT "' THEN old.data ELSE excluded.data END, version = old.version + 1 "
        "WHERE old.vin = excluded.vin AND (old.ending = 'point') = (excluded.ending = 'point') "
        "AND (old.ending <> 'point' OR excluded.state = 'cleared' OR old.reason = 'corrected' OR "
        "(old.severity, old.data) IS DISTINCT FROM (excluded.severity, excluded.data)) "
        "RETURNING id) SELECT id FROM written ORDER BY id",
        rows, fault);
}

int case_rows_find(const PGresult *rows, const char *id)
{
    int low = 0, high = PQntuples(rows);

    while (low < high) {
        int middle = (low + high) / 2, order = strcmp(PQgetvalue(rows, middle, 0), id);

        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

/* ---- taken ids */
void case_taken_begin(struct columns *c)
{
    static const Oid types[] = {PG_INT8, PG_UUID, PG_TEXT, PG_INT2};

    columns_begin(c, 4, types);
}

void case_taken_add(struct columns *c, size_t number, const struct case_now *now)
{
    pg_array_int8(&c->column[0], (int64_t)number);
    pg_array_uuid(&c->column[1], now->alert.id);
    add_word(&c->column[2], now->key.vin);
    pg_array_int2(&c->column[3], now->alert.ending == ALERT_POINT);
}

enum status case_taken_read(struct columns *c, struct pg *db, PGresult **rows, struct fault *fault)
{
    return columns_run(c, db, 4,
                       "SELECT k.n, (extract(epoch FROM v.created_at) * 1000000)::bigint "
                       "FROM unnest($1, $2, $3, $4) AS k (n, i, v, p) JOIN alert a ON a.id = k.i "
                       "JOIN vehicle v ON v.vin = k.v "
                       "WHERE a.vin <> k.v OR (a.ending = 'point') <> (k.p <> 0) ORDER BY k.n",
                       rows, fault);
}
