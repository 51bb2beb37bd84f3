/* services/ingest/main.c - MQTT telemetry in, InfluxDB points and PostgreSQL state out. */
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "accept.h"
#include "again/again.h"
#include "again/minutes.h"
#include "bridge.h"
#include "drain.h"
#include "inflight.h"
#include "inhand.h"
#include "intake.h"
#include "known.h"
#include "lib/clock.h"
#include "lib/health.h"
#include "lib/log.h"
#include "lib/mqtt.h"
#include "lib/queue.h"
#include "lib/stop.h"
#include "record/duty.h"
#include "record/meters.h"
#include "replay.h"
#include "settings.h"
#include "shards.h"
#include "wire/receiver.h"
#include "wire/speaker.h"
#include "writer.h"

#define KNOWN_SLOTS 8192
#define URGENT_SLOTS 1024
#define STEP_MS 1000
#define CONNECTING_MS 200 /* between two steps until shards can be received */
#define LEAVE_MS 7000     /* others have this long to receive in our place */
#define LEAVE_LOOK_MS 100

struct ingest {
    struct ingest_settings set;
    struct health *health;
    struct receiver *reader;
    struct speaker *speaker; /* apart, so that no ack waits behind a record */
    struct ring *ring;
    struct queue *queue, *urgent; /* of records, to the writer of each lane */
    struct queue *known; /* back from the writer: what is stored need not be decoded again */
    struct inflight *inflight;
    struct inhand *inhand;
    struct accept *accept;
    struct writer *writer, *alerter; /* of what is bulk, of what is urgent */
    struct again *again;
    struct shards *shards;
    struct replay *replay;
    struct minutes *minutes;
    struct duty duty;
    atomic_bool broker; /* connected to it */
};

static void reader_connection(void *self, bool connected, const char *broker, const char *reason)
{
    struct ingest *in = self;

    health_set(in->health, "broker", connected);
    atomic_store(&in->broker, connected);
    stop_nudge(); /* shards may move */
    if (connected)
        log_info("broker.connected", "broker=%s", broker);
    else
        log_warn("broker.lost", "broker=%s reason=\"%s\"", broker, reason);
}

/* Without it everything is stored and no vehicle may forget any of it. */
static void speaker_connection(void *self, bool connected, const char *broker, const char *reason)
{
    struct ingest *in = self;

    health_set(in->health, "acks", connected);
    stop_nudge();
    if (!connected)
        log_warn("acks.lost", "broker=%s reason=\"%s\"", broker, reason);
}

static void refused(void *self, int reason, const char *what)
{
    (void)self;
    metric_add(meters.rejected, "broker", 1);
    log_warn("broker.refused", "reason_code=%d what=\"%s\"", reason, what);
}

static void message(void *self, const struct mqtt_message *m)
{
    struct ingest *in = self;

    if (!bridge_message(m))
        intake_message(in->ring, m);
}

static enum status connect_broker(struct ingest *in, struct fault *fault)
{
    const struct ingest_settings *set = &in->set;
    char id[160];
    struct mqtt_options o = {.brokers = set->mqtt,
                             .client_id = id,
                             .ca = set->ca,
                             .cert = set->cert,
                             .key = set->key,
                             .on_message = message,
                             .on_connection = reader_connection,
                             .on_refused = refused,
                             .self = in};
    enum status st;

    /* The reader first: they connect one after the other, and what comes takes a while until
     * there is something to say. */
    snprintf(id, sizeof id, "svc-ingest-%.60s-%.60s", set->common.site, set->instance);
    if ((st = receiver_open(&in->reader, &o, fault)) != ST_OK ||
        (st = receiver_subscribe(in->reader, BRIDGE_FILTER, 1, fault)) != ST_OK)
        return st;
    snprintf(id, sizeof id, "svc-ingest-%.60s-%.60s-out", set->common.site, set->instance);
    o.on_message = NULL;
    o.on_connection = speaker_connection;
    return speaker_open(&in->speaker, &o, fault);
}

static enum status open_health(struct ingest *in, struct fault *fault)
{
    static const char *const needs[] = {"broker",          "acks",  "influx", "postgres",
                                        "postgres-urgent", "shards"};
    enum status st = health_open(&in->health, in->set.common.admin, fault);

    for (size_t i = 0; st == ST_OK && i < sizeof needs / sizeof *needs; i++)
        health_set(in->health, needs[i], false);
    meters_open();
    metric_set(meters.ring_slots, NULL, (double)in->set.ring_bytes);
    return st;
}

/* The broker is dialled when main's loop has our name. */
static enum status open_way(struct ingest *in, struct fault *fault)
{
    const struct ingest_settings *set = &in->set;
    const size_t record = sizeof(struct record *);
    enum status st;

    if ((st = ring_open(&in->ring, (size_t)set->ring_bytes, INTAKE_RECORD_MAX, fault)) != ST_OK ||
        (st = inflight_open(&in->inflight, set->state_dir, set->common.site, set->instance,
                            fault)) != ST_OK ||
        (st = connect_broker(in, fault)) != ST_OK ||
        (st = queue_open(&in->queue, (size_t)set->queue_slots, record, fault)) != ST_OK ||
        (st = queue_open(&in->urgent, URGENT_SLOTS, record, fault)) != ST_OK ||
        (st = queue_open(&in->known, KNOWN_SLOTS, sizeof(struct known_note *), fault)) != ST_OK ||
        (st = inhand_open(&in->inhand, fault)) != ST_OK)
        return st;
    if (inflight_suspects(in->inflight) > 0)
        log_warn("suspects", "count=%zu reason=\"in hand when ingest ended without being asked\"",
                 inflight_suspects(in->inflight));
    return ST_OK;
}

static enum status start_writers(struct ingest *in, struct fault *fault)
{
    const struct ingest_settings *set = &in->set;
    struct writer_options w = {.lane = LANE_BULK,
                               .from = in->queue,
                               .acks = in->speaker,
                               .known = in->known,
                               .health = in->health,
                               .inflight = in->inflight,
                               .inhand = in->inhand,
                               .duty = &in->duty,
                               .pg = set->pg,
                               .influx = set->influx,
                               .site = set->common.site,
                               .batch_wait_ms = set->batch_wait_ms,
                               .waits = {set->count_wait_ms, set->minute_wait_ms}};
    enum status st = writer_start(&in->writer, &w, fault);

    if (st != ST_OK)
        return st;
    w.lane = LANE_URGENT;
    w.from = in->urgent;
    return writer_start(&in->alerter, &w, fault);
}

static enum status start_accept(struct ingest *in, struct fault *fault)
{
    const struct ingest_settings *set = &in->set;
    const struct accept_options a = {in->ring,
                                     in->queue,
                                     in->urgent,
                                     in->known,
                                     in->speaker,
                                     in->inflight,
                                     in->inhand,
                                     set->pg,
                                     (double)set->rate_per_s,
                                     (double)set->burst,
                                     (size_t)set->queue_bytes};

    return accept_start(&in->accept, &a, fault);
}

/* From the drain to the tap: what takes something is there before what gives it. */
static enum status start(struct ingest *in, struct fault *fault)
{
    const struct ingest_settings *set = &in->set;
    enum status st;

    if ((st = stop_open(fault)) != ST_OK || (st = open_health(in, fault)) != ST_OK ||
        (st = open_way(in, fault)) != ST_OK || (st = start_writers(in, fault)) != ST_OK)
        return st;

    const struct again_options again = {.pg = set->pg,
                                        .influx = set->influx,
                                        .site = set->common.site,
                                        .alerts = in->speaker,
                                        .duty = &in->duty,
                                        .late_wait_ms = set->late_wait_ms,
                                        .start_quiet_ms = set->start_quiet_ms,
                                        .broker = &in->broker};
    const struct minutes_options minutes = {set->pg, set->influx, set->common.site,
                                            set->minute_wait_ms};

    if ((st = again_start(&in->again, &again, fault)) != ST_OK ||
        (st = start_accept(in, fault)) != ST_OK ||
        (st = shards_open(&in->shards, set->pg, set->common.site, set->instance, in->reader,
                          &in->duty, set->frozen_wait_ms, fault)) != ST_OK ||
        (st = minutes_start(&in->minutes, &minutes, fault)) != ST_OK)
        return st;
    return replay_open(&in->replay, set->pg, set->common.site, in->shards, in->queue, fault);
}

/* What is stored and not acknowledged comes again for ever: one connection alone is not enough. */
static bool is_connected(const struct ingest *in)
{
    return receiver_is_connected(in->reader) && speaker_is_connected(in->speaker);
}

/* A broker gives a session to whoever comes last: nobody dials before the name is its own. */
static bool stand_by(struct ingest *in)
{
    bool rest = shards_stand_by(in->shards);

    receiver_rest(in->reader, rest);
    speaker_rest(in->speaker, rest);
    return rest;
}

/* Once: it stays so until the next start. */
static void tell_cut(const struct inflight *inflight, bool *told)
{
    if (*told || !inflight_was_cut(inflight))
        return;
    *told = true;
    log_warn("state.cut", "reason=\"the file of --state-dir was cut short or cannot be read: until "
                          "the next start a record that crashes ingest is not found out\"");
}

static void run(struct ingest *in)
{
    struct fault fault = {""};
    bool away = false, letters_away = false, cut = false, resting;

    log_info("started", "site=%s broker=%s influx=%s", in->set.common.site, in->set.mqtt,
             in->set.influx);
    do {
        enum status st = shards_step(in->shards, is_connected(in), &fault);

        health_set(in->health, "shards", st == ST_OK);
        if (st != ST_OK && !away)
            log_warn("shards.unknown", "reason=\"%s\"", fault.text);
        away = st != ST_OK;
        resting = stand_by(in);
        tell_cut(in->inflight, &cut);
        if (st == ST_OK) {
            bool unknown = replay_step(in->replay, &fault) != ST_OK;

            if (unknown && !letters_away)
                log_warn("letters.unknown", "reason=\"%s\"", fault.text);
            letters_away = unknown;
        }
        if (stop_take_reload()) {
            log_reload(in->set.common.log_level);
            receiver_reload(in->reader);
            speaker_reload(in->speaker);
        }
    } while (!stop_wait(is_connected(in) || resting ? STEP_MS : CONNECTING_MS));
    log_info("stopping", "reason=signal");
}

/* Another instance takes our shards over while we still receive. */
static void leave_shards(struct ingest *in)
{
    int64_t until_ms = clock_boot_ms() + LEAVE_MS;
    bool left = false;

    while (in->shards && shards_leave(in->shards, &left, NULL) == ST_OK && !left &&
           clock_boot_ms() < until_ms)
        poll(NULL, 0, LEAVE_LOOK_MS);
    shards_close(in->shards);
}

/* What the writer said when nobody listened any more. */
static void forget_known(struct queue *known)
{
    struct known_note *note;
    size_t n;

    while (known && queue_pop(known, &note, 1, 0, &n) == ST_OK)
        known_note_free(note);
    queue_close(known);
}

/* The tap first, then the pipe, then the drain. */
static void finish(struct ingest *in)
{
    health_drain(in->health);
    replay_close(in->replay);
    leave_shards(in);
    receiver_close(in->reader);
    drain_begin();
    if (in->ring)
        ring_shut(in->ring);
    accept_join(in->accept);
    if (in->queue)
        queue_shut(in->queue);
    if (in->urgent)
        queue_shut(in->urgent);
    writer_join(in->writer);
    writer_join(in->alerter);
    minutes_join(in->minutes);
    again_join(in->again);
    speaker_close(in->speaker);
    queue_close(in->queue);
    queue_close(in->urgent);
    forget_known(in->known);
    ring_close(in->ring);
    inflight_close(in->inflight);
    inhand_close(in->inhand);
    health_close(in->health);
}

int main(int argc, char **argv)
{
    static struct ingest in;
    struct fault fault = {""};
    enum log_level level = LEVEL_INFO;
    enum status st;

    log_open("ingest", LEVEL_INFO);
    if ((st = settings_load(&in.set, ingest_table, &ingest_program, argc, argv, NULL, NULL,
                            &fault)) == ST_OK &&
        (st = settings_check(&in.set, &fault)) == ST_OK &&
        (st = log_parse_level(in.set.common.log_level, &level, &fault)) == ST_OK &&
        in.set.common.check) {
        st = settings_rehearse(&in.set, &fault);
    } else if (st == ST_OK) {
        log_set_level(level);
        if ((st = start(&in, &fault)) == ST_OK)
            run(&in);
        finish(&in);
    }
    if (st == ST_OK || st == ST_NONE)
        return EXIT_SUCCESS;
    log_error("failed", "reason=\"%s\"", fault.text);
    return st == ST_REJECT ? 2 : EXIT_FAILURE;
}
