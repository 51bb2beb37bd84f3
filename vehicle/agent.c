/* vehicle/agent.c - see agent.h. */
#include "agent_inside.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/stop.h"

#define AGENT_TICK_MS 100
#define AGENT_QUIET_TICK_MS 1000 /* while the car sleeps */
#define AGENT_NOTES_PER_TICK 64

/* ---- the main loop's parts */

void agent_event(struct agent *a, const char *type, const char *data)
{
    journal_event(a->journal, type, agent_date(a, clock_boot_ms()), data);
    a->urgent = true;
}

enum status agent_send(struct agent *a, struct fault *fault)
{
    int64_t boot_ms = clock_boot_ms();
    enum status st;

    if (!a->connected || a->uplink.mqtt == NULL)
        return ST_OK;
    if (!mqtt_is_connected(a->uplink.mqtt)) { /* should its note have been dropped */
        a->connected = false;
        return ST_OK;
    }
    if (herald_is_due(&a->herald, boot_ms, a->heartbeat_ms) &&
        uplink_tell(&a->uplink, &a->herald, a->herald.state.presence, clock_now_ms(), fault) ==
            ST_OK)
        herald_told(&a->herald, boot_ms);
    if (!outbox_is_open(a->outbox) || a->set_back) /* its numbers are others': new streams first */
        return ST_OK;
    st = sender_pump(a->sender, a->uplink.mqtt, boot_ms, fault);
    return st == ST_FATAL ? agent_recover(a, fault) : ST_OK;
}

/* A line that says that the supply is gone is looked at often. */
static int agent_tick_ms(const struct agent *a)
{
    bool asleep = a->power.mode == POWER_BEATING || a->power.mode == POWER_DOWN;

    return asleep && a->line.path[0] == '\0' ? AGENT_QUIET_TICK_MS : AGENT_TICK_MS;
}

enum status agent_run(struct agent *a, struct supervisor *supervisor, struct fault *fault)
{
    enum status st;

    while (!stop_wait(0)) {
        int wait_ms = agent_tick_ms(a);

        supervisor_turn(supervisor, clock_boot_ms());
        for (int i = 0; i < AGENT_NOTES_PER_TICK && inbox_take(a->inbox, &a->note, wait_ms); i++) {
            agent_take(a, &a->note);
            wait_ms = 0;
        }
        agent_watch_clock(a);
        agent_look_private(a);
        a->urgent = watcher_pass(a->watcher, agent_date(a, clock_boot_ms())) || a->urgent;
        if ((st = agent_power(a, fault)) != ST_OK)
            return st;
        if ((a->urgent || clock_boot_ms() >= a->commit_ms) &&
            (st = agent_commit(a, false, fault)) != ST_OK)
            return st;
        agent_pass_commands(a);
        agent_pass_errands(a);
        agent_pass_trial(a);
        if (stop_take_reload()) {
            log_reload(a->set->common.log_level);
            agent_plan_renewal(a);
            if (a->uplink.mqtt != NULL)
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
    a->orders =
        metric_counter("vigie_vehicle_commands_total", "Commands by what became of them.", "state");
    a->is_private = metric_gauge("vigie_vehicle_private", "1 in private mode.", NULL);
    a->hidden = metric_counter("vigie_vehicle_places_hidden_total",
                               "Fixes whose place was dropped: private mode.", NULL);
    a->mode =
        metric_gauge("vigie_vehicle_power_mode",
                     "0 awake, 1 emptying the outbox, 2 heartbeats, 3 and 4 deep quiet.", NULL);
    metric_set(a->mode, NULL, POWER_AWAKE);
    a->writable = metric_gauge("vigie_vehicle_outbox_writable",
                               "1 while the disk takes what is written.", NULL);
    a->failures = metric_counter("vigie_vehicle_outbox_failures_total",
                                 "Commits that the disk did not take, kept in memory.", "reason");
    a->last = metric_gauge(
        "vigie_vehicle_last_timestamp_seconds",
        "When it last happened: a usable fix, an answer of the car, a supply voltage told, an ack.",
        "what");
    a->volts =
        metric_gauge("vigie_vehicle_supply_volts", "The supply's voltage as last told.", NULL);
    a->clock = metric_gauge("vigie_vehicle_clock_source",
                            "What our clock is worth: 0 none, 1 rtc, 2 ntp, 3 gps.", NULL);
    a->broker = metric_gauge("vigie_vehicle_broker_connected", "1: connected to it.", "broker");
    metric_set(a->writable, NULL, 1);
    metric_set(a->sources, "gps", SOURCE_ABSENT);
    metric_set(a->sources, "obd", SOURCE_ABSENT);
    metric_set(a->link, NULL, 0);
    agent_count(a);
}

static void agent_begin(struct agent *a)
{
    unsigned char random[10];
    char boot[UUID_TEXT + 1];

    text_random(random, sizeof random);
    uuid_v7(boot, clock_now_ms(), random);
    herald_init(&a->herald, boot, VIGIE_VERSION);
    a->gps_kmh = NAN;
    for (int i = 0; i < STREAMS; i++)
        ledger_init(&a->ledgers[i]);
    agent_metrics(a);
    a->clock_offset_ms = clock_now_ms() - clock_boot_ms();
    a->rates.record_ms = a->set->record_ms;
    a->heartbeat_ms = a->set->heartbeat_ms;
    a->line = (struct supply_line){.path = a->set->power_file, .lost = a->set->power_lost[0]};
}

enum status agent_open(struct agent **out, const struct vehicle_settings *set, const char *vin,
                       struct outbox *outbox, const struct outbox_found *found,
                       struct health *health, struct fault *fault)
{
    struct journal_options options = {set->outbox_limit, set->outbox_keep_ms,
                                      strcmp(set->encoding, "columnar") == 0};
    struct agent *a = calloc(1, sizeof *a);
    struct obd_address address;
    struct reader_habits habits;
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
        (st = sender_open(&a->sender, a->vin, outbox, a->ledgers, set->send_rate, clock_boot_ms(),
                          fault)) != ST_OK ||
        (st = agent_load_privacy(a, fault)) != ST_OK ||
        (st = agent_load_config(a, fault)) != ST_OK ||
        (st = agent_load_commands(a, fault)) != ST_OK ||
        (st = agent_load_protocol(a, fault)) != ST_OK)
        goto out;
    if (found->created)
        sender_streams_are_new(a->sender);
    agent_clock_begin(a);
    agent_look_private(a);
    agent_tell_found(a, found);
    if ((st = agent_tell_cut(a, fault)) != ST_OK || (st = agent_commit(a, false, fault)) != ST_OK ||
        (st = agent_open_uplink(a, fault)) != ST_OK ||
        (st = agent_open_courier(a, fault)) != ST_OK ||
        (st = gps_start(&a->gps, set->gps, a->inbox, fault)) != ST_OK)
        goto out;
    habits = (struct reader_habits){set->obd_period_ms, set->obd_codes_ms, a->protocol};
    st = reader_start(&a->reader, &address, &habits, a->inbox, fault);
out:
    if (st != ST_OK) {
        stop_ask(); /* a thread may be running */
        agent_close(a);
        return st;
    }
    health_set(health, "outbox", a->disk == OUTBOX_WELL);
    *out = a;
    return ST_OK;
}

static void agent_last_words(struct agent *a)
{
    struct fault fault = {""};

    while (inbox_take(a->inbox, &a->note, 0))
        agent_take(a, &a->note);
    watcher_flush(a->watcher);
    journal_hold(a->journal, false); /* without its time, rather than not at all */
    agent_mark(a, false);
    if (agent_commit(a, true, &fault) != ST_OK)
        log_error("outbox.unwritable", "reason=\"%s\"", fault.text);
    if (a->disk != OUTBOX_WELL)
        log_error("memory.lost", "disk=%s reason=\"what it did not take yet goes with us\"",
                  outbox_trouble_name(a->disk));
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
    courier_join(a->courier);
    a->reader = NULL; /* a fix that still waits in the inbox may hold a hint for it */
    if (a->journal != NULL && a->sender != NULL && a->inbox != NULL)
        agent_last_words(a);
    uplink_close(&a->uplink);
    sender_close(a->sender);
    watcher_close(a->watcher);
    journal_close(a->journal);
    inbox_close(a->inbox);
    text_done(&a->config_text);
    text_done(&a->good_text);
    text_done(&a->tried_text);
    free(a);
}
