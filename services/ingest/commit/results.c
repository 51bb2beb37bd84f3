/* services/ingest/commit/results.c - what became of commands. */
#include "results.h"

/* Of several results of one command in a group the one that is farthest counts; that it was
 * delivered is known from any of them but `expired`. */
enum status results_write(struct columns *c, struct pg *db, struct record *const *records,
                          const bool *fresh, size_t n, struct fault *fault)
{
    static const Oid types[] = {PG_TEXT, PG_JSONB, PG_INT8};

    columns_begin(c, 3, types);
    for (size_t i = 0; i < n; i++) {
        const struct record *r = records[i];

        if (!fresh[i] || r->dead || r->from.topic.leaf != LEAF_RESULT)
            continue;
        pg_array_text(&c->column[0], r->from.topic.vin, VIN_LEN);
        pg_array_jsonb(&c->column[1], r->payload, r->len);
        pg_array_int8(&c->column[2], r->from.received_ms);
    }
    return columns_queue(
        c, db, 3,
        "WITH f AS (SELECT DISTINCT ON (v, b ->> 'command') v, (b ->> 'command')::uuid AS id, "
        "b ->> 'state' AS state, b ->> 'reason' AS reason, b -> 'data' AS data, "
        "to_timestamp(r / 1000.0) AS at FROM unnest($1, $2, $3) AS k (v, b, r) "
        "ORDER BY v, b ->> 'command', command_rank(b ->> 'state') DESC, r) "
        "UPDATE command c SET state = f.state, version = c.version + 1, "
        "reason = CASE WHEN f.state NOT IN ('delivered', 'done') THEN f.reason END, "
        "data = CASE WHEN f.state <> 'delivered' THEN f.data END, "
        "delivered_at = CASE WHEN f.state = 'expired' THEN c.delivered_at "
        "ELSE coalesce(c.delivered_at, f.at) END, "
        "ended_at = CASE WHEN f.state <> 'delivered' THEN f.at END "
        "FROM f WHERE c.vin = f.v AND c.id = f.id AND command_rank(f.state) > "
        "command_rank(c.state)",
        NULL, fault);
}
