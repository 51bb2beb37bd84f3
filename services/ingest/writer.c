/* services/ingest/writer.c - a group at a time; nothing is acknowledged before both stores have it.
 */
#include "writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "blame.h"
#include "commit/commit.h"
#include "drain.h"
#include "edge.h"
#include "group.h"
#include "historian.h"
#include "history.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "record/at.h"
#include "record/meters.h"
#include "stored.h"
#include "wire/announce.h"

#define IDLE_MS 200
#define VEHICLE_GONE "23503" /* a foreign key; the fault carries it first */
#define ACK_LOOK_MS 50       /* the same while an ack may be waiting */

struct writer {
    struct writer_options set;
    struct historian *historian; /* of the bulk lane, NULL in the other */
    struct gatherer gatherer;    /* of the urgent lane */
    struct group *own;           /* filled by it */
    struct group *group;         /* in hand, NULL none */
    struct history history;      /* for what was taken for stored and is not */
    struct telemetry desk;       /* ... is read on */
    struct edge influx, postgres;
    struct commit *commit;
    struct stored *stored;
    struct blame blame[LEAF_RESULT + 1]; /* each kind goes to tables of its own */
    bool tallies_wait;                   /* they could not be written */
    pthread_t thread;
    bool running;
};

static bool is_urgent(const struct writer *w)
{
    return w->set.lane == LANE_URGENT;
}

/* ---- a group */
/* Do other sites write facts of ours?  Then what they say is waited for. */
static bool awaits_others(const struct writer *w)
{
    return atomic_load(&w->set.duty->history) & ~atomic_load(&w->set.duty->facts);
}

static void tell_age(struct writer *w)
{
    if (w->historian)
        historian_tell_age(w->historian, w->group);
}

/* The next group into w->group, which stays NULL when none comes.  False: there will be no more. */
static bool take_group(struct writer *w)
{
    int wait_ms = stored_waits(w->stored) || awaits_others(w) ? ACK_LOOK_MS : IDLE_MS;
    enum status st;

    if (is_urgent(w)) {
        if (!group_gather(&w->gatherer, w->own, wait_ms))
            return false;
        w->group = w->own->count ? w->own : NULL;
        return true;
    }
    st = historian_take(w->historian, &w->group, wait_ms);
    if (st == ST_OK)
        group_arrive(w->group, w->set.inflight, w->set.lane);
    tell_age(w);
    return st != ST_NONE;
}

static void drop_group(struct writer *w, bool stored)
{
    struct group *g = w->group;

    if (!g)
        return;
    group_drop(g, w->set.inflight, w->set.lane, stored, w->set.inhand);
    w->group = NULL;
    tell_age(w);
    if (w->historian)
        historian_give_back(w->historian, g);
}

/* ---- stores */
static enum status store_history(void *self, struct record *const *records, size_t n,
                                 struct fault *fault)
{
    struct writer *w = self;

    return history_store(&w->history, records, n, fault);
}

/* Whose fault is it that a record is refused which stands alone?  A vehicle that is gone is nobody
 * else's, and a letter is kept already. */
static bool is_to_blame(struct writer *w, const struct record *r, const struct fault *fault)
{
    return !r->dead && !r->letter[0] && strncmp(fault->text, VEHICLE_GONE, 5) != 0 &&
           blame_refused(&w->blame[r->from.topic.leaf], r->from.topic.vin);
}

static void accepted(struct writer *w, struct record *const *records, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!records[i]->dead && !records[i]->again)
            blame_accepted(&w->blame[records[i]->from.topic.leaf]);
}

static enum status store_facts(void *self, struct record *const *records, size_t n,
                               struct fault *fault)
{
    struct writer *w = self;
    const struct alert_change_message *alerts;
    struct stream_mark *marks;
    size_t mark_count, alert_count;
    int64_t began_us = clock_boot_us();
    enum status st = commit_group(w->commit, records, n, &marks, &mark_count, fault);

    if (st == ST_REJECT && n == 1 && is_to_blame(w, records[0], fault))
        return ST_RETRY;
    if (st != ST_OK)
        return st;
    accepted(w, records, n);
    metric_observe(meters.commit_seconds, "postgres", (double)(clock_boot_us() - began_us) / 1e6);
    stored_tell(w->stored, marks, mark_count);
    stored_send(w->stored, clock_boot_ms());
    alerts = commit_alerts(w->commit, &alert_count);
    announce_alerts(w->set.acks, alerts, alert_count);
    return ST_OK;
}

/* What other sites have written of what we have stored.  What is missed comes again. */
static void hear(struct writer *w)
{
    struct fault fault = {""};
    struct stream_mark *marks;
    size_t mark_count;
    enum status st = commit_hear(w->commit, &marks, &mark_count, &fault);

    if (st == ST_OK)
        stored_heard(w->stored, marks, mark_count);
    else if (st != ST_RETRY)
        log_warn("news.unreadable", "reason=\"%s\"", fault.text);
}

/* Of what was stored before, while a store does not answer. */
static void meanwhile(void *self)
{
    struct writer *w = self;

    tell_age(w);
    stored_send(w->stored, clock_boot_ms());
}

static enum status persist_facts(struct writer *w, struct record *const *records, size_t n,
                                 struct fault *fault)
{
    const struct attempt attempt = {store_facts, meanwhile, w};

    return edge_persist(&w->postgres, &attempt, records, n, fault);
}

/* PostgreSQL takes the others but not this one: as a dead letter, then not at all (its vehicle may
 * be gone: nobody waits for an ack). */
static bool quarantine(struct writer *w, struct record *r, struct fault *fault)
{
    enum status st = ST_REJECT;

    if (!r->dead) {
        record_condemn(r, "store", fault->text);
        st = persist_facts(w, &r, 1, fault);
    }
    if (st == ST_REJECT) {
        metric_add(meters.rejected, "store", 1);
        log_warn("record.refused", "vehicle=%s reason=\"%s\"", r->from.topic.vin, fault->text);
    }
    return st != ST_RETRY;
}

/* Halves of what is refused, until the culprits are alone.  False: asked to stop. */
static bool commit(struct writer *w, struct record *const *records, size_t n)
{
    struct fault fault = {""};
    enum status st = persist_facts(w, records, n, &fault);

    if (st != ST_REJECT)
        return st == ST_OK;
    if (n == 1)
        return quarantine(w, records[0], &fault);
    return commit(w, records, n / 2) && commit(w, records + n / 2, n - n / 2);
}

/* Read those that were taken for stored and are not, and move them to the front. */
static size_t read_missed(struct writer *w)
{
    struct group *g = w->group;
    size_t missed = 0;

    for (size_t i = 0; i < g->count; i++) {
        struct record *r = g->records[i];

        if (!r->missed || record_read(r, clock_now_ms(), &w->desk) != ST_OK)
            continue; /* no memory: it comes again */
        g->records[i] = g->records[missed];
        g->records[missed++] = r;
    }
    return missed;
}

static bool store_group(struct writer *w)
{
    const struct attempt attempt = {store_history, meanwhile, w};
    struct fault fault = {""};
    size_t missed;

    if (!commit(w, w->group->records, w->group->count))
        return false;
    missed = read_missed(w);
    if (missed > 0 && !is_urgent(w) &&
        edge_persist(&w->influx, &attempt, w->group->records, missed, &fault) != ST_OK)
        return false;
    return missed == 0 || commit(w, w->group->records, missed);
}

/* So that the first group does not wait for it, unless that is there already. */
static void rehearse(struct writer *w)
{
    struct fault fault; /* what is wrong the group will tell */

    for (unsigned i = 0; historian_is_idle(w->historian); i++)
        if (commit_rehearse(w->commit, i, &fault) != ST_OK)
            return;
}

/* While nothing comes the database is asked all the same: /readyz shall be true before the first
 * car drives. */
static void check(struct writer *w)
{
    bool first = w->postgres.checked_ms == 0;
    struct fault fault = {""};
    enum status st;

    if (!edge_is_due(&w->postgres, clock_boot_ms()))
        return;
    edge_begin(&w->postgres);
    st = commit_check(w->commit, &fault);
    edge_end(&w->postgres);
    edge_note(&w->postgres, st, &fault);
    if (st == ST_OK && first && w->historian)
        rehearse(w);
}

/* Counting never holds up storing: what cannot be written waits. */
static void write_tallies(struct writer *w, bool all)
{
    struct fault fault = {""};
    enum status st;

    edge_begin(&w->postgres);
    st = w->postgres.away ? ST_OK : commit_tallies(w->commit, all, &fault);
    edge_end(&w->postgres);
    if (st != ST_OK && !w->tallies_wait)
        log_warn("tallies.wait", "reason=\"%s\"", fault.text);
    w->tallies_wait = st != ST_OK;
}

static void *writer_run(void *self)
{
    struct writer *w = self;

    inflight_i_store(w->set.inflight, w->set.lane);
    at_place = inflight_place(w->set.inflight, w->set.lane);
    if (!is_urgent(
            w)) /* what is urgent comes when it comes: the two shall not be in each other's way */
        check(w);
    while (!drain_is_over() && take_group(w)) {
        if (!w->group)
            check(w);
        else if (!store_group(w))
            break;
        drop_group(w, true);
        hear(w);
        write_tallies(w, false);
        stored_send(w->stored, clock_boot_ms());
    }
    drop_group(w, false);
    write_tallies(w, true);
    stored_send(w->stored, INT64_MAX);
    return NULL;
}

/* ---- life */
/* Where its groups come from. */
static enum status open_source(struct writer *w, struct fault *fault)
{
    const struct writer_options *set = &w->set;
    const struct historian_options h = {set->from,   set->inflight, set->inhand,
                                        set->health, set->influx,   set->batch_wait_ms};

    if (!is_urgent(w))
        return historian_start(&w->historian, &h, fault);
    w->gatherer = (struct gatherer){.from = set->from,
                                    .inflight = set->inflight,
                                    .lane = set->lane,
                                    .batch_wait_ms = set->batch_wait_ms};
    w->own = calloc(1, sizeof *w->own);
    return w->own ? ST_OK : fault_set(fault, ST_FATAL, "out of memory");
}

enum status writer_start(struct writer **out, const struct writer_options *options,
                         struct fault *fault)
{
    const struct stored_options stored = {options->known, options->acks, options->site,
                                          options->lane == LANE_URGENT};
    struct writer *w = calloc(1, sizeof *w);
    enum status st;

    if (!w)
        return fault_set(fault, ST_FATAL, "out of memory");
    w->set = *options;
    telemetry_init(&w->desk);
    w->postgres = (struct edge){.name = is_urgent(w) ? "postgres-urgent" : "postgres",
                                .health = options->health};
    w->influx = (struct edge){.name = "influx"}; /* the historian tells */
    if ((st = history_open(&w->history, options->influx, fault)) == ST_OK &&
        (st = commit_open(&w->commit, options->pg, options->site, options->duty, &options->waits,
                          fault)) == ST_OK &&
        (st = stored_open(&w->stored, &stored, fault)) == ST_OK &&
        (st = open_source(w, fault)) == ST_OK) {
        w->running = pthread_create(&w->thread, NULL, writer_run, w) == 0;
        if (!w->running)
            st = fault_set(fault, ST_FATAL, "cannot start the writer thread");
    }
    if (st != ST_OK) {
        writer_join(w);
        return st;
    }
    *out = w;
    return ST_OK;
}

void writer_join(struct writer *w)
{
    struct record *left;
    size_t n;

    if (!w)
        return;
    if (w->running)
        pthread_join(w->thread, NULL);
    historian_join(w->historian);
    while (w->running && queue_pop(w->set.from, &left, 1, 0, &n) == ST_OK)
        record_free(left);
    record_free(w->gatherer.held);
    free(w->own);
    stored_close(w->stored);
    commit_close(w->commit);
    history_done(&w->history);
    telemetry_done(&w->desk);
    free(w);
}
