/* services/ingest/commit/rows.c - facts and dead letters: arrays in, ON CONFLICT decides. */
#include "rows.h"

#include <stdlib.h>
#include <string.h>

#define HEX_AT_ONCE 512 /* bytes */

void rows_done(struct rows *w)
{
    PQclear(w->dropped);
    PQclear(w->others);
    columns_done(&w->c);
    text_done(&w->text);
}

static const char *kind_of(const struct record *r)
{
    return strchr(topic_leaf_name(r->from.topic.leaf), '/') + 1;
}

/* ---- facts */
static bool is_fact(const struct record *r)
{
    return !r->dead && !r->again && r->from.topic.leaf >= LEAF_EVENT &&
           r->from.topic.leaf <= LEAF_RESULT;
}

enum status rows_ask_other_facts(struct rows *w, struct record *const *records, size_t n,
                                 struct fault *fault)
{
    static const Oid types[] = {PG_TEXT, PG_UUID, PG_TEXT, PG_TEXT, PG_INT8, PG_INT8};

    PQclear(w->others); /* of a group that failed */
    w->others = NULL;
    columns_begin(&w->c, 6, types);
    for (size_t i = 0; i < n; i++) {
        const struct record *r = records[i];

        if (!is_fact(r))
            continue;
        pg_array_text(&w->c.column[0], r->from.topic.vin, VIN_LEN);
        pg_array_uuid(&w->c.column[1], r->fact.id);
        pg_array_text(&w->c.column[2], kind_of(r), strlen(kind_of(r)));
        pg_array_text(&w->c.column[3], r->fact.type, strlen(r->fact.type));
        pg_array_int8(&w->c.column[4], r->fact.t_ms);
        pg_array_int8(&w->c.column[5], (int64_t)i);
    }
    w->others_asked = w->c.column[0].count > 0;
    return columns_queue(
        &w->c, w->db, 6,
        "SELECT f.n FROM (SELECT *, first_value(k) OVER w AS k1, first_value(y) OVER w AS y1, "
        "first_value(o) OVER w AS o1 FROM unnest($1, $2, $3, $4, $5, $6) AS u (v, i, k, y, o, n) "
        "WINDOW w AS (PARTITION BY v, i ORDER BY n)) AS f LEFT JOIN fact t ON t.vin = f.v AND "
        "t.id = f.i WHERE CASE WHEN t.id IS NULL THEN (k, y, o) IS DISTINCT FROM (k1, y1, o1) "
        "ELSE (t.kind, t.type, t.occurred_at) IS DISTINCT FROM (k, y, to_timestamp(nullif(o, 0) / "
        "1000.0)) END",
        &w->others, fault);
}

enum status rows_find_other_facts(struct rows *w, struct record *const *records,
                                  struct fault *fault)
{
    enum status st = w->others_asked && !w->others ? pg_settle(w->db, fault) : ST_OK;

    if (st != ST_OK)
        return st;
    for (int i = 0; w->others && i < PQntuples(w->others); i++)
        record_put_aside(records[strtoull(PQgetvalue(w->others, i, 0), NULL, 10)], "conflict",
                         "another fact of this vehicle has its id");
    PQclear(w->others);
    w->others = NULL;
    return ST_OK;
}

enum status rows_facts(struct rows *w, struct record *const *records, const bool *fresh, size_t n,
                       struct fault *fault)
{
    static const Oid types[] = {PG_TEXT, PG_UUID, PG_TEXT, PG_TEXT, PG_UUID,
                                PG_INT8, PG_INT8, PG_INT8, PG_JSONB};

    columns_begin(&w->c, 9, types);
    for (size_t i = 0; i < n; i++) {
        const struct record *r = records[i];

        if (!fresh[i] || !is_fact(r))
            continue;
        pg_array_text(&w->c.column[0], r->from.topic.vin, VIN_LEN);
        pg_array_uuid(&w->c.column[1], r->fact.id);
        pg_array_text(&w->c.column[2], kind_of(r), strlen(kind_of(r)));
        pg_array_text(&w->c.column[3], r->fact.type, strlen(r->fact.type));
        pg_array_uuid(&w->c.column[4], r->head.stream);
        pg_array_int8(&w->c.column[5], r->head.seq);
        pg_array_int8(&w->c.column[6], r->fact.t_ms);
        pg_array_int8(&w->c.column[7], r->from.received_ms);
        pg_array_jsonb(&w->c.column[8], r->payload, r->len);
    }
    return columns_queue(
        &w->c, w->db, 9,
        "INSERT INTO fact (vin, id, kind, type, stream, seq, occurred_at, received_at, body) "
        "SELECT v, i, k, y, s, q, to_timestamp(nullif(o, 0) / 1000.0), to_timestamp(r / 1000.0), b "
        "FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9) AS f (v, i, k, y, s, q, o, r, b) "
        "ON CONFLICT DO NOTHING",
        NULL, fault);
}

/* ---- dead letters */
static bool is_letter(const struct record *r, bool fresh)
{
    return fresh && r->reason[0] && !r->letter[0];
}

static enum status dead_letter_id(struct rows *w, const struct record *r, char id[UUID_TEXT + 1],
                                  struct fault *fault)
{
    char hex[2 * HEX_AT_ONCE + 1];

    text_clear(&w->text);
    text_print(&w->text, "%s %s %s %s %lld ", w->site, r->from.topic.vin, kind_of(r),
               r->head.stream, (long long)r->head.seq);
    for (size_t at = 0; at < r->len; at += HEX_AT_ONCE) { /* as hex: a NUL would end it */
        size_t n = r->len - at < HEX_AT_ONCE ? r->len - at : HEX_AT_ONCE;

        text_hex(hex, (const unsigned char *)r->payload + at, n);
        text_add(&w->text, hex, 2 * n);
    }
    if (w->text.failed)
        return fault_set(fault, ST_RETRY, "out of memory for a dead letter");
    uuid_of_text(id, w->text.bytes);
    return ST_OK;
}

/* Those with a fault of their own.  What a store refused, or ended us, was a good record as far as
 * anybody knows, and is kept for as long as letters are. */
static bool is_bounded(const struct record *r)
{
    return strcmp(r->reason, "store") != 0 && strcmp(r->reason, "poison") != 0;
}

static enum status keep_newest_dead_letters(struct rows *w, struct record *const *records,
                                            const bool *fresh, size_t n, struct fault *fault)
{
    static const Oid types[] = {PG_TEXT};

    columns_begin(&w->c, 1, types);
    for (size_t i = 0; i < n; i++)
        if (is_letter(records[i], fresh[i]) && is_bounded(records[i]))
            pg_array_text(&w->c.column[0], records[i]->from.topic.vin, VIN_LEN);
    return columns_queue(
        &w->c, w->db, 1,
        "DELETE FROM dead_letter d USING (SELECT id, row_number() OVER (PARTITION BY vin "
        "ORDER BY received_at DESC, id) AS rank FROM dead_letter WHERE vin = ANY ($1) AND "
        "reason NOT IN ('store', 'poison')) r WHERE d.id = r.id AND r.rank > 1000",
        &w->dropped, fault);
}

size_t rows_dropped(struct rows *w)
{
    size_t n = w->dropped ? strtoull(PQcmdTuples(w->dropped), NULL, 10) : 0;

    PQclear(w->dropped);
    w->dropped = NULL;
    return n;
}

enum status rows_dead_letters(struct rows *w, struct record *const *records, const bool *fresh,
                              size_t n, struct fault *fault)
{
    static const Oid types[] = {PG_TEXT, PG_UUID, PG_TEXT, PG_TEXT,  PG_UUID,
                                PG_INT8, PG_TEXT, PG_TEXT, PG_BYTEA, PG_INT8};
    char id[UUID_TEXT + 1];
    enum status st;

    PQclear(w->dropped); /* of a group that failed */
    w->dropped = NULL;
    columns_begin(&w->c, 10, types);
    for (size_t i = 0; i < n; i++) {
        const struct record *r = records[i];

        if (!is_letter(r, fresh[i]))
            continue;
        if ((st = dead_letter_id(w, r, id, fault)) != ST_OK)
            return st;
        pg_array_text(&w->c.column[0], r->from.topic.vin, VIN_LEN);
        pg_array_uuid(&w->c.column[1], id);
        pg_array_text(&w->c.column[2], w->site, strlen(w->site));
        pg_array_text(&w->c.column[3], topic_leaf_name(r->from.topic.leaf),
                      strlen(topic_leaf_name(r->from.topic.leaf)));
        if (r->head.stream[0])
            pg_array_uuid(&w->c.column[4], r->head.stream);
        else
            pg_array_null(&w->c.column[4]);
        pg_array_int8(&w->c.column[5], r->head.seq);
        pg_array_text(&w->c.column[6], r->reason, strlen(r->reason));
        pg_array_text(&w->c.column[7], r->detail, strlen(r->detail));
        pg_array_text(&w->c.column[8], r->payload, r->len);
        pg_array_int8(&w->c.column[9], r->from.received_ms);
    }
    st = columns_queue(
        &w->c, w->db, 10,
        "INSERT INTO dead_letter (vin, id, site, kind, stream, seq, reason, detail, payload, "
        "received_at) "
        "SELECT v, i, s, k, t, nullif(q, 0), r, d, p, to_timestamp(a / 1000.0) "
        "FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS f (v, i, s, k, t, q, r, d, p, a) "
        "ON CONFLICT DO NOTHING",
        NULL, fault);
    return st == ST_OK ? keep_newest_dead_letters(w, records, fresh, n, fault) : st;
}
