/* services/ingest/shards.c - a lock is held by the connection: when that dies the locks are anyone's. */
#include "shards.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/store/postgres.h"
#include "meters.h"
#include "proto/topic.h"

struct shards {
    struct pg *db;
    struct mqtt *reader;
    char site[32];
    bool held[TOPIC_SHARDS];       /* by the connection that is open now */
    bool subscribed[TOPIC_SHARDS];
};

enum status shards_open(struct shards **out, const char *conninfo, const char *site, struct mqtt *reader,
                        struct fault *fault)
{
    struct shards *s = calloc(1, sizeof *s);
    enum status st;

    if (!s)
        return fault_set(fault, ST_FATAL, "out of memory");
    snprintf(s->site, sizeof s->site, "%s", site);
    s->reader = reader;
    if ((st = pg_open(&s->db, conninfo, "vigie-ingest-shards", fault)) != ST_OK) {
        free(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

/* The locks of this connection are taken again from the start whenever it is a new one. */
static enum status reconnect(struct shards *s, struct fault *fault)
{
    enum status st;

    if (pg_socket(s->db) < 0)
        for (size_t i = 0; i < TOPIC_SHARDS; i++)
            s->held[i] = false;
    if ((st = pg_ready(s->db, fault)) != ST_OK)
        return st;
    return pg_run(s->db, "SELECT", 0, NULL, NULL, fault);
}

static enum status take_free(struct shards *s, struct fault *fault)
{
    char mask[TOPIC_SHARDS + 1] = "";
    const char *params[] = {s->site, mask};
    PGresult *rows = NULL;
    enum status st;

    for (size_t i = 0; i < TOPIC_SHARDS; i++)
        mask[i] = s->held[i] ? '1' : '0';
    st = pg_run(s->db,
                "SELECT i FROM generate_series(0, 63) AS i WHERE substr($2, i + 1, 1) = '0' AND "
                "pg_try_advisory_lock(hashtext('vigie history ' || $1), i)",
                2, params, &rows, fault);
    if (st != ST_OK)
        return st;
    for (int r = 0; r < PQntuples(rows); r++) {
        int i = atoi(PQgetvalue(rows, r, 0));

        if (i >= 0 && i < TOPIC_SHARDS)
            s->held[i] = true;
    }
    PQclear(rows);
    return ST_OK;
}

/* ST_RETRY from the client means it asks for it itself once it is connected. */
static enum status subscribe_to_held(struct shards *s, struct fault *fault)
{
    char filter[TOPIC_MAX];

    for (unsigned i = 0; i < TOPIC_SHARDS; i++) {
        enum status st;

        if (s->held[i] == s->subscribed[i])
            continue;
        topic_shard_filter(filter, i);
        st = s->held[i] ? mqtt_subscribe(s->reader, filter, 1, fault) : mqtt_unsubscribe(s->reader, filter, fault);
        if (st != ST_OK && st != ST_RETRY)
            return st;
        s->subscribed[i] = s->held[i];
    }
    return ST_OK;
}

enum status shards_step(struct shards *s, struct fault *fault)
{
    enum status st;

    if ((st = reconnect(s, fault)) != ST_OK || (st = take_free(s, fault)) != ST_OK ||
        (st = subscribe_to_held(s, fault)) != ST_OK)
        return st;
    metric_set(meters.shards_owned, NULL, (double)shards_owned(s));
    return ST_OK;
}

size_t shards_owned(const struct shards *s)
{
    size_t n = 0;

    for (size_t i = 0; i < TOPIC_SHARDS; i++)
        n += s->held[i];
    return n;
}

void shards_close(struct shards *s)
{
    if (!s)
        return;
    pg_close(s->db);
    free(s);
}
