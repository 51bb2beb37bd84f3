/* vehicle/agent.c - see agent.h. */
#include "agent.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>

#include "config.h"
#include "gps.h"
#include "herald.h"
#include "journal.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/metrics.h"
#include "lib/stop.h"
#include "obd/reader.h"
#include "sender.h"
#include "timekeeper.h"
#include "uplink.h"
#include "watcher.h"

#define AGENT_TICK_MS 100
#define AGENT_NOTES_PER_TICK 64

struct agent {
    const struct vehicle_settings *set;
    struct outbox *outbox;
    struct health *health;
    char vin[VIN_LEN + 1];
    struct inbox *inbox;
    struct gps *gps;
    struct reader *reader;
    struct journal *journal;
    struct watcher *watcher;
    struct sender *sender;
    struct uplink uplink;
    struct config config;
    struct herald herald;
    struct timekeeper timekeeper;
    struct ledger ledgers[STREAMS];
    struct sampler sampler;
    int64_t commit_ms; /* boot time of the next commit */
    bool urgent;       /* commit at once */
    bool disk_takes;   /* the last commit went well */
    bool connected;
    bool reconnect; /* other brokers */
    struct metric *records, *bytes, *fixes, *sources, *link, *ignored;
    struct note note;
};

/* ---- what happens */

static void agent_event(struct agent *a, const char *type, const char *data)
{
    journal_event(a->journal, type, clock_now_ms(), data);
    a->urgent = true;
}

static void agent_source(struct agent *a, const struct source_change *change)
{
    const char *name = change->origin == ORIGIN_GPS ? "gps" : "obd";
    bool bad = change->state == SOURCE_GONE;

    log_line(bad ? LEVEL_WARN : LEVEL_INFO, "source.changed", "source=%s state=%s reason=\"%s\"",
             name, source_name(change->state), change->reason);
    metric_set(a->sources, name, change->state);
    if (change->origin == ORIGIN_GPS) {
        herald_set_gps(&a->herald, change->state);
        return;
    }
    herald_set_obd(&a->herald, change->state);
    watcher_adapter(a->watcher, change->state);
}

static void agent_fix(struct agent *a, const struct fix *fix)
{
    metric_add(a->fixes, NULL, 1);
    timekeeper_fix(&a->timekeeper, fix, clock_boot_ms());
    sampler_fix(&a->sampler, fix);
    watcher_fix(a->watcher, fix);
    if (a->herald.state.obd == SOURCE_SILENT && isfinite(fix->speed_kmh) &&
        fix->speed_kmh >= SAMPLER_MOVING_GPS_KMH)
        reader_hint_moving(a->reader);
}

static void agent_diagnosis(struct agent *a, const struct diagnosis *d)
{
    journal_diagnosis(a->journal, d);
    a->urgent = true;
    watcher_vin(a->watcher, d->vin, a->vin);
    if (d->vin[0] != '\0' && strcmp(d->vin, a->vin) != 0)
        log_warn("vin.mismatch", "certificate=%s car=%s", a->vin, d->vin);
}

static void agent_connection(struct agent *a, const struct connection *c)
{
    const char *event = c->up ? "broker.connected" : a->connected ? "broker.lost" : "broker.away";

    log_line(c->up ? LEVEL_INFO : LEVEL_WARN, event, "broker=%s reason=\"%s\"", c->broker,
             c->reason);
    a->connected = c->up;
    metric_set(a->link, NULL, c->up);
    if (c->up) {
        herald_connected(&a->herald);
        sender_connected(a->sender, clock_boot_ms());
    }
}

static void agent_ack(struct agent *a, const char *bytes, size_t len)
{
    struct ack ack;
    enum status st;

    if (ack_read(&ack, bytes, len, NULL) != ST_OK) {
        metric_add(a->ignored, "malformed", 1);
        return;
    }
    for (int i = 0; i < STREAMS; i++) {
        enum outbox_stream stream = (enum outbox_stream)i;

        if (strcmp(ack.stream, outbox_stream_id(a->outbox, stream)) != 0)
            continue;
        st = ledger_take(&a->ledgers[i], &ack, outbox_given(a->outbox, stream));
        if (st == ST_REJECT) {
            metric_add(a->ignored, "beyond", 1);
            return;
        }
        if (st != ST_NONE)
            journal_ack(a->journal, stream, ack.site, bytes, len);
        sender_acked(a->sender, stream, st == ST_RETRY, clock_boot_ms());
        return;
    }
    metric_add(a->ignored, "unknown_stream", 1);
}

/* ---- configuration */

/* One that names no brokers leaves us those we have: without any, no other could ever come. */
static void agent_apply(struct agent *a, const struct config *config)
{
    struct config next = *config;
    bool moved;

    if (next.brokers[0] == '\0')
        (void)text_copy(next.brokers, sizeof next.brokers, a->config.brokers);
    moved = a->set->brokers[0] == '\0' && strcmp(a->config.brokers, next.brokers) != 0;
    a->reconnect = a->reconnect || (moved && a->uplink.mqtt != NULL);
    a->config = next;
    herald_set_config(&a->herald, config->revision);
    watcher_detect(a->watcher, !config->detects_elsewhere);
    for (int i = 0; i < STREAMS; i++)
        ledger_require(&a->ledgers[i], a->config.sites, config->site_count);
}

static void agent_config(struct agent *a, const char *bytes, size_t len)
{
    struct config config;
    struct fault fault = {""};
    char data[64];

    if (config_read(&config, bytes, len, &fault) != ST_OK) {
        log_warn("config.refused", "reason=\"%s\"", fault.text);
        agent_event(a, "config_refused", "{}");
        return;
    }
    if (config.revision <= a->config.revision)
        return; /* retained: it comes with every connection */
    agent_apply(a, &config);
    journal_note(a->journal, "config", bytes, len);
    if (a->config.brokers[0] != '\0')
        journal_note(a->journal, "brokers", a->config.brokers, strlen(a->config.brokers));
    snprintf(data, sizeof data, "{\"revision\":%lld}", (long long)config.revision);
    agent_event(a, "config_applied", data);
    log_info("config.applied", "revision=%lld", (long long)config.revision);
}

static enum status agent_load_config(struct agent *a, struct fault *fault)
{
    struct config config;
    struct text text;
    enum status st;

    text_init(&text);
    st = outbox_get(a->outbox, "brokers", &text, fault);
    if (st == ST_OK)
        (void)text_copy(a->config.brokers, sizeof a->config.brokers, text.bytes);
    if (st == ST_OK || st == ST_NONE)
        st = outbox_get(a->outbox, "config", &text, fault);
    if (st == ST_OK && config_read(&config, text.bytes, text.len, NULL) == ST_OK)
        agent_apply(a, &config);
    text_done(&text);
    return st == ST_NONE ? ST_OK : st;
}

/* ---- the main loop's parts */

static void agent_take(struct agent *a, const struct note *note)
{
    switch (note->kind) {
    case NOTE_FIX:
        agent_fix(a, &note->body.fix);
        break;
    case NOTE_ROUND:
        sampler_round(&a->sampler, &note->body.round);
        watcher_round(a->watcher, &note->body.round);
        break;
    case NOTE_SOURCE:
        agent_source(a, &note->body.source);
        break;
    case NOTE_DIAGNOSIS:
        agent_diagnosis(a, &note->body.diagnosis);
        break;
    case NOTE_CONNECTION:
        agent_connection(a, &note->body.connection);
        break;
    case NOTE_ACK:
        agent_ack(a, note->body.bytes, note->len);
        break;
    case NOTE_CONFIG:
        agent_config(a, note->body.bytes, note->len);
        break;
    }
}

static bool agent_ntp_synced(void)
{
    struct timex t = {.modes = 0};

    return adjtimex(&t) >= 0 && (t.status & STA_UNSYNC) == 0;
}

static void agent_count(struct agent *a)
{
    for (int i = 0; i < STREAMS; i++)
        metric_set(a->records, outbox_stream_name((enum outbox_stream)i),
                   (double)outbox_count(a->outbox, (enum outbox_stream)i));
    metric_set(a->bytes, NULL, (double)outbox_used_bytes(a->outbox));
}

static enum status agent_commit(struct agent *a, bool all, struct fault *fault)
{
    int64_t now_ms = clock_now_ms(), boot_ms = clock_boot_ms();
    enum clock_source clock =
        timekeeper_source(&a->timekeeper, now_ms, boot_ms, agent_ntp_synced());
    enum status st = journal_commit(a->journal, now_ms, clock, all, fault);
    bool takes = st == ST_OK;

    a->commit_ms = boot_ms + (a->config.record_ms != 0 ? a->config.record_ms : a->set->record_ms);
    a->urgent = false;
    if (takes != a->disk_takes) {
        log_line(takes ? LEVEL_INFO : LEVEL_ERROR, takes ? "outbox.writable" : "outbox.unwritable",
                 "reason=\"%s\"", takes ? "" : fault->text);
        a->disk_takes = takes;
        health_set(a->health, "outbox", takes);
    }
    agent_count(a);
    return st == ST_RETRY ? ST_OK : st; /* kept in memory */
}

static void agent_watch_clock(struct agent *a)
{
    int64_t now_ms = clock_now_ms(),
            step_ms = timekeeper_step(&a->timekeeper, now_ms, clock_boot_ms());
    char data[96];

    if (step_ms == 0)
        return;
    sampler_clock_set(&a->sampler);
    watcher_clock_set(a->watcher);
    snprintf(data, sizeof data, "{\"from\":%lld,\"to\":%lld}", (long long)(now_ms - step_ms),
             (long long)now_ms);
    agent_event(a, "clock_set", data);
    log_warn("clock.set", "step_ms=%lld", (long long)step_ms);
}

static enum status agent_open_uplink(struct agent *a, struct fault *fault)
{
    struct uplink_options options = {
        .brokers = a->set->brokers, .ca = a->set->ca, .cert = a->set->cert, .key = a->set->key};

    if (options.brokers[0] == '\0')
        options.brokers = a->config.brokers;
    if (options.brokers[0] == '\0')
        return fault_set(fault, ST_REJECT,
                         "no brokers: --brokers, or an enrolment that names them");
    return uplink_open(&a->uplink, a->vin, a->inbox, &options, &a->herald, fault);
}

static enum status agent_reopen_uplink(struct agent *a, struct fault *fault)
{
    enum status st;

    a->reconnect = false;
    uplink_close(&a->uplink);
    a->connected = false;
    metric_set(a->link, NULL, 0);
    st = agent_open_uplink(a, fault);
    return st == ST_OK ? ST_OK : ST_FATAL;
}

static enum status agent_send(struct agent *a, struct fault *fault)
{
    int64_t boot_ms = clock_boot_ms();
    enum status st;

    if (!a->connected)
        return ST_OK;
    if (!mqtt_is_connected(a->uplink.mqtt)) { /* should its note have been dropped */
        a->connected = false;
        return ST_OK;
    }
    if (herald_is_due(&a->herald, boot_ms, a->set->heartbeat_ms) &&
        uplink_tell(&a->uplink, &a->herald, PRESENCE_ONLINE, clock_now_ms(), fault) == ST_OK)
        herald_told(&a->herald, boot_ms);
    st = sender_pump(a->sender, a->uplink.mqtt, boot_ms, fault);
    return st == ST_FATAL ? st : ST_OK;
}

enum status agent_run(struct agent *a, struct fault *fault)
{
    enum status st;

    while (!stop_wait(0)) {
        int wait_ms = AGENT_TICK_MS;

        for (int i = 0; i < AGENT_NOTES_PER_TICK && inbox_take(a->inbox, &a->note, wait_ms); i++) {
            agent_take(a, &a->note);
            wait_ms = 0;
        }
        agent_watch_clock(a);
        a->urgent = watcher_pass(a->watcher, clock_now_ms()) || a->urgent;
        if ((a->urgent || clock_boot_ms() >= a->commit_ms) &&
            (st = agent_commit(a, false, fault)) != ST_OK)
            return st;
        if (stop_take_reload()) {
            log_reload(a->set->common.log_level);
            mqtt_reload(a->uplink.mqtt); /* reads the files again at each connect */
        }
        if (a->reconnect && (st = agent_reopen_uplink(a, fault)) != ST_OK)
            return st;
        if ((st = agent_send(a, fault)) != ST_OK)
            return st;
    }
    return ST_OK;
}

/* ---- opening and closing */

static void agent_metrics(struct agent *a)
{
    a->records = metric_gauge("vigie_vehicle_outbox_records", "Records in the outbox.", "stream");
    a->bytes = metric_gauge("vigie_vehicle_outbox_bytes", "Bytes of the outbox file in use.", NULL);
    a->fixes = metric_counter("vigie_vehicle_gps_fixes_total", "Usable fixes.", NULL);
    a->sources = metric_gauge(
        "vigie_vehicle_source_state",
        "0 absent, 1 ok, 2 searching or asleep without word, 3 silent, 4 gone.", "source");
    a->link = metric_gauge("vigie_vehicle_connected", "1 while a broker is connected.", NULL);
    a->ignored = metric_counter("vigie_vehicle_acks_ignored_total",
                                "Acknowledgements that made no sense.", "reason");
    metric_set(a->sources, "gps", SOURCE_ABSENT);
    metric_set(a->sources, "obd", SOURCE_ABSENT);
    metric_set(a->link, NULL, 0);
    agent_count(a);
}

static void agent_tell_found(struct agent *a, const struct outbox_found *found)
{
    if (!found->created)
        return;
    agent_event(a, "outbox_reset",
                found->damaged ? "{\"reason\":\"damaged\"}" : "{\"reason\":\"missing\"}");
    if (found->damaged)
        log_error("outbox.damaged", "moved_to=%s", found->moved_to);
}

static void agent_begin(struct agent *a)
{
    unsigned char random[10];
    char boot[UUID_TEXT + 1];

    text_random(random, sizeof random);
    uuid_v7(boot, clock_now_ms(), random);
    herald_init(&a->herald, boot, VIGIE_VERSION);
    timekeeper_init(&a->timekeeper);
    for (int i = 0; i < STREAMS; i++)
        ledger_init(&a->ledgers[i]);
    agent_metrics(a);
    a->disk_takes = true;
}

enum status agent_open(struct agent **out, const struct vehicle_settings *set, const char *vin,
                       struct outbox *outbox, const struct outbox_found *found,
                       struct health *health, struct fault *fault)
{
    struct journal_options options = {set->outbox_limit, set->outbox_keep_ms,
                                      strcmp(set->encoding, "columnar") == 0};
    struct agent *a = calloc(1, sizeof *a);
    struct obd_address address;
    enum status st;

    if (a == NULL)
        return fault_set(fault, ST_FATAL, "out of memory");
    a->set = set;
    a->outbox = outbox;
    a->health = health;
    (void)text_copy(a->vin, sizeof a->vin, vin);
    agent_begin(a);
    if ((st = obd_address_read(&address, set->obd, fault)) != ST_OK ||
        (st = inbox_open(&a->inbox, fault)) != ST_OK ||
        (st = journal_open(&a->journal, &options, outbox, &a->sampler, a->ledgers, fault)) !=
            ST_OK ||
        (st = watcher_open(&a->watcher, a->journal, strcmp(set->gps, "none") != 0, fault)) !=
            ST_OK ||
        (st = sender_open(&a->sender, a->vin, outbox, a->ledgers, clock_boot_ms(), fault)) !=
            ST_OK ||
        (st = agent_load_config(a, fault)) != ST_OK)
        goto out;
    agent_tell_found(a, found);
    if ((st = agent_commit(a, false, fault)) != ST_OK ||
        (st = agent_open_uplink(a, fault)) != ST_OK ||
        (st = gps_start(&a->gps, set->gps, a->inbox, fault)) != ST_OK)
        goto out;
    st = reader_start(&a->reader, &address, set->obd_period_ms, a->inbox, fault);
out:
    if (st != ST_OK) {
        stop_ask(); /* a thread may be running */
        agent_close(a);
        return st;
    }
    health_set(health, "outbox", a->disk_takes);
    *out = a;
    return ST_OK;
}

static void agent_last_words(struct agent *a)
{
    struct fault fault = {""};

    while (inbox_take(a->inbox, &a->note, 0))
        agent_take(a, &a->note);
    watcher_flush(a->watcher);
    if (agent_commit(a, true, &fault) != ST_OK)
        log_error("outbox.unwritable", "reason=\"%s\"", fault.text);
    if (!a->connected)
        return;
    if (agent_send(a, &fault) != ST_OK ||
        uplink_tell(&a->uplink, &a->herald, PRESENCE_OFFLINE, clock_now_ms(), &fault) != ST_OK)
        log_warn("goodbye.unsent", "reason=\"%s\"", fault.text); /* the last will says the same */
}

void agent_close(struct agent *a)
{
    if (a == NULL)
        return;
    reader_join(a->reader);
    gps_join(a->gps);
    a->reader = NULL; /* a fix that still waits in the inbox may hold a hint for it */
    if (a->journal != NULL && a->sender != NULL && a->inbox != NULL)
        agent_last_words(a);
    uplink_close(&a->uplink);
    sender_close(a->sender);
    watcher_close(a->watcher);
    journal_close(a->journal);
    inbox_close(a->inbox);
    free(a);
}
