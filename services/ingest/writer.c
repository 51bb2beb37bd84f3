/* services/ingest/writer.c - a group at a time; nothing is acknowledged before both stores have it.
 */
#include "writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "announce.h"
#include "commit.h"
#include "history.h"
#include "lib/backoff.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/stop.h"
#include "meters.h"
#include "stored.h"

#define GROUP_RECORDS INFLIGHT_GROUP_MAX
#define GROUP_SAMPLES 5000
#define GROUP_BYTES                                                                                \
    (8 << 20) /* of payload: what InfluxDB takes in one request is bounded, and in how long */
#define CHECK_MS 2000
#define IDLE_MS 200
#define ACK_LOOK_MS 50 /* the same while an ack may be waiting */
#define NAP_MS 5
#define DRAIN_MS 5000 /* of those we have from SIGTERM to the end */

enum part { INFLUX, POSTGRES }; /* the two stores, in their order */

static const char *const part_name[] = {[INFLUX] = "influx", [POSTGRES] = "postgres"};

struct writer {
    struct writer_options set;
    struct influx *influx;
    struct history history;
    struct commit *commit;
    struct stored *stored;
    struct record *group[GROUP_RECORDS];
    size_t count;
    struct record *held; /* taken out of the queue, but for the next group */
    bool influx_prepared;
    int64_t checked_ms;     /* when the stores were last asked without anything to store */
    int64_t drain_until_ms; /* 0: nobody asked for stop */
    bool away[2];           /* by enum part */
    bool tallies_wait;      /* they could not be written */
    pthread_t thread;
    bool running;
};

static bool is_urgent(const struct writer *w)
{
    return w->set.lane == LANE_URGENT;
}

/* ---- a group */
/* Sleep a little, to be woken by the clock and not by every record.  False: it is past `until_ms`.
 */
static bool nap(int64_t until_ms)
{
    int64_t left_ms = until_ms - clock_boot_ms();
    struct timespec pause = {.tv_nsec = 1000000 * (left_ms < NAP_MS ? left_ms : NAP_MS)};

    if (left_ms <= 0)
        return false;
    nanosleep(&pause, NULL);
    return true;
}

/* Do other sites write facts of ours?  Then what they say is waited for. */
static bool awaits_others(const struct writer *w)
{
    return atomic_load(&w->set.duty->history) & ~atomic_load(&w->set.duty->facts);
}

/* The next record: the one that was held, or from the queue.  Statuses of queue_pop. */
static enum status next(struct writer *w, struct record **out, int wait_ms)
{
    size_t n;

    if (!w->held)
        return queue_pop(w->set.from, out, 1, wait_ms, &n);
    *out = w->held;
    w->held = NULL;
    return ST_OK;
}

static bool is_suspect(const struct writer *w, const struct record *r)
{
    return inflight_judge(w->set.inflight, r->flight) != VERDICT_NONE;
}

/* What has arrived, up to 5,000 samples or batch_wait_ms after the first; what is urgent waits for
 * nothing else, and a record that may have ended us has a group of its own.  False: shut and empty.
 */
static bool gather(struct writer *w)
{
    size_t samples = 0, bytes = 0;
    int64_t until_ms = 0;
    int wait_ms = stored_waits(w->stored) || awaits_others(w) ? ACK_LOOK_MS : IDLE_MS;
    bool alone = false, urgent = false;

    w->count = 0;
    while (w->count < GROUP_RECORDS && samples < GROUP_SAMPLES && bytes < GROUP_BYTES && !alone) {
        struct record *r;
        enum status st = next(w, &r, wait_ms);

        if (st == ST_NONE)
            return w->count > 0;
        if (st != ST_OK && (w->count == 0 || urgent || !nap(until_ms)))
            return true;
        if (st != ST_OK)
            continue;
        alone = is_suspect(w, r);
        if (w->count > 0 && (alone || (urgent && !record_is_urgent(r)))) {
            w->held = r;
            return true;
        }
        urgent |= record_is_urgent(r);
        if (w->count == 0)
            until_ms = clock_boot_ms() + w->set.batch_wait_ms;
        w->group[w->count++] = r;
        inflight_storing(w->set.inflight, w->set.lane, r->flight);
        samples += r->telemetry.sample_count;
        bytes += r->len;
        wait_ms = 0;
    }
    return true;
}

static void tell_age(const struct writer *w)
{
    if (is_urgent(w))
        return;
    metric_set(meters.unacked_age_seconds, NULL,
               w->count ? (double)(clock_now_ms() - w->group[0]->from.received_ms) / 1000 : 0);
    metric_set(meters.queue_depth, NULL, (double)queue_depth(w->set.from));
}

static void drop_group(struct writer *w, bool stored)
{
    inflight_stored(w->set.inflight, w->set.lane, stored);
    for (size_t i = 0; i < w->count; i++) {
        inhand_drop(w->set.inhand, w->group[i]->hand);
        record_free(w->group[i]);
    }
    w->count = 0;
    tell_age(w);
}

/* ---- stores */
/* A store answers again, or is away: said once per change. */
static void note(struct writer *w, enum part part, enum status st, const struct fault *fault)
{
    bool away = st == ST_RETRY || st == ST_FATAL, was = w->away[part];

    w->away[part] = away;
    if (is_urgent(w))
        return; /* the bulk lane says it */
    if (away && !was)
        log_warn("store.away", "store=%s reason=\"%s\"", part_name[part], fault->text);
    if (!away && was)
        log_info("store.back", "store=%s", part_name[part]);
    health_set(w->set.health, part_name[part], !away);
    tell_age(w);
}

static enum status store_history(struct writer *w, struct record *const *records, size_t n,
                                 struct fault *fault)
{
    enum status st = ST_OK;
    int64_t began_us = clock_boot_us();

    if (!w->influx_prepared && (st = influx_prepare(w->influx, fault)) == ST_OK)
        w->influx_prepared = true;
    if (st == ST_OK)
        st = history_store(&w->history, records, n, fault);
    if (st == ST_OK)
        metric_observe(meters.commit_seconds, "influx", (double)(clock_boot_us() - began_us) / 1e6);
    else if (st == ST_FATAL)
        w->influx_prepared = false; /* perhaps the database was dropped */
    return st;
}

static enum status store_facts(struct writer *w, struct record *const *records, size_t n,
                               struct fault *fault)
{
    const struct alert_change_message *alerts;
    struct stream_mark *marks;
    size_t mark_count, alert_count;
    int64_t began_us = clock_boot_us();
    enum status st = commit_group(w->commit, records, n, &marks, &mark_count, fault);

    if (st != ST_OK)
        return st;
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

static enum status (*const store_in[])(struct writer *w, struct record *const *records, size_t n,
                                       struct fault *fault) = {
    [INFLUX] = store_history,
    [POSTGRES] = store_facts,
};

/* Try until the store answers: ST_OK, or ST_REJECT with its words; ST_RETRY when we were asked to
 * stop meanwhile. */
static enum status persist(struct writer *w, enum part part, struct record *const *records,
                           size_t n, struct fault *fault)
{
    struct backoff pause = {100, 2000, 0};
    enum status st;

    while ((st = store_in[part](w, records, n, fault)) == ST_RETRY || st == ST_FATAL) {
        note(w, part, st, fault);
        stored_send(w->stored, clock_boot_ms()); /* of what was stored before */
        if (!backoff_wait(&pause))
            return ST_RETRY;
    }
    note(w, part, st, fault);
    return st;
}

/* PostgreSQL takes the others but not this one: as a dead letter, then not at all (its vehicle may
 * be gone: nobody waits for an ack). */
static bool quarantine(struct writer *w, struct record *r, struct fault *fault)
{
    enum status st = ST_REJECT;

    if (!r->dead) {
        record_condemn(r, "store", fault->text);
        st = persist(w, POSTGRES, &r, 1, fault);
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
    enum status st = persist(w, POSTGRES, records, n, &fault);

    if (st != ST_REJECT)
        return st == ST_OK;
    if (n == 1)
        return quarantine(w, records[0], &fault);
    return commit(w, records, n / 2) && commit(w, records + n / 2, n - n / 2);
}

static bool store(struct writer *w, struct record *const *records, size_t n)
{
    struct fault fault = {""};

    return (is_urgent(w) || persist(w, INFLUX, records, n, &fault) == ST_OK) &&
           commit(w, records, n);
}

/* Read those that were taken for stored and are not, and move them to the front. */
static size_t read_missed(struct writer *w)
{
    size_t missed = 0;

    for (size_t i = 0; i < w->count; i++) {
        struct record *r = w->group[i];

        if (!r->missed || record_read(r, clock_now_ms()) != ST_OK)
            continue; /* no memory: it comes again */
        w->group[i] = w->group[missed];
        w->group[missed++] = r;
    }
    return missed;
}

static bool store_group(struct writer *w)
{
    size_t missed;

    if (!store(w, w->group, w->count))
        return false;
    missed = read_missed(w);
    return missed == 0 || store(w, w->group, missed);
}

/* So that the first group does not wait for it, unless that is there already. */
static void rehearse(struct writer *w)
{
    struct fault fault; /* what is wrong the group will tell */

    for (unsigned i = 0; queue_depth(w->set.from) == 0; i++)
        if (commit_rehearse(w->commit, i, &fault) != ST_OK)
            return;
}

/* ---- while nothing comes, the stores are asked all the same: /readyz shall be true before the
 * first car drives */
static void check_stores(struct writer *w)
{
    int64_t now_ms = clock_boot_ms();
    struct fault fault = {""};
    enum status st = ST_OK;

    if (now_ms - w->checked_ms < CHECK_MS || stop_asked())
        return;
    if (!is_urgent(w)) {
        if (!w->influx_prepared && (st = influx_prepare(w->influx, &fault)) == ST_OK)
            w->influx_prepared = true;
        if (st == ST_OK)
            st = influx_ping(w->influx, &fault);
        note(w, INFLUX, st, &fault);
    }
    st = commit_check(w->commit, &fault);
    note(w, POSTGRES, st, &fault);
    if (st == ST_OK && w->checked_ms < 0)
        rehearse(w);
    w->checked_ms = clock_boot_ms();
}

/* Counting never holds up storing: what cannot be written waits. */
static void write_tallies(struct writer *w, bool all)
{
    struct fault fault = {""};

    enum status st = w->away[POSTGRES] ? ST_OK : commit_tallies(w->commit, all, &fault);

    if (st != ST_OK && !w->tallies_wait)
        log_warn("tallies.wait", "reason=\"%s\"", fault.text);
    w->tallies_wait = st != ST_OK;
}

/* What is left then was never acknowledged: it comes again. */
static bool is_drain_over(struct writer *w)
{
    if (!stop_asked())
        return false;
    if (w->drain_until_ms == 0)
        w->drain_until_ms = clock_boot_ms() + DRAIN_MS;
    return clock_boot_ms() >= w->drain_until_ms;
}

static void *writer_run(void *self)
{
    struct writer *w = self;

    inflight_i_store(w->set.inflight, w->set.lane);
    if (!is_urgent(
            w)) /* what is urgent comes when it comes, and the two shall not hold up each other */
        check_stores(w);
    while (!is_drain_over(w) && gather(w)) {
        tell_age(w);
        if (w->count == 0)
            check_stores(w);
        else if (!store_group(w))
            break;
        drop_group(w, true);
        hear(w);
        write_tallies(w, false);
        stored_send(w->stored, clock_boot_ms());
    }
    drop_group(w, false);
    record_free(w->held);
    write_tallies(w, true);
    stored_send(w->stored, INT64_MAX);
    return NULL;
}

/* ---- life */
enum status writer_start(struct writer **out, const struct writer_options *options,
                         struct fault *fault)
{
    struct writer *w = calloc(1, sizeof *w);
    enum status st;

    if (!w)
        return fault_set(fault, ST_FATAL, "out of memory");
    w->set = *options;
    const struct stored_options stored = {w->set.known, w->set.acks, w->set.site, is_urgent(w)};

    if ((st = influx_open(&w->influx, options->influx, "fleet", fault)) == ST_OK &&
        (st = commit_open(&w->commit, options->pg, options->site, options->duty, &options->waits,
                          fault)) == ST_OK &&
        (st = stored_open(&w->stored, &stored, fault)) == ST_OK) {
        w->history.db = w->influx;
        w->checked_ms = -CHECK_MS;
        text_init(&w->history.lines);
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
    while (w->running && queue_pop(w->set.from, &left, 1, 0, &n) == ST_OK)
        record_free(left);
    stored_close(w->stored);
    commit_close(w->commit);
    history_done(&w->history);
    influx_close(w->influx);
    free(w);
}
