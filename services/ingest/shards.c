/* services/ingest/shards.c - a lock is held by the connection: when that dies the locks are
 * anyone's.  So what we hold is asked of the server each time, and never remembered. */
#include "shards.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/store/postgres.h"
#include "meters.h"
#include "proto/topic.h"

struct shards {
    struct pg *db;
    struct mqtt *reader;
    struct duty *duty;          /* told what we hold */
    char site[32], history[64]; /* its name, and the class of its locks */
    bool held[TOPIC_SHARDS];    /* by this connection, as the server says */
    bool facts[TOPIC_SHARDS];   /* the facts of all sites, the same way */
    bool subscribed[TOPIC_SHARDS];
    size_t instances;     /* of this site, we included */
    unsigned connections; /* pg_connections when we said that we are here */
};

#define ANSWER_MS 3000
#define QOS 0 /* a PUBACK of ours would say nothing: the session is clean, our word is down/ack */
#define FACTS "vigie facts" /* class of the locks of all sites; those of a site carry its name */

enum status shards_open(struct shards **out, const char *conninfo, const char *site,
                        struct mqtt *reader, struct duty *duty, struct fault *fault)
{
    struct shards *s = calloc(1, sizeof *s);
    enum status st;

    if (!s)
        return fault_set(fault, ST_FATAL, "out of memory");
    snprintf(s->site, sizeof s->site, "%s", site);
    snprintf(s->history, sizeof s->history, "vigie history %s", s->site);
    s->reader = reader;
    s->duty = duty;
    if ((st = pg_open(&s->db, conninfo, "vigie-ingest-shards", fault)) != ST_OK) {
        free(s);
        return st;
    }
    pg_set_patience(s->db, ANSWER_MS);
    *out = s;
    return ST_OK;
}

size_t shards_share(size_t instances)
{
    return instances ? (TOPIC_SHARDS + instances - 1) / instances : TOPIC_SHARDS;
}

/* A lock of its own class, keyed by the backend, says: one more instance; one that a site's
 * instances share says: one more site. */
static enum status appear(struct shards *s, struct fault *fault)
{
    const char *params[] = {s->site};
    enum status st = pg_ready(s->db, fault);

    if (st != ST_OK || s->connections == pg_connections(s->db))
        return st;
    st = pg_run(s->db,
                "SELECT pg_advisory_lock(hashtext('vigie instance ' || $1), pg_backend_pid()), "
                "pg_advisory_lock_shared(hashtext('vigie site'), hashtext($1))",
                1, params, NULL, fault);
    if (st == ST_OK)
        s->connections = pg_connections(s->db);
    return st;
}

/* Run a question that answers with shards, and mark each of them as held or not. */
static enum status mark(struct shards *s, const char *sql, const char *what, const char *numbers,
                        bool flags[TOPIC_SHARDS], bool held, struct fault *fault)
{
    const char *params[] = {what, numbers};
    PGresult *rows = NULL;
    enum status st = pg_run(s->db, sql, numbers ? 2 : 1, params, &rows, fault);

    if (st != ST_OK)
        return st;
    for (int r = 0; r < PQntuples(rows); r++) {
        int i = atoi(PQgetvalue(rows, r, 0));

        if (i >= 0 && i < TOPIC_SHARDS)
            flags[i] = held;
    }
    PQclear(rows);
    return ST_OK;
}

static enum status look_at(struct shards *s, const char *what, bool flags[TOPIC_SHARDS],
                           struct fault *fault)
{
    for (size_t i = 0; i < TOPIC_SHARDS; i++)
        flags[i] = false;
    return mark(s,
                "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() "
                "AND objsubid = 2 AND granted "
                "AND classid::bigint = hashtext($1)::bigint & 4294967295",
                what, NULL, flags, true, fault);
}

/* How many different locks of a class are held by anybody. */
static enum status count_locks(struct shards *s, const char *what, size_t *n, struct fault *fault)
{
    const char *params[] = {what};
    PGresult *rows = NULL;
    enum status st =
        pg_run(s->db,
               "SELECT count(DISTINCT objid) FROM pg_locks WHERE locktype = 'advisory' AND granted "
               "AND objsubid = 2 AND database = "
               "(SELECT oid FROM pg_database WHERE datname = current_database()) "
               "AND classid::bigint = hashtext($1)::bigint & 4294967295",
               1, params, &rows, fault);

    if (st != ST_OK)
        return st;
    *n = strtoul(PQgetvalue(rows, 0, 0), NULL, 10);
    PQclear(rows);
    return ST_OK;
}

static enum status look(struct shards *s, struct fault *fault)
{
    char instance[64];
    size_t sites;
    enum status st;

    snprintf(instance, sizeof instance, "vigie instance %s", s->site);
    if ((st = look_at(s, s->history, s->held, fault)) != ST_OK ||
        (st = look_at(s, FACTS, s->facts, fault)) != ST_OK ||
        (st = count_locks(s, instance, &s->instances, fault)) != ST_OK ||
        (st = count_locks(s, "vigie site", &sites, fault)) != ST_OK)
        return st;
    atomic_store(&s->duty->others, sites > 1);
    return ST_OK;
}

static enum status unlock(struct shards *s, unsigned shard, const char *what,
                          bool flags[TOPIC_SHARDS], struct fault *fault)
{
    char number[16];

    if (!flags[shard])
        return ST_OK;
    snprintf(number, sizeof number, "%u", shard);
    return mark(s, "SELECT $2::int FROM pg_advisory_unlock(hashtext($1), $2::int)", what, number,
                flags, false, fault);
}

/* The surplus goes first from our subscriptions, then from our locks: nobody else takes it before.
 */
static enum status give_up(struct shards *s, struct fault *fault)
{
    size_t owned = shards_owned(s), share = shards_share(s->instances);
    char filter[TOPIC_MAX];

    for (unsigned i = TOPIC_SHARDS; i-- > 0 && owned > share;) {
        enum status st;

        if (!s->held[i])
            continue;
        topic_shard_filter(filter, i);
        if (s->subscribed[i] && (st = mqtt_unsubscribe(s->reader, filter, fault)) == ST_FATAL)
            return st;
        s->subscribed[i] = false;
        if ((st = unlock(s, i, FACTS, s->facts, fault)) != ST_OK ||
            (st = unlock(s, i, s->history, s->held, fault)) != ST_OK)
            return st;
        owned--;
    }
    return ST_OK;
}

/* Try to lock the next `most` shards from *from on that are not to be skipped, in one
 * question;
 * *from is where to go on.  Without a LIMIT, for which PostgreSQL may evaluate a volatile function
 * more often than it returns rows. */
static enum status try_locks(struct shards *s, const char *what, const bool skip[TOPIC_SHARDS],
                             size_t most, unsigned *from, bool flags[TOPIC_SHARDS],
                             struct fault *fault)
{
    char numbers[TOPIC_SHARDS * 3 + 3] = "{";
    size_t len = 1;

    for (; *from < TOPIC_SHARDS && most > 0; ++*from) {
        if (skip[*from])
            continue;
        len += (size_t)snprintf(numbers + len, sizeof numbers - len, "%s%u", len > 1 ? "," : "",
                                *from);
        most--;
    }
    if (len == 1)
        return ST_OK;
    snprintf(numbers + len, sizeof numbers - len, "}");
    return mark(s,
                "SELECT k FROM unnest($2::int[]) AS u (k) "
                "WHERE pg_try_advisory_lock(hashtext($1), k)",
                what, numbers, flags, true, fault);
}

/* As many as are missing to our share are tried at a time; some may be another's. */
static enum status take_free(struct shards *s, struct fault *fault)
{
    size_t share = shards_share(s->instances), owned;
    unsigned from = 0;
    enum status st = ST_OK;

    while ((owned = shards_owned(s)) < share && from < TOPIC_SHARDS && st == ST_OK)
        st = try_locks(s, s->history, s->held, share - owned, &from, s->held, fault);
    return st;
}

/* Whoever comes first, of whatever site, keeps them; another gets them when it is gone. */
static enum status take_facts(struct shards *s, struct fault *fault)
{
    bool skip[TOPIC_SHARDS];
    unsigned from = 0;

    for (size_t i = 0; i < TOPIC_SHARDS; i++)
        skip[i] = !s->held[i] || s->facts[i];
    return try_locks(s, FACTS, skip, TOPIC_SHARDS, &from, s->facts, fault);
}

static void tell_duty(const struct shards *s)
{
    uint64_t history = 0, facts = 0;

    for (unsigned i = 0; i < TOPIC_SHARDS; i++) {
        history |= (uint64_t)s->held[i] << i;
        facts |= (uint64_t)s->facts[i] << i;
    }
    atomic_store(&s->duty->facts, facts);
    atomic_store(&s->duty->history, history);
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
        st = s->held[i] ? mqtt_subscribe(s->reader, filter, QOS, fault)
                        : mqtt_unsubscribe(s->reader, filter, fault);
        if (st != ST_OK && st != ST_RETRY)
            return st;
        s->subscribed[i] = s->held[i];
    }
    return ST_OK;
}

enum status shards_step(struct shards *s, struct fault *fault)
{
    enum status st;

    if ((st = appear(s, fault)) != ST_OK || (st = look(s, fault)) != ST_OK ||
        (st = give_up(s, fault)) != ST_OK || (st = take_free(s, fault)) != ST_OK ||
        (st = take_facts(s, fault)) != ST_OK)
        return st;
    tell_duty(s);
    if ((st = subscribe_to_held(s, fault)) != ST_OK)
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

bool shards_has(const struct shards *s, unsigned shard)
{
    return shard < TOPIC_SHARDS && s->held[shard];
}

void shards_close(struct shards *s)
{
    if (!s)
        return;
    pg_close(s->db);
    free(s);
}
