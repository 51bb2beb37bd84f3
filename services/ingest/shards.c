/* services/ingest/shards.c - a lock is held by the connection: when that dies the locks are
 * anyone's.  So what we hold is asked of the server each time, and never remembered. */
#include "shards.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handover.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "name.h"
#include "peers.h"
#include "proto/topic.h"
#include "reach.h"
#include "record/meters.h"
#include "record/session.h"

/* The classes of our locks, as `ask` numbers them. */
enum { HISTORY, FACTS, INSTANCE, SITE, REACHES };

struct shards {
    struct pg *db;
    struct receiver *reader;
    struct duty *duty; /* told what we serve */
    char site[32];
    char history[64], instance[64], reaches[64]; /* the classes of its locks */
    bool held[TOPIC_SHARDS];                     /* by this connection, as the server says */
    bool facts[TOPIC_SHARDS];                    /* the facts of all sites, the same way */
    bool taken[TOPIC_SHARDS];                    /* held by another instance of this site */
    struct handover serve[TOPIC_SHARDS];
    bool subscribed[TOPIC_SHARDS];
    bool connected;             /* to the broker */
    struct reach_others others; /* instances of this site */
    size_t rank;                /* how many that count have a backend with a smaller pid */
    bool counted, told;         /* we hold the lock that says: we count; we reach the broker */
    struct reach reach;
    struct peers *peers;
    struct name name;
    unsigned connections; /* pg_connections when we said of which site we are */
};

#define ANSWER_MS 3000
#define QOS 0 /* a PUBACK of ours would say nothing: the session is clean, our word is down/ack */
#define FACTS_CLASS "vigie facts" /* of the locks of all sites; those of a site carry its name */

enum status shards_open(struct shards **out, const char *conninfo, const char *site,
                        const char *instance, struct receiver *reader, struct duty *duty,
                        int64_t frozen_wait_ms, struct fault *fault)
{
    struct shards *s = calloc(1, sizeof *s);
    enum status st;

    if (!s)
        return fault_set(fault, ST_FATAL, "out of memory");
    snprintf(s->site, sizeof s->site, "%s", site);
    snprintf(s->history, sizeof s->history, "vigie history %s", s->site);
    snprintf(s->instance, sizeof s->instance, "vigie instance %s", s->site);
    snprintf(s->reaches, sizeof s->reaches, "vigie broker %s", s->site);
    snprintf(s->name.site, sizeof s->name.site, "%s", site);
    snprintf(s->name.instance, sizeof s->name.instance, "%s", instance);
    s->reader = reader;
    s->duty = duty;
    if ((st = session_open(&s->db, conninfo, "shards", fault)) != ST_OK ||
        (st = peers_open(&s->peers, frozen_wait_ms, fault)) != ST_OK) {
        shards_close(s);
        return st;
    }
    pg_set_patience(s->db, ANSWER_MS);
    *out = s;
    return ST_OK;
}

size_t shards_share(size_t instances, size_t rank)
{
    return instances ? TOPIC_SHARDS / instances + (rank < TOPIC_SHARDS % instances) : TOPIC_SHARDS;
}

/* A lock that a site's instances share says: one more site. */
static enum status appear(struct shards *s, struct fault *fault)
{
    const char *params[] = {s->site};
    enum status st = pg_ready(s->db, fault);

    if (st != ST_OK || s->connections == pg_connections(s->db))
        return st;
    st = pg_run(s->db, "SELECT pg_advisory_lock_shared(hashtext('vigie site'), hashtext($1))", 1,
                params, NULL, fault);
    if (st == ST_OK)
        s->connections = pg_connections(s->db);
    return st;
}

/* Have a lock of the class `what`, keyed by our backend, or have it not: others count them. */
static enum status say(struct shards *s, const char *what, bool wanted, bool *held,
                       struct fault *fault)
{
    const char *params[] = {what};
    enum status st;

    if (wanted == *held)
        return ST_OK;
    st = pg_run(s->db,
                wanted ? "SELECT pg_advisory_lock(hashtext($1), pg_backend_pid())"
                       : "SELECT pg_advisory_unlock(hashtext($1), pg_backend_pid())",
                1, params, NULL, fault);
    if (st == ST_OK)
        *held = wanted;
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

/* Who holds what, in one question: of each lock its class, its second key, is it ours, and does its
 * holder come before us. */
static enum status ask(struct shards *s, PGresult **rows, struct fault *fault)
{
    const char *params[] = {s->site};

    return pg_run(s->db,
                  "SELECT c.what, l.objid, l.pid = pg_backend_pid(), l.pid < pg_backend_pid() "
                  "FROM (VALUES "
                  "(0, hashtext('vigie history ' || $1)), (1, hashtext('" FACTS_CLASS "')), "
                  "(2, hashtext('vigie instance ' || $1)), (3, hashtext('vigie site')), "
                  "(4, hashtext('vigie broker ' || $1))) "
                  "AS c (what, class) "
                  "JOIN pg_locks l ON l.classid::bigint = c.class::bigint & 4294967295 "
                  "WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted AND l.database = "
                  "(SELECT oid FROM pg_database WHERE datname = current_database())",
                  1, params, rows, fault);
}

/* Each instance of a site holds that site's lock, shared: rows of one key are one site. */
static bool is_other_site(const PGresult *rows, int row, const char **first)
{
    const char *site = PQgetvalue(rows, row, 1);

    if (!*first)
        *first = site;
    return strcmp(site, *first) != 0;
}

static void forget(struct shards *s)
{
    s->others = (struct reach_others){0};
    s->rank = 0;
    s->counted = s->told = false;
    for (size_t i = 0; i < TOPIC_SHARDS; i++)
        s->held[i] = s->facts[i] = s->taken[i] = false;
}

/* One of the locks that an instance says something of itself with. */
static void note_instance(struct shards *s, int what, bool ours, bool before)
{
    if (ours) {
        *(what == INSTANCE ? &s->counted : &s->told) = true;
    } else if (what == INSTANCE) {
        s->others.counted++;
        s->rank += before;
    } else {
        s->others.connected++;
    }
}

static enum status look(struct shards *s, struct fault *fault)
{
    const char *first_site = NULL;
    bool other_sites = false;
    PGresult *rows = NULL;
    enum status st = ask(s, &rows, fault);

    if (st != ST_OK)
        return st;
    forget(s);
    for (int r = 0; r < PQntuples(rows); r++) {
        int what = atoi(PQgetvalue(rows, r, 0));
        unsigned long key = strtoul(PQgetvalue(rows, r, 1), NULL, 10);
        bool ours = PQgetvalue(rows, r, 2)[0] == 't', before = PQgetvalue(rows, r, 3)[0] == 't';

        if (what == SITE)
            other_sites |= is_other_site(rows, r, &first_site);
        else if (what == INSTANCE || what == REACHES)
            note_instance(s, what, ours, before);
        else if (what == HISTORY && key < TOPIC_SHARDS)
            *(ours ? &s->held[key] : &s->taken[key]) = true;
        else if (what == FACTS && key < TOPIC_SHARDS && ours)
            s->facts[key] = true;
    }
    PQclear(rows);
    atomic_store(&s->duty->others, other_sites);
    return ST_OK;
}

static void tell_change(bool counts)
{
    if (counts)
        log_info("shards.back", "reason=\"takes its part of them\"");
    else
        log_warn("shards.left", "reason=\"no broker, and another instance has one\"");
}

/* Who holds what, and do we count; others hear of a change before anything is taken, so that of two
 * who begin together one sees the other. */
static enum status see(struct shards *s, struct fault *fault)
{
    bool counted = s->reach.counts, left = s->reach.left;
    enum status st = look(s, fault);

    if (st != ST_OK)
        return st;
    reach_step(&s->reach, s->connected, &s->others, clock_boot_ms());
    if (s->reach.counts != counted && (left || counted))
        tell_change(s->reach.counts);
    if (s->counted == s->reach.counts && s->told == s->connected)
        return ST_OK;
    if ((st = say(s, s->instance, s->reach.counts, &s->counted, fault)) != ST_OK ||
        (st = say(s, s->reaches, s->connected, &s->told, fault)) != ST_OK)
        return st;
    return look(s, fault);
}

static size_t share(const struct shards *s)
{
    return s->counted ? shards_share(s->others.counted + 1, s->rank) : 0;
}

/* A set of shards as an int[]. */
struct numbers {
    char text[TOPIC_SHARDS * 3 + 3];
    size_t len, count;
};

static void add_number(struct numbers *n, unsigned shard)
{
    n->len = n->len ? n->len - 1 : 0; /* over the bracket */
    n->len += (size_t)snprintf(n->text + n->len, sizeof n->text - n->len, "%c%u}",
                               n->count ? ',' : '{', shard);
    n->count++;
}

static enum status unlock(struct shards *s, const char *what, const struct numbers *which,
                          bool flags[TOPIC_SHARDS], struct fault *fault)
{
    if (which->count == 0)
        return ST_OK;
    return mark(s,
                "SELECT k FROM unnest($2::int[]) AS u (k) "
                "WHERE pg_advisory_unlock(hashtext($1), k)",
                what, which->text, flags, false, fault);
}

/* The surplus goes from our locks; from our subscriptions once another has had time for its own. */
static enum status give_up(struct shards *s, size_t most, struct fault *fault)
{
    struct numbers history = {0}, facts = {0};
    size_t owned = shards_owned(s);
    enum status st;

    for (unsigned i = TOPIC_SHARDS; i-- > 0 && owned > most;) {
        if (!s->held[i])
            continue;
        add_number(&history, i);
        if (s->facts[i])
            add_number(&facts, i);
        owned--;
    }
    st = unlock(s, FACTS_CLASS, &facts, s->facts, fault);
    return st == ST_OK ? unlock(s, s->history, &history, s->held, fault) : st;
}

/* Try to lock the next `most` shards from *from on that are not to be skipped, in one question;
 * *from is where to go on.  Without a LIMIT, for which PostgreSQL may evaluate a volatile function
 * more often than it returns rows. */
static enum status try_locks(struct shards *s, const char *what, const bool skip[TOPIC_SHARDS],
                             size_t most, unsigned *from, bool flags[TOPIC_SHARDS],
                             struct fault *fault)
{
    struct numbers next = {0};

    for (; *from < TOPIC_SHARDS && next.count < most; ++*from)
        if (!skip[*from])
            add_number(&next, *from);
    if (next.count == 0)
        return ST_OK;
    return mark(s,
                "SELECT k FROM unnest($2::int[]) AS u (k) "
                "WHERE pg_try_advisory_lock(hashtext($1), k)",
                what, next.text, flags, true, fault);
}

/* As many as are missing to our share are tried at a time; some may be another's.  Whoever cannot
 * receive yet leaves them to others who may. */
static enum status take_free(struct shards *s, struct fault *fault)
{
    size_t most = share(s), owned;
    unsigned from = 0;
    enum status st = ST_OK;

    if (s->others.counted > 0 && !s->connected)
        return ST_OK;
    while ((owned = shards_owned(s)) < most && from < TOPIC_SHARDS && st == ST_OK)
        st = try_locks(s, s->history, s->held, most - owned, &from, s->held, fault);
    return st;
}

/* Whoever comes first, of whatever site, keeps them; another gets them when it is gone. */
static enum status take_facts(struct shards *s, struct fault *fault)
{
    bool skip[TOPIC_SHARDS];
    unsigned from = 0;

    for (size_t i = 0; i < TOPIC_SHARDS; i++)
        skip[i] = !s->held[i] || s->facts[i];
    return try_locks(s, FACTS_CLASS, skip, TOPIC_SHARDS, &from, s->facts, fault);
}

static void tell_duty(const struct shards *s)
{
    uint64_t history = 0, facts = 0, unnumbered = 0;

    for (unsigned i = 0; i < TOPIC_SHARDS; i++) {
        history |= (uint64_t)s->serve[i].history << i;
        facts |= (uint64_t)s->serve[i].facts << i;
        unnumbered |= (uint64_t)handover_is_alone(&s->serve[i]) << i;
    }
    atomic_store(&s->duty->unnumbered, unnumbered);
    atomic_store(&s->duty->facts, facts);
    atomic_store(&s->duty->history, history);
}

static enum status subscribe_to_match(struct shards *s, struct fault *fault)
{
    char filter[TOPIC_MAX];

    for (unsigned i = 0; i < TOPIC_SHARDS; i++) {
        bool receive = s->serve[i].receive;
        enum status st = ST_OK;

        if (receive == s->subscribed[i])
            continue;
        topic_shard_filter(filter, i);
        if (receive)
            st = receiver_subscribe(s->reader, filter, QOS, fault);
        else
            receiver_unsubscribe(s->reader, filter);
        if (st != ST_OK)
            return st;
        s->subscribed[i] = receive;
    }
    return ST_OK;
}

static enum status serve(struct shards *s, struct fault *fault)
{
    int64_t now_ms = clock_boot_ms();

    for (size_t i = 0; i < TOPIC_SHARDS; i++)
        handover_step(&s->serve[i], s->held[i], s->facts[i], s->taken[i], now_ms);
    tell_duty(s);
    metric_set(meters.shards_owned, NULL, (double)shards_owned(s));
    return subscribe_to_match(s, fault);
}

/* First we are no instance any more, so that the share of the others grows. */
static enum status give_all_up(struct shards *s, struct fault *fault)
{
    enum status st;

    if ((st = say(s, s->reaches, false, &s->told, fault)) != ST_OK ||
        (st = say(s, s->instance, false, &s->counted, fault)) != ST_OK ||
        (st = look(s, fault)) != ST_OK || (st = give_up(s, 0, fault)) != ST_OK)
        return st;
    return serve(s, fault);
}

static enum status take_part(struct shards *s, struct fault *fault)
{
    enum status st;

    /* Subscribed before another question is asked: who had them counts from our locks. */
    if ((st = see(s, fault)) != ST_OK || (st = give_up(s, share(s), fault)) != ST_OK ||
        (st = take_free(s, fault)) != ST_OK || (st = serve(s, fault)) != ST_OK ||
        (st = take_facts(s, fault)) != ST_OK)
        return st;
    return serve(s, fault);
}

enum status shards_step(struct shards *s, bool connected, struct fault *fault)
{
    enum status st;

    s->connected = connected;
    if ((st = appear(s, fault)) != ST_OK || (st = peers_step(s->peers, s->db, fault)) != ST_OK ||
        (st = name_step(&s->name, s->db, fault)) != ST_OK)
        return st;
    if (s->name.ours)
        return take_part(s, fault);
    s->reach = (struct reach){0}; /* it will be as one that has just started */
    return give_all_up(s, fault);
}

bool shards_stand_by(const struct shards *s)
{
    return !s->name.ours;
}

enum status shards_leave(struct shards *s, bool *left, struct fault *fault)
{
    enum status st = give_all_up(s, fault);
    bool receiving = false;

    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < TOPIC_SHARDS; i++)
        receiving |= s->serve[i].receive;
    *left = s->others.counted == 0 || !receiving;
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
    peers_close(s->peers);
    free(s);
}
