/* services/ingest/writer.c - a group at a time; nothing is acknowledged before both stores have it. */
#include "writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "acks.h"
#include "commit.h"
#include "history.h"
#include "lib/backoff.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/stop.h"
#include "meters.h"

#define GROUP_RECORDS 5000
#define GROUP_SAMPLES 5000
#define CHECK_MS 2000

struct writer {
    struct writer_options set;
    struct influx *influx;
    struct history history;
    struct commit *commit;
    struct acks *acks;
    struct record *group[GROUP_RECORDS];
    size_t count;
    bool influx_prepared;
    int64_t checked_ms; /* when the stores were last asked without anything to store */
    pthread_t thread;
    bool running;
};

/* ---- a group */
/* What has arrived, up to 5,000 samples or batch_wait_ms after the first.  False: shut and empty. */
static bool gather(struct writer *w)
{
    size_t samples = 0, n;
    int64_t until_ms = 0;
    int wait_ms = 200; /* acks are due while nothing comes */

    w->count = 0;
    while (w->count < GROUP_RECORDS && samples < GROUP_SAMPLES) {
        enum status st = queue_pop(w->set.from, &w->group[w->count], 1, wait_ms, &n);

        if (st == ST_NONE)
            return w->count > 0;
        if (st != ST_OK)
            return true;
        if (w->count == 0)
            until_ms = clock_boot_ms() + w->set.batch_wait_ms;
        samples += w->group[w->count++]->telemetry.sample_count;
        wait_ms = (int)(until_ms - clock_boot_ms());
        if (wait_ms < 0)
            wait_ms = 0;
    }
    return true;
}

static void drop_group(struct writer *w)
{
    for (size_t i = 0; i < w->count; i++)
        record_free(w->group[i]);
    w->count = 0;
    metric_set(meters.unacked_age_seconds, NULL, 0);
}

/* ---- stores; each try of a store that is away counts as away until one succeeds */
static void tell_age(const struct writer *w)
{
    metric_set(meters.unacked_age_seconds, NULL,
               w->count ? (double)(clock_now_ms() - w->group[0]->from.received_ms) / 1000 : 0);
    metric_set(meters.queue_depth, NULL, (double)queue_depth(w->set.from));
}

/* One store answers again, or is away: said once per change. */
static void note(struct writer *w, const char *part, bool *away, enum status st, const struct fault *fault)
{
    bool now_away = st == ST_RETRY || st == ST_FATAL;

    if (now_away && !*away)
        log_warn("store.away", "store=%s reason=\"%s\"", part, fault->text);
    if (!now_away && *away)
        log_info("store.back", "store=%s", part);
    *away = now_away;
    health_set(w->set.health, part, !now_away);
    tell_age(w);
}

static enum status store_history(struct writer *w, struct fault *fault)
{
    enum status st = ST_OK;
    int64_t began_us = clock_boot_us();

    if (!w->influx_prepared && (st = influx_prepare(w->influx, fault)) == ST_OK)
        w->influx_prepared = true;
    if (st == ST_OK)
        st = history_store(&w->history, w->group, w->count, fault);
    if (st == ST_OK)
        metric_observe(meters.commit_seconds, "influx", (double)(clock_boot_us() - began_us) / 1e6);
    else if (st == ST_FATAL)
        w->influx_prepared = false; /* perhaps the database was dropped */
    return st == ST_REJECT ? ST_RETRY : st;
}

static void note_acks(struct writer *w, const struct stream_mark *marks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        acks_note(w->acks, marks[i].vin, marks[i].stream, &marks[i].mark, marks[i].bytes, marks[i].at_once);
}

static enum status commit_some(struct writer *w, struct record *const *records, size_t n, struct fault *fault)
{
    struct stream_mark *marks;
    size_t mark_count;
    int64_t began_us = clock_boot_us();
    enum status st = commit_group(w->commit, records, n, &marks, &mark_count, fault);

    if (st != ST_OK)
        return st;
    metric_observe(meters.commit_seconds, "postgres", (double)(clock_boot_us() - began_us) / 1e6);
    note_acks(w, marks, mark_count);
    return ST_OK;
}

/* PostgreSQL refuses something in the group: each record alone, then the culprit as a dead letter, then not at all
 * (its vehicle may be gone: nobody waits for an ack). */
static enum status commit_each(struct writer *w, struct fault *fault)
{
    for (size_t i = 0; i < w->count; i++) {
        struct record *r = w->group[i];
        enum status st = commit_some(w, &r, 1, fault);

        if (st == ST_REJECT && !r->dead) {
            r->dead = true;
            text_copy(r->reason, sizeof r->reason, "store");
            text_copy(r->detail, sizeof r->detail, fault->text);
            st = commit_some(w, &r, 1, fault);
        }
        if (st == ST_REJECT) {
            metric_add(meters.rejected, "store", 1);
            log_warn("record.refused", "vehicle=%s reason=\"%s\"", r->from.topic.vin, fault->text);
            st = ST_OK;
        }
        if (st != ST_OK)
            return st; /* those before are stored; a second pass finds them known */
    }
    return ST_OK;
}

static enum status store_facts(struct writer *w, struct fault *fault)
{
    enum status st = commit_some(w, w->group, w->count, fault);

    return st == ST_REJECT ? commit_each(w, fault) : st;
}

/* Try until it is stored, or until we are asked to stop. */
static bool persist(struct writer *w, const char *part, enum status (*store)(struct writer *, struct fault *))
{
    struct backoff pause = {100, 2000, 0};
    struct fault fault = {""};
    bool away = false;
    enum status st;

    while ((st = store(w, &fault)) != ST_OK) {
        note(w, part, &away, st, &fault);
        if (!backoff_wait(&pause))
            return false;
    }
    note(w, part, &away, ST_OK, &fault);
    return true;
}

/* ---- acks */
static bool send_ack(void *self, const char *vin, const char *stream, const struct watermark *mark)
{
    struct writer *w = self;
    char topic[TOPIC_MAX], payload[4096];
    struct mqtt_publish p = {.topic = topic, .payload = payload, .qos = 1};
    struct ack ack = {.mark = *mark};

    text_copy(ack.site, sizeof ack.site, w->set.site);
    text_copy(ack.stream, sizeof ack.stream, stream);
    topic_format(topic, vin, LEAF_ACK);
    return ack_write(&ack, payload, sizeof payload, &p.len, NULL) == ST_OK &&
           mqtt_publish(w->set.acks, &p, NULL) == ST_OK;
}

/* ---- while nothing comes, the stores are asked all the same: /readyz shall be true before the first car drives */
static void check_stores(struct writer *w)
{
    int64_t now_ms = clock_boot_ms();
    struct fault fault;

    if (now_ms - w->checked_ms < CHECK_MS)
        return;
    w->checked_ms = now_ms;
    if (!w->influx_prepared && influx_prepare(w->influx, &fault) == ST_OK)
        w->influx_prepared = true;
    health_set(w->set.health, "influx", w->influx_prepared && influx_ping(w->influx, &fault) == ST_OK);
    health_set(w->set.health, "postgres", commit_some(w, NULL, 0, &fault) == ST_OK);
}

static void *writer_run(void *self)
{
    struct writer *w = self;

    while (gather(w)) {
        tell_age(w);
        if (w->count == 0)
            check_stores(w);
        else if (!(persist(w, "influx", store_history) && persist(w, "postgres", store_facts)))
            break;
        drop_group(w);
        acks_due(w->acks, clock_boot_ms(), send_ack, w);
    }
    drop_group(w);
    return NULL;
}

/* ---- life */
enum status writer_start(struct writer **out, const struct writer_options *options, struct fault *fault)
{
    struct writer *w = calloc(1, sizeof *w);
    enum status st;

    if (!w)
        return fault_set(fault, ST_FATAL, "out of memory");
    w->set = *options;
    if ((st = influx_open(&w->influx, options->influx, "fleet", fault)) == ST_OK &&
        (st = commit_open(&w->commit, options->pg, options->site, fault)) == ST_OK &&
        (st = acks_open(&w->acks, fault)) == ST_OK) {
        w->history.db = w->influx;
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
    acks_close(w->acks);
    commit_close(w->commit);
    history_done(&w->history);
    influx_close(w->influx);
    free(w);
}
