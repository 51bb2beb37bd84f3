/* vehicle/agent_take.c - notes out of the inbox: what becomes of a fix, a round, a source that came
 * or went, a connection, an ack.  See agent_inside.h. */
#include "agent_inside.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kept_clock.h"
#include "lib/clock.h"
#include "lib/log.h"

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

static void agent_happened(struct agent *a, const char *what)
{
    metric_set(a->last, what, (double)clock_now_ms() / 1000);
}

static void agent_fix(struct agent *a, const struct fix *fix)
{
    struct fix told = *fix;

    told.received_ms = agent_date(a, fix->received_boot_ms);
    metric_add(a->fixes, NULL, 1);
    agent_happened(a, "gps");
    a->gps_kmh = fix->speed_kmh;
    a->fix_ms = clock_boot_ms();
    if (journal_is_held(a->journal))
        told.t_ms = told.received_ms; /* it waits for its time with all the rest */
    watcher_fix(a->watcher, &told);   /* distance counts, the place stays here */
    agent_hide_place(a, &told);
    sampler_fix(&a->sampler, &told);
    told.t_ms = fix->t_ms;
    timekeeper_fix(&a->timekeeper, &told, kept_clock_by_ntp());
    if (a->herald.state.obd == SOURCE_SILENT && isfinite(fix->speed_kmh) &&
        fix->speed_kmh >= SAMPLER_MOVING_GPS_KMH)
        reader_hint_moving(a->reader);
}

static void agent_protocol_note(const struct agent *a, char name[32])
{
    snprintf(name, 32, "protocol/%s", a->vin);
}

enum status agent_load_protocol(struct agent *a, struct fault *fault)
{
    struct text text;
    char name[32];
    enum status st;

    a->protocol = '0';
    agent_protocol_note(a, name);
    text_init(&text);
    st = outbox_get(a->outbox, name, &text, fault);
    if (st == ST_OK && text.len == 1 && text.bytes[0] >= '1' && text.bytes[0] <= '9')
        a->protocol = text.bytes[0];
    text_done(&text);
    return st == ST_NONE ? ST_OK : st;
}

/* Tried first after the next start.  What another car speaks is no news about ours. */
static void agent_keep_protocol(struct agent *a, const struct diagnosis *d)
{
    char name[32];

    if (d->protocol < '1' || d->protocol > '9' || d->protocol == a->protocol ||
        (d->vin[0] != '\0' && strcmp(d->vin, a->vin) != 0))
        return;
    a->protocol = d->protocol;
    agent_protocol_note(a, name);
    journal_note(a->journal, name, &d->protocol, 1);
}

static void agent_round(struct agent *a, const struct round *round)
{
    struct round told = *round;

    told.t_ms = agent_date(a, round->boot_ms);
    for (uint16_t i = 0; i < round->count; i++)
        if (round->readings[i].signal == SIGNAL_BATTERY_VOLTAGE) {
            metric_set(a->volts, NULL, round->readings[i].value);
            agent_happened(a, "supply");
        }
    sampler_round(&a->sampler, &told);
    watcher_round(a->watcher, &told);
}

static void agent_diagnosis(struct agent *a, const struct diagnosis *d)
{
    struct diagnosis told = *d;

    told.t_ms = agent_date(a, d->boot_ms);
    journal_diagnosis(a->journal, &told);
    agent_keep_protocol(a, d);
    a->urgent = true;
    watcher_vin(a->watcher, d->vin, a->vin, told.t_ms);
    if (d->vin[0] != '\0' && strcmp(d->vin, a->vin) != 0)
        log_warn("vin.mismatch", "certificate=%s car=%s", a->vin, d->vin);
}

static void agent_connection(struct agent *a, const struct connection *c)
{
    const char *event = c->up ? "broker.connected" : a->connected ? "broker.lost" : "broker.away";

    log_line(c->up ? LEVEL_INFO : LEVEL_WARN, event, "broker=%s reason=\"%s\"", c->broker,
             c->reason);
    a->connected = c->up && a->uplink.mqtt != NULL; /* closed meanwhile: deep quiet */
    metric_set(a->link, NULL, c->up);
    if (c->broker[0] != '\0')
        metric_set(a->broker, c->broker, c->up);
    if (c->up) {
        a->urgent = true; /* what may be sent now is written down before it goes */
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
        if (a->set_back || sender_was_set_back(a->sender, stream, &ack.mark)) {
            a->set_back = a->urgent = true;
            metric_add(a->ignored, "beyond", 1);
            return;
        }
        st = ledger_take(&a->ledgers[i], &ack, outbox_given(a->outbox, stream));
        if (st == ST_REJECT) {
            metric_add(a->ignored, "beyond", 1);
            return;
        }
        if (st != ST_NONE)
            journal_ack(a->journal, stream, ack.site, bytes, len);
        agent_happened(a, "ack");
        sender_acked(a->sender, stream, st == ST_RETRY, clock_boot_ms());
        return;
    }
    metric_add(a->ignored, "unknown_stream", 1);
}

void agent_take(struct agent *a, const struct note *note)
{
    switch (note->kind) {
    case NOTE_FIX:
        agent_fix(a, &note->body.fix);
        break;
    case NOTE_ROUND:
        agent_round(a, &note->body.round);
        if (note->body.round.answering)
            agent_happened(a, "obd");
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
    case NOTE_CODES:
        agent_codes(a, &note->body.codes);
        break;
    case NOTE_ERRAND:
        agent_errand(a, &note->body.errand);
        break;
    case NOTE_COMMAND:
        agent_command(a, note->body.bytes, note->len);
        break;
    case NOTE_CONFIG:
        agent_config(a, note->body.bytes, note->len);
        break;
    }
}
