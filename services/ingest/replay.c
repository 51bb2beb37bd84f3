/* services/ingest/replay.c - told by NOTIFY, and looked at every half minute for what was not told.
 */
#include "replay.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inflight.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/store/postgres.h"
#include "lib/text.h"
#include "record/meters.h"
#include "record/record.h"
#include "record/session.h"

#define ANSWER_MS 5000
#define LOOK_MS 30000
#define BATCH 100 /* letters */

struct replay {
    struct pg *db;
    char site[32];
    const struct shards *shards;
    struct queue *to;
    struct telemetry desk;
    unsigned connections; /* pg_connections when we listened last */
    int64_t look_ms;      /* when to look without having been told */
};

enum status replay_open(struct replay **out, const char *conninfo, const char *site,
                        const struct shards *shards, struct queue *to, struct fault *fault)
{
    struct replay *r = calloc(1, sizeof *r);
    enum status st;

    if (!r)
        return fault_set(fault, ST_FATAL, "out of memory");
    snprintf(r->site, sizeof r->site, "%s", site);
    r->shards = shards;
    r->to = to;
    telemetry_init(&r->desk);
    if ((st = session_open(&r->db, conninfo, "replay", fault)) != ST_OK) {
        free(r);
        return st;
    }
    pg_set_patience(r->db, ANSWER_MS);
    *out = r;
    return ST_OK;
}

/* A connection that was lost took its notices along. */
static enum status listen(struct replay *r, struct fault *fault)
{
    enum status st = pg_ready(r->db, fault);

    if (st != ST_OK || r->connections == pg_connections(r->db))
        return st;
    if ((st = pg_run(r->db, "LISTEN dead_letter", 0, NULL, NULL, fault)) != ST_OK)
        return st;
    r->connections = pg_connections(r->db);
    r->look_ms = 0;
    return ST_OK;
}

static bool is_time(struct replay *r)
{
    char channel[32], payload[64];

    while (pg_take_notify(r->db, channel, sizeof channel, payload, sizeof payload, NULL) == ST_OK)
        r->look_ms = 0;
    return clock_boot_ms() >= r->look_ms;
}

/* The vehicles that are asked for and ours, as a text[]; empty: none. */
static enum status list_ours(struct replay *r, struct pg_array *vins, struct fault *fault)
{
    const char *params[] = {r->site};
    PGresult *rows = NULL;
    enum status st = pg_run(r->db,
                            "SELECT DISTINCT d.vin FROM dead_letter d JOIN vehicle v USING (vin) "
                            "WHERE d.site = $1 AND d.asked_at IS NOT NULL",
                            1, params, &rows, fault);

    if (st != ST_OK)
        return st;
    pg_array_begin(vins, PG_TEXT);
    for (int i = 0; i < PQntuples(rows); i++) {
        const char *vin = PQgetvalue(rows, i, 0);

        if (vin_is_valid(vin, strlen(vin)) && shards_has(r->shards, topic_shard(vin)))
            pg_array_text(vins, vin, VIN_LEN);
    }
    pg_array_end(vins);
    PQclear(rows);
    return vins->failed ? fault_set(fault, ST_RETRY, "out of memory for dead letters") : ST_OK;
}

/* The first time many at once; what was taken and not settled then is taken alone, once more: it
 * may be what ended us. */
static enum status take(struct replay *r, const struct pg_array *vins, int tries, int limit,
                        PGresult **rows, struct fault *fault)
{
    const Oid types[] = {PG_TEXT, pg_array_type(vins)};
    char tried[16], count[16];
    const char *params[] = {r->site, vins->bytes, tried, count};
    const int lengths[] = {(int)strlen(r->site), (int)vins->len, 0, 0}, formats[] = {0, 1, 0, 0};
    const Oid all[] = {types[0], types[1], PG_INT8, PG_INT8};

    snprintf(tried, sizeof tried, "%d", tries);
    snprintf(count, sizeof count, "%d", limit);
    return pg_run_typed(
        r->db,
        "UPDATE dead_letter d SET taken_at = now(), tries = d.tries + 1 FROM (SELECT id FROM "
        "dead_letter WHERE site = $1 AND vin = ANY ($2) AND asked_at IS NOT NULL AND tries = $3 "
        "AND (taken_at IS NULL OR taken_at < now() - interval '60 s') ORDER BY asked_at, "
        "received_at LIMIT $4 FOR UPDATE SKIP LOCKED) AS t WHERE d.id = t.id RETURNING d.id, "
        "d.vin, d.kind, (extract(epoch FROM d.received_at) * 1000)::bigint, "
        "encode(d.payload, 'hex')",
        4, all, params, lengths, formats, rows, fault);
}

static enum status give_up(struct replay *r, struct fault *fault)
{
    const char *params[] = {r->site};

    return pg_run(r->db,
                  "UPDATE dead_letter SET asked_at = NULL, reason = 'poison', detail = 'taken "
                  "twice to be replayed, and settled neither time' WHERE site = $1 AND asked_at "
                  "IS NOT NULL AND tries > 1 AND taken_at < now() - interval '60 s'",
                  1, params, NULL, fault);
}

static bool arrival_of(struct arrival *from, const char *vin, const char *kind,
                       const char *received_ms)
{
    char text[TOPIC_MAX];
    int n = snprintf(text, sizeof text, "fleet/v1/%02x/%s/%s", topic_shard(vin), vin, kind);

    *from = (struct arrival){.received_ms = strtoll(received_ms, NULL, 10)};
    return n > 0 && (size_t)n < sizeof text &&
           topic_parse(&from->topic, text, (size_t)n, NULL) == ST_OK;
}

/* One letter into the queue.  What finds no room now is taken again in a minute. */
static void hand_over(struct replay *r, const PGresult *rows, int row)
{
    const char *hex = PQgetvalue(rows, row, 4);
    size_t len = strlen(hex) / 2;
    char *payload = malloc(len + 1);
    struct record *record = NULL;
    struct arrival from;

    if (payload && text_unhex((unsigned char *)payload, hex, 2 * len) &&
        arrival_of(&from, PQgetvalue(rows, row, 1), PQgetvalue(rows, row, 2),
                   PQgetvalue(rows, row, 3)))
        record = record_decode(&from, payload, len, clock_now_ms(), &r->desk);
    free(payload);
    if (!record)
        return;
    record->flight = inflight_id(&from.topic, record->payload, record->len);
    text_copy(record->letter, sizeof record->letter, PQgetvalue(rows, row, 0));
    if (queue_push(r->to, &record, 0) != ST_OK)
        record_free(record);
}

static enum status take_and_hand_over(struct replay *r, const struct pg_array *vins, int *taken,
                                      struct fault *fault)
{
    PGresult *rows = NULL;
    enum status st = take(r, vins, 0, BATCH, &rows, fault);

    if (st == ST_OK && PQntuples(rows) == 0) {
        PQclear(rows);
        rows = NULL;
        st = take(r, vins, 1, 1, &rows, fault);
    }
    if (st != ST_OK)
        return st;
    *taken = PQntuples(rows);
    for (int i = 0; i < *taken; i++)
        hand_over(r, rows, i);
    PQclear(rows);
    if (*taken > 0)
        log_info("letters.taken", "count=%d", *taken);
    return ST_OK;
}

enum status replay_step(struct replay *r, struct fault *fault)
{
    struct pg_array vins = {0};
    enum status st;
    int taken = 0;

    if ((st = listen(r, fault)) != ST_OK || !is_time(r))
        return st;
    if ((st = give_up(r, fault)) == ST_OK && (st = list_ours(r, &vins, fault)) == ST_OK &&
        vins.count > 0)
        st = take_and_hand_over(r, &vins, &taken, fault);
    r->look_ms = clock_boot_ms() + (taken > 0 ? 0 : LOOK_MS); /* there may be more */
    pg_array_done(&vins);
    return st;
}

void replay_close(struct replay *r)
{
    if (!r)
        return;
    telemetry_done(&r->desk);
    pg_close(r->db);
    free(r);
}
