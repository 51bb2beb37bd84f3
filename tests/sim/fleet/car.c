/* tests/sim/fleet/car.c */
#include "car.h"

#include <stdlib.h>
#include <string.h>

#define SILENCE_TIMES 4 /* a silence that goes on is borne up to so many times longer */
#define KEEPALIVE_MS 25000
#define AGAIN_MS 1000     /* until the next try to connect */
#define UNSENT_MAX 65536  /* bytes the socket did not take yet */
#define UNANSWERED_MAX 20 /* QoS 1 messages in flight */
#define RECORD_BYTES 32768

enum status car_open(struct car *c, struct fleet *fleet, unsigned number, const char *vin,
                     const char *run, struct fault *fault)
{
    char name[128];

    if (!vin_is_valid(vin, strlen(vin)))
        return fault_set(fault, ST_REJECT, "not a VIN: %.40s", vin);
    *c = (struct car){.fleet = fleet, .number = number, .next = 1, .last = fleet->records};
    memcpy(c->vin, vin, sizeof c->vin);
    snprintf(name, sizeof name, "fleet %.64s %s", run, vin);
    uuid_of_text(c->stream, name);
    topic_format(c->topic, vin, fleet->alerts ? LEAF_ALERT : LEAF_TELEMETRY);
    return ST_OK;
}

static int64_t oldest_owed(const struct car *c)
{
    return c->mark.gap_count ? c->mark.gaps[0].first : c->mark.upto + 1;
}

static void next_broker(struct car *c)
{
    c->broker = (c->broker + 1) % c->fleet->broker_count;
}

enum status car_connect(struct car *c, int64_t now_ms, struct fault *fault)
{
    struct fleet *f = c->fleet;
    char folder[4096], filter[TOPIC_MAX];
    enum status st;

    c->retry_ms = now_ms + AGAIN_MS;
    snprintf(folder, sizeof folder, "%s/%s", f->certs ? f->certs : "", c->vin);
    st = wire_open(&c->wire, f->brokers[c->broker].host, f->brokers[c->broker].port, f->tls, folder,
                   fault);
    if (st != ST_OK) {
        next_broker(c);
        return st;
    }
    c->live = c->watched_out = false;
    c->unanswered = 0;
    c->spoke_ms = c->progress_ms = now_ms;
    c->silence_ms = f->silence_ms;
    c->next = oldest_owed(c);
    topic_format(filter, c->vin, LEAF_ACK);
    wire_connect(&c->wire, c->vin);
    wire_subscribe(&c->wire, filter, 0); /* a lost cumulative ack costs nothing */
    return ST_OK;
}

/* ---- what came */
static void note_lag(struct fleet *f, uint32_t lag_ms)
{
    f->tally.lag_ms[lag_ms < 10000 ? lag_ms : 10000]++;
}

/* Which watermark an ack is about: of its site, or, when no site matters, of them all. */
static struct watermark *mark_of(struct car *c, const char *site)
{
    const struct fleet *f = c->fleet;

    if (f->site_count == 0)
        return &c->sites[0];
    for (size_t i = 0; i < f->site_count; i++)
        if (strcmp(f->sites[i], site) == 0)
            return &c->sites[i];
    return NULL;
}

static void write_ledger(struct car *c, const struct watermark *before, const struct ack *ack)
{
    int64_t first = before->gap_count ? before->gaps[0].first : before->upto + 1;

    for (int64_t seq = first; seq <= ack->mark.upto; seq++)
        if (!watermark_has(before, seq) && watermark_has(&ack->mark, seq))
            fprintf(c->fleet->ledger, "%s %u %s %lld %s\n", c->vin, c->number, c->stream,
                    (long long)seq, ack->site);
}

/* What all have now and had not before. */
static void note_acked(struct car *c, int64_t owed, const struct watermark *now, int64_t now_ms)
{
    struct fleet *f = c->fleet;

    for (int64_t seq = owed; seq <= now->upto; seq++) {
        if (watermark_has(&c->mark, seq) || !watermark_has(now, seq))
            continue;
        f->tally.acked++;
        if (seq > c->highest - CAR_SENT && seq <= c->highest)
            note_lag(f, (uint32_t)now_ms - c->sent_ms[seq % CAR_SENT]);
    }
}

/* An older ack that a newer one has overtaken: two threads, or two instances, may send them. */
static bool takes_back(const struct watermark *had, const struct watermark *now)
{
    for (size_t i = 0; i < now->gap_count; i++)
        for (int64_t seq = now->gaps[i].first; seq <= now->gaps[i].last && seq <= had->upto; seq++)
            if (watermark_has(had, seq))
                return true;
    return false;
}

static void take_ack(struct car *c, const char *payload, size_t len, int64_t now_ms)
{
    struct fleet *f = c->fleet;
    struct watermark *mark, now;
    int64_t owed = oldest_owed(c);
    struct ack ack;

    if (ack_read(&ack, payload, len, NULL) != ST_OK || strcmp(ack.stream, c->stream) != 0 ||
        (mark = mark_of(c, ack.site)) == NULL)
        return;
    f->tally.acks++;
    if (ack.mark.upto < mark->upto || takes_back(mark, &ack.mark))
        return;
    if (f->ledger)
        write_ledger(c, mark, &ack);
    *mark = ack.mark;
    now = c->sites[0];
    for (size_t i = 1; i < f->site_count; i++)
        watermark_both(&now, &now, &c->sites[i]);
    note_acked(c, owed, &now, now_ms);
    c->mark = now;
    if (oldest_owed(c) > owed) {
        c->progress_ms = now_ms;
        c->silence_ms = f->silence_ms;
    }
}

static void take_packet(struct car *c, const struct packet *p, int64_t now_ms)
{
    const char *payload;
    unsigned packet_id;
    size_t len;

    if (p->kind == PACKET_SUBACK && !c->live) {
        c->live = true;
        c->fleet->tally.connected++;
    } else if (p->kind == PACKET_PUBACK && c->unanswered > 0) {
        c->unanswered--;
    } else if (p->kind == PACKET_PUBLISH && wire_read_publish(p, &payload, &len, &packet_id)) {
        if (packet_id)
            wire_puback(&c->wire, packet_id);
        take_ack(c, payload, len, now_ms);
    }
}

/* ---- what goes */
static void publish(struct car *c, int64_t seq, int64_t now_ms)
{
    static char bytes[RECORD_BYTES];
    struct fleet *f = c->fleet;
    struct publish p = {.topic = c->topic, .payload = bytes, .qos = f->qos};

    p.columnar = f->plan.columnar && !f->alerts;
    p.len = f->alerts ? drive_alert(&f->plan, c->vin, c->stream, seq, bytes, sizeof bytes)
                      : drive_record(&f->plan, c->number, c->stream, seq, &f->scratch, bytes,
                                     sizeof bytes);
    if (p.len == 0) {
        fprintf(stderr, "fleet: a record does not fit into %d bytes\n", RECORD_BYTES);
        exit(EXIT_FAILURE);
    }
    c->packet_id = c->packet_id % 65535 + 1;
    p.packet_id = c->packet_id;
    wire_publish(&c->wire, &p);
    c->unanswered += f->qos > 0;
    c->record_bytes = p.len;
    c->spoke_ms = now_ms;
    f->tally.sent++;
    f->tally.bytes += (int64_t)p.len;
    if (seq > c->highest) {
        c->sent_ms[seq % CAR_SENT] = (uint32_t)now_ms;
        c->highest = seq;
    } else {
        f->tally.resent++;
    }
}

/* The window is about what nobody has spoken of: a site that is away does not close it. */
static bool window_is_open(const struct car *c)
{
    const struct fleet *f = c->fleet;
    int64_t heard = c->sites[0].upto, in_flight;

    for (size_t i = 1; i < f->site_count; i++)
        if (c->sites[i].upto > heard)
            heard = c->sites[i].upto;
    in_flight = c->next - 1 - heard;

    if (wire_unsent(&c->wire) > UNSENT_MAX || c->unanswered >= UNANSWERED_MAX)
        return false;
    return !f->heeds_acks || in_flight <= 0 ||
           (in_flight < CAR_SENT - 2 && (size_t)in_flight * c->record_bytes < f->window_bytes);
}

/* The next record that is not acknowledged, in order or, now and then, behind its successor. */
static void send_next(struct car *c, int64_t now_ms)
{
    const struct fleet *f = c->fleet;
    int64_t seq = c->next;
    bool again = seq <= c->highest; /* what is sent again does not wait for its time */
    bool swap = f->disorder > 0 && seq < c->last && drand48() < f->disorder;

    c->next += swap ? 2 : 1;
    if (swap)
        publish(c, seq + 1, now_ms);
    if (!watermark_has(&c->mark, seq))
        publish(c, seq, now_ms);
    if (f->duplicate > 0 && drand48() < f->duplicate)
        publish(c, seq, now_ms);
    if (!again)
        c->due_ms =
            (c->due_ms > now_ms - f->every_ms ? c->due_ms : now_ms) + f->every_ms * (swap ? 2 : 1);
}

/* From the oldest; then it bears twice the silence, or a server that is behind would be buried. */
static void send_again(struct car *c, int64_t now_ms)
{
    c->next = oldest_owed(c);
    c->progress_ms = now_ms;
    if (c->silence_ms < SILENCE_TIMES * c->fleet->silence_ms)
        c->silence_ms *= 2;
}

static void lose(struct car *c)
{
    if (c->live)
        c->fleet->tally.connected--;
    c->fleet->tally.lost++;
    c->live = false;
    next_broker(c);
    wire_close(&c->wire);
}

static void listen_to(struct car *c, int64_t now_ms)
{
    struct packet p;

    if (!wire_pump(&c->wire)) {
        lose(c);
        return;
    }
    while (wire_take(&c->wire, &p))
        take_packet(c, &p, now_ms);
}

/* The first of what it waits for; what opens a window comes through the socket. */
static int64_t next_look(const struct car *c, bool waits)
{
    const struct fleet *f = c->fleet;
    int64_t at_ms = c->spoke_ms + KEEPALIVE_MS + 1;

    if (f->heeds_acks && waits && c->progress_ms + c->silence_ms + 1 < at_ms)
        at_ms = c->progress_ms + c->silence_ms + 1;
    if (c->next <= c->last && c->due_ms < at_ms && window_is_open(c))
        at_ms = c->due_ms;
    return at_ms;
}

int64_t car_step(struct car *c, bool ready, int64_t now_ms)
{
    const struct fleet *f = c->fleet;
    bool waits;

    if (c->wire.open && ready)
        listen_to(c, now_ms);
    if (!c->wire.open || !c->live)
        return INT64_MAX;
    waits = c->mark.upto < c->highest || c->mark.gap_count > 0;
    if (f->heeds_acks && waits && now_ms - c->progress_ms > c->silence_ms)
        send_again(c, now_ms);
    if (!waits)
        c->progress_ms = now_ms;
    while (c->next <= c->last && (now_ms >= c->due_ms || c->next <= c->highest) &&
           window_is_open(c))
        send_next(c, now_ms);
    if (now_ms - c->spoke_ms > KEEPALIVE_MS) {
        wire_ping(&c->wire);
        c->spoke_ms = now_ms;
    }
    if (wire_wants_out(&c->wire) && !wire_push(&c->wire)) {
        lose(c);
        return INT64_MAX;
    }
    return next_look(c, c->mark.upto < c->highest || c->mark.gap_count > 0);
}

void car_end(struct car *c)
{
    c->last = c->next - 1 > c->highest ? c->next - 1 : c->highest;
}

bool car_is_done(const struct car *c)
{
    const struct fleet *f = c->fleet;

    if (f->heeds_acks)
        return c->mark.upto >= c->last && c->mark.gap_count == 0;
    return c->next > c->last && c->unanswered == 0 && wire_unsent(&c->wire) == 0;
}

void car_close(struct car *c)
{
    wire_close(&c->wire);
}
