/* services/ingest/accept.c - bytes in, records out, and what the map shows on the way. */
#include "accept.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "intake.h"
#include "known.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/map.h"
#include "rate.h"
#include "record/meters.h"
#include "record/newest.h"
#include "record/pace.h"
#include "vehicles.h"

#define VEHICLES_MAX 200000
#define LOOK_MS 50 /* while news wait */
#define IDLE_MS 500
#define OLD_MS 60000
#define BEHIND_BYTES (4 << 20) /* of records that wait: some of them may come again meanwhile */
#define NOTES 32               /* taken at a time */
#define NAP_US 3000            /* an empty ring fills up meanwhile: one waking for many messages */

struct vehicle {
    struct bucket bucket;
    struct newest newest;
    struct known known; /* what of it need not be taken apart again */
    int64_t shown_ms;
    struct vehicle *next_owed; /* news of it wait for their turn */
    bool owed, sleeping;
    char vin[VIN_LEN + 1];
};

struct accept {
    struct accept_options set;
    struct vehicles *allowed;
    struct map *seen; /* VIN -> struct vehicle */
    struct telemetry desk;
    struct vehicle *owed;
    int64_t look_ms;         /* when to look at them next */
    int64_t second;          /* the one that runs */
    int64_t boot_ms, now_ms; /* when the message in hand was taken up, by both clocks */
    size_t showing, shown;   /* vehicles told of in it, and in the one before */
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
static void learn_one(struct accept *a, const struct known_note *note)
{
    struct vehicle *v = map_get(a->seen, note->vin);
    struct watermark mark;

    if (!v)
        return;
    compact_get(&note->mark, &mark);
    known_learn(&v->known, note->stream, &mark);
}

static void learn(struct accept *a)
{
    struct known_note *notes[NOTES];
    size_t n;

    while (queue_pop(a->set.known, notes, NOTES, 0, &n) == ST_OK)
        for (size_t i = 0; i < n; i++) {
            learn_one(a, notes[i]);
            known_note_free(notes[i]);
        }
}

static bool is_known(const struct vehicle *v, const struct arrival *from, const char *payload,
                     size_t len, struct envelope *head)
{
    return v->known.count > 0 && record_peek(head, from, payload, len) &&
           known_has(&v->known, head->stream, head->seq);
}

/* Its first copy waits for the stores: they have enough to do.  When that is stored it is told. */
static bool is_waiting(const struct accept *a, const struct arrival *from, const char *payload,
                       size_t len)
{
    struct envelope head;

    return records_held_bytes() > BEHIND_BYTES && record_peek(&head, from, payload, len) &&
           inhand_has(a->set.inhand, inhand_key(from->topic.vin, head.stream, head.seq),
                      a->boot_ms);
}

/* ---- what the map shows */

static void count_shown(struct accept *a, struct vehicle *v, int64_t now_ms)
{
    int64_t second = now_ms / 1000;

    if (second != a->second) {
        a->shown = second == a->second + 1 ? a->showing : 0;
        a->showing = 0;
        a->second = second;
    }
    a->showing += v->shown_ms / 1000 != second;
    v->shown_ms = now_ms;
}

/* A lost live message is replaced by the next one: failures are not told. */
static void publish_live(struct accept *a, struct vehicle *v, int64_t state_t_ms)
{
    char topic[TOPIC_MAX], payload[512];
    struct live live = {0};
    struct mqtt_publish p = {.topic = topic, .payload = payload};

    memcpy(live.vin, v->vin, sizeof live.vin);
    newest_live(&v->newest, &live);
    if (live.t_ms == 0)
        live.t_ms = state_t_ms;
    text_copy(live.connectivity, sizeof live.connectivity, v->sleeping ? "sleeping" : "online");
    topic_format(topic, live.vin, LEAF_LIVE);
    if (live_write(&live, payload, sizeof payload, &p.len, NULL) == ST_OK &&
        speaker_publish(a->set.live, &p, NULL) != ST_OK)
        metric_add(meters.live_dropped, NULL, 1);
    count_shown(a, v, clock_boot_ms());
}

/* At once, or when its turn comes: the newest then. */
static void show_newest(struct accept *a, struct vehicle *v)
{
    v->sleeping = false;
    if (v->owed)
        return;
    if (clock_boot_ms() - v->shown_ms >= pace_live_ms(a->shown)) {
        publish_live(a, v, 0);
        return;
    }
    v->owed = true;
    v->next_owed = a->owed;
    a->owed = v;
}

static void show_owed(struct accept *a)
{
    int64_t now_ms = a->owed ? clock_boot_ms() : 0, pace_ms = pace_live_ms(a->shown);

    if (now_ms < a->look_ms)
        return;
    a->look_ms = now_ms + LOOK_MS;
    for (struct vehicle **at = &a->owed; *at;) {
        struct vehicle *v = *at;

        if (now_ms - v->shown_ms < pace_ms) {
            at = &v->next_owed;
            continue;
        }
        *at = v->next_owed;
        v->owed = false;
        publish_live(a, v, 0);
    }
}

static void show(struct accept *a, const struct record *r, struct vehicle *v)
{
    if (r->dead || r->again || r->from.retained)
        return;
    if (r->from.topic.leaf == LEAF_TELEMETRY) {
        int64_t before = v->newest.t_ms;

        newest_merge_shown(&v->newest, &r->telemetry, r->from.received_ms + NEWEST_AHEAD_MS);
        if (v->newest.t_ms > before)
            show_newest(a, v);
    } else if (r->from.topic.leaf == LEAF_STATE && r->state.presence != PRESENCE_OFFLINE) {
        v->sleeping = r->state.presence == PRESENCE_SLEEPING;
        publish_live(a, v, r->state.t_ms);
    }
}

static void count(const struct record *r, int64_t now_ms)
{
    const struct telemetry *t = &r->telemetry;
    int64_t lag_ms = t->sample_count ? now_ms - t->samples[t->sample_count - 1].t_ms : 0;

    metric_add(meters.samples, NULL, (double)t->sample_count);
    if (t->unknown_signals)
        metric_add(meters.unknown_signals, NULL, (double)t->unknown_signals);
    if (t->sample_count)
        metric_observe(meters.lag_seconds, NULL, (double)(lag_ms > 0 ? lag_ms : 0) / 1000);
}

/* Decode it, and show it; whatever reads it does so under the eyes of `inflight`.  NULL: it is
 * turned away, and *why says. */
static struct record *take_apart(struct accept *a, struct vehicle *v, const struct arrival *from,
                                 const char *payload, size_t len, const char **why)
{
    uint64_t id = inflight_id(&from->topic, payload, len);
    enum verdict verdict = inflight_judge(a->set.inflight, id);
    struct envelope head;
    struct record *r = NULL;

    *why = "memory";
    inflight_decoding(a->set.inflight, id);
    if (verdict == VERDICT_CONDEMNED || verdict == VERDICT_UNREADABLE)
        r = record_poison(from, payload, len, verdict == VERDICT_CONDEMNED);
    else if (is_waiting(a, from, payload, len))
        *why = "waiting";
    else if (is_known(v, from, payload, len, &head))
        r = record_again(from, &head, payload, len);
    else
        r = record_decode(from, payload, len, a->now_ms, &a->desk);
    if (r) {
        r->flight = id;
        count(r, a->now_ms);
        show(a, r, v);
    }
    inflight_decoding(a->set.inflight, 0);
    return r;
}

/* Of a backlog: what is driven now goes first. */
static bool is_old(const struct record *r, int64_t now_ms)
{
    const struct telemetry *t = &r->telemetry;

    return t->sample_count > 0 && t->samples[t->sample_count - 1].t_ms < now_ms - OLD_MS;
}

/* False: the stores are behind; it comes again.  Waiting here would hold up `live`.  An alert does
 * not queue up behind telemetry, nor the present behind a backlog, which leaves it room. */
static bool hand_on(struct accept *a, struct record *r)
{
    size_t held = records_held_bytes(), most = a->set.held_bytes_max;

    if (record_is_journalled(r) &&
        record_has_seq(r)) { /* before the writer may have done with it */
        r->hand = inhand_key(r->from.topic.vin, r->head.stream, r->head.seq);
        inhand_take(a->set.inhand, r->hand, a->boot_ms);
    }
    if (record_is_urgent(r))
        return queue_push(a->set.urgent, &r, 0) == ST_OK;
    if (is_old(r, a->now_ms))
        return held <= most / 4 * 3 && queue_push_patient(a->set.to, &r, 0) == ST_OK;
    return held <= most && queue_push(a->set.to, &r, 0) == ST_OK;
}

static void accept_one(struct accept *a, const struct arrival *from, const char *payload,
                       size_t len)
{
    const char *vin = from->topic.vin;
    struct vehicle *v = map_put(a->seen, vin);
    const char *why;
    struct record *r;
    enum status st;

    a->boot_ms = clock_boot_ms();
    a->now_ms = clock_now_ms();
    if (v)
        memcpy(v->vin, vin, sizeof v->vin);
    if (!v || !bucket_take(&v->bucket, rate_cost(from->topic.leaf, len), a->set.rate_per_s,
                           a->set.burst, a->boot_ms)) {
        metric_add(meters.rejected, v ? "rate" : "memory", 1);
        return;
    }
    if ((st = vehicles_allow(a->allowed, vin)) != ST_OK) {
        metric_add(meters.rejected, st == ST_REJECT ? "vehicle" : "unavailable", 1);
        return;
    }
    if (!(r = take_apart(a, v, from, payload, len, &why))) {
        metric_add(meters.rejected, why, 1);
        return;
    }
    if (!hand_on(a, r)) {
        metric_add(meters.ring_dropped, NULL, 1);
        inhand_drop(a->set.inhand, r->hand);
        record_free(r);
    }
}

static void *accept_run(void *self)
{
    struct accept *a = self;
    struct intake *in = malloc(sizeof *in);
    struct arrival from;
    const char *payload;
    enum status st;
    size_t len;

    inflight_i_decode(a->set.inflight);
    vehicles_prepare(a->allowed);
    while (in && (st = intake_take(a->set.from, in, a->owed ? LOOK_MS : IDLE_MS)) != ST_NONE) {
        metric_set(meters.ring_depth, NULL, (double)in->left);
        learn(a); /* whatever an ack called forth came after it was said here */
        while (st == ST_OK && intake_next(in, &from, &payload, &len))
            accept_one(a, &from, payload, len);
        show_owed(a);
        if (in->left == 0)
            nanosleep(&(struct timespec){.tv_nsec = 1000 * NAP_US}, NULL);
    }
    free(in);
    queue_shut(a->set.to);
    queue_shut(a->set.urgent);
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
    telemetry_init(&a->desk);
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
    telemetry_done(&a->desk);
    vehicles_close(a->allowed);
    map_close(a->seen);
    free(a);
}
