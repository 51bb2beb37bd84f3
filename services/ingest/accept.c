/* services/ingest/accept.c - bytes in, records out, and what the map shows on the way. */
#include "accept.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "intake.h"
#include "known.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/map.h"
#include "meters.h"
#include "newest.h"
#include "rate.h"
#include "vehicles.h"

#define VEHICLES_MAX 200000

struct vehicle {
    struct bucket bucket;
    struct newest newest;
    struct known known; /* what of it need not be taken apart again */
};

struct accept {
    struct accept_options set;
    struct vehicles *allowed;
    struct map *seen; /* VIN -> struct vehicle */
    pthread_t thread;
    bool running;
};

static void vehicle_done(void *value)
{
    struct vehicle *v = value;

    newest_done(&v->newest);
    known_done(&v->known);
}

/* ---- what comes again */
static void learn(struct accept *a)
{
    struct known_note *note;
    struct vehicle *v;
    size_t n;

    while (queue_pop(a->set.known, &note, 1, 0, &n) == ST_OK) {
        if ((v = map_get(a->seen, note->vin)) != NULL) {
            struct watermark mark;

            compact_get(&note->mark, &mark);
            known_learn(&v->known, note->stream, &mark);
        }
        known_note_free(note);
    }
}

static bool is_known(const struct vehicle *v, const struct arrival *from, const char *payload,
                     size_t len, struct envelope *head)
{
    return v->known.count > 0 && record_peek(head, from, payload, len) &&
           known_has(&v->known, head->stream, head->seq);
}

/* ---- what the map shows */

/* A lost live message is replaced by the next one: failures are not told. */
static void publish_live(struct accept *a, const struct record *r, const struct newest *n)
{
    char topic[TOPIC_MAX], payload[512];
    struct live live = {0};
    struct mqtt_publish p = {.topic = topic, .payload = payload};

    memcpy(live.vin, r->from.topic.vin, sizeof live.vin);
    newest_live(n, &live);
    if (live.t_ms == 0)
        live.t_ms = r->state.t_ms;
    text_copy(live.connectivity, sizeof live.connectivity,
              r->from.topic.leaf == LEAF_STATE && r->state.presence == PRESENCE_SLEEPING
                  ? "sleeping"
                  : "online");
    topic_format(topic, live.vin, LEAF_LIVE);
    if (live_write(&live, payload, sizeof payload, &p.len, NULL) == ST_OK &&
        mqtt_publish(a->set.live, &p, NULL) != ST_OK)
        metric_add(meters.live_dropped, NULL, 1);
}

static void show(struct accept *a, const struct record *r, struct vehicle *v)
{
    if (r->dead || r->again || r->from.retained)
        return;
    if (r->from.topic.leaf == LEAF_TELEMETRY) {
        int64_t before = v->newest.t_ms;

        newest_merge(&v->newest, &r->telemetry);
        if (v->newest.t_ms > before)
            publish_live(a, r, &v->newest);
    } else if (r->from.topic.leaf == LEAF_STATE && r->state.presence != PRESENCE_OFFLINE) {
        publish_live(a, r, &v->newest);
    }
}

static void count(const struct record *r, int64_t now_ms)
{
    const struct telemetry *t = &r->telemetry;
    int64_t lag_ms = t->sample_count ? now_ms - t->samples[t->sample_count - 1].t_ms : 0;

    metric_add(meters.samples, NULL, (double)t->sample_count);
    metric_add(meters.unknown_signals, NULL, (double)t->unknown_signals);
    if (t->sample_count)
        metric_observe(meters.lag_seconds, NULL, (double)(lag_ms > 0 ? lag_ms : 0) / 1000);
}

static void accept_one(struct accept *a, const struct arrival *from, const char *payload,
                       size_t len)
{
    const char *vin = from->topic.vin;
    int64_t now_ms = clock_now_ms();
    struct vehicle *v = map_put(a->seen, vin);
    struct envelope head;
    struct record *r;
    enum status st;

    if (!v || !bucket_take(&v->bucket, a->set.rate_per_s, a->set.burst, clock_boot_ms())) {
        metric_add(meters.rejected, v ? "rate" : "memory", 1);
        return;
    }
    if ((st = vehicles_allow(a->allowed, vin)) != ST_OK) {
        metric_add(meters.rejected, st == ST_REJECT ? "vehicle" : "unavailable", 1);
        return;
    }
    r = is_known(v, from, payload, len, &head) ? record_again(from, &head, payload, len)
                                               : record_decode(from, payload, len, now_ms);
    if (!r) {
        metric_add(meters.rejected, "memory", 1);
        return;
    }
    count(r, now_ms);
    show(a, r, v);
    /* The stores are behind: it comes again.  Waiting here would hold up `live`. */
    if (records_held_bytes() > a->set.held_bytes_max || queue_push(a->set.to, &r, 0) != ST_OK) {
        metric_add(meters.ring_dropped, NULL, 1);
        record_free(r);
    }
}

static void *accept_run(void *self)
{
    struct accept *a = self;
    char *payload = malloc(INTAKE_PAYLOAD_MAX);
    struct arrival from;
    enum status st;
    size_t len;

    while (payload && (st = intake_take(a->set.from, &from, payload, &len, 500)) != ST_NONE) {
        metric_set(meters.ring_depth, NULL, (double)ring_used_bytes(a->set.from));
        learn(a);
        if (st == ST_OK)
            accept_one(a, &from, payload, len);
    }
    free(payload);
    queue_shut(a->set.to);
    return NULL;
}

enum status accept_start(struct accept **out, const struct accept_options *options,
                         struct fault *fault)
{
    struct accept *a = calloc(1, sizeof *a);
    enum status st;

    if (!a)
        return fault_set(fault, ST_FATAL, "out of memory");
    a->set = *options;
    if ((st = vehicles_open(&a->allowed, options->pg, fault)) == ST_OK &&
        (st = map_open(&a->seen, sizeof(struct vehicle), VEHICLES_MAX, vehicle_done, fault)) ==
            ST_OK) {
        a->running = pthread_create(&a->thread, NULL, accept_run, a) == 0;
        if (!a->running)
            st = fault_set(fault, ST_FATAL, "cannot start the accept thread");
    }
    if (st != ST_OK) {
        accept_join(a);
        return st;
    }
    *out = a;
    return ST_OK;
}

void accept_join(struct accept *a)
{
    if (!a)
        return;
    if (a->running)
        pthread_join(a->thread, NULL);
    vehicles_close(a->allowed);
    map_close(a->seen);
    free(a);
}
