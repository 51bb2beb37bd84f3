/* vehicle/sender.c - see sender.h.  What to send is window.c's decision. */
#include "sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/metrics.h"
#include "patience.h"
#include "proto/columnar.h"
#include "sent.h"
#include "window.h"

#define SENDER_BORN_MAX 64 /* commits; what comes on top is not measured */

struct sender_stream {
    struct window window;
    struct patience patience;
    struct sent sent;
    int64_t before;     /* up to here earlier runs may have sent */
    int64_t backlog_ms; /* boot time from which the backlog may go */
    int64_t seen;       /* the highest number of which we know when it was committed */
    size_t born_count;
    struct {
        int64_t seq, boot_ms;
    } born[SENDER_BORN_MAX]; /* committed since we run and not heard of, the oldest first */
};

struct sender {
    const char *vin;
    struct outbox *outbox;
    struct ledger *ledgers;
    struct bucket bucket;
    struct sender_stream streams[STREAMS];
    struct metric *sent, *again, *acked;
    struct outbox_record record;
};

/* What earlier runs may have sent; without a word of theirs all there is. */
static enum status sender_load_sent(struct sender *s, enum outbox_stream stream,
                                    struct fault *fault)
{
    struct text text;
    char name[32];
    enum status st;

    snprintf(name, sizeof name, OUTBOX_SENT_NOTE "%s", outbox_stream_name(stream));
    text_init(&text);
    st = outbox_get(s->outbox, name, &text, fault);
    s->streams[stream].before =
        st == ST_OK ? strtoll(text.bytes, NULL, 10) : outbox_given(s->outbox, stream);
    sent_init(&s->streams[stream].sent, s->streams[stream].before);
    text_done(&text);
    return st == ST_NONE ? ST_OK : st;
}

enum status sender_open(struct sender **out, const char *vin, struct outbox *outbox,
                        struct ledger *ledgers, int64_t per_s, int64_t boot_ms, struct fault *fault)
{
    static const double seconds[] = {0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 600};
    struct sender *s = calloc(1, sizeof *s);
    enum status st = ST_OK;

    if (s == NULL)
        return fault_set(fault, ST_FATAL, "out of memory");
    s->vin = vin;
    s->outbox = outbox;
    s->ledgers = ledgers;
    bucket_init(&s->bucket, (double)per_s, (double)per_s * 2, boot_ms);
    window_init(&s->streams[STREAM_BULK].window, SENDER_BULK_BYTES, SENDER_BULK_RESERVE);
    window_init(&s->streams[STREAM_URGENT].window, SENDER_URGENT_BYTES, 0);
    s->sent = metric_counter("vigie_vehicle_sent_total",
                             "Records handed to the broker, repeats included.", "stream");
    s->again = metric_counter("vigie_vehicle_resent_total",
                              "Records that had to go again, by reason.", "reason");
    s->acked = metric_histogram("vigie_vehicle_ack_seconds",
                                "From a commit to the first ack of its records.", "stream", seconds,
                                sizeof seconds / sizeof seconds[0]);
    for (int i = 0; i < STREAMS && st == ST_OK; i++) {
        s->streams[i].seen = outbox_given(outbox, (enum outbox_stream)i);
        st = sender_load_sent(s, (enum outbox_stream)i, fault);
    }
    if (st != ST_OK) {
        sender_close(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

void sender_streams_are_new(struct sender *s)
{
    for (int i = 0; i < STREAMS; i++) {
        sent_init(&s->streams[i].sent, 0);
        s->streams[i].sent.own = true;
    }
}

int64_t sender_first_in_doubt(const struct sender *s, enum outbox_stream stream)
{
    int64_t unsettled = ledger_next_unsettled(&s->ledgers[stream], 1);
    int64_t never_sent = s->streams[stream].before + 1;

    return unsettled < never_sent ? unsettled : never_sent;
}

bool sender_was_set_back(struct sender *s, enum outbox_stream stream, const struct watermark *mark)
{
    struct sent *sent = &s->streams[stream].sent;
    struct fault ignored;
    int64_t claimed = 1;

    if (sent->own)
        return false;
    if (mark->upto > outbox_given(s->outbox, stream))
        return true;
    for (int i = 0; i < SENT_RANGES_MAX + ACK_GAPS_MAX; i++) {
        claimed = sent_next_claimed(sent, mark, claimed);
        if (claimed == 0 || outbox_read(s->outbox, stream, claimed, &s->record, &ignored) != ST_OK)
            return false; /* it may have been told as lost: nothing is held that it could cost */
        if (s->record.seq == claimed)
            return true;
        claimed = s->record.seq;
    }
    return false;
}

void sender_close(struct sender *s)
{
    free(s);
}

static void sender_restart(struct sender *s, enum outbox_stream stream, bool insist)
{
    window_restart(&s->streams[stream].window, outbox_given(s->outbox, stream), insist);
}

void sender_connected(struct sender *s, int64_t boot_ms)
{
    for (int i = 0; i < STREAMS; i++) {
        patience_begin(&s->streams[i].patience, &s->ledgers[i], SENDER_SILENCE_MS,
                       SENDER_SILENCE_MAX_MS, boot_ms);
        s->streams[i].backlog_ms = boot_ms + SENDER_ACK_WAIT_MS;
        sender_restart(s, (enum outbox_stream)i, false);
    }
}

/* ---- how long an ack takes */

static void sender_note_born(struct sender *s, enum outbox_stream stream, int64_t boot_ms)
{
    struct sender_stream *t = &s->streams[stream];
    int64_t given = outbox_given(s->outbox, stream);

    if (given == t->seen)
        return;
    t->seen = given; /* lower after a reset of the outbox */
    if (t->born_count == SENDER_BORN_MAX)
        return;
    t->born[t->born_count].seq = given;
    t->born[t->born_count++].boot_ms = boot_ms;
}

static void sender_measure(struct sender *s, enum outbox_stream stream, int64_t boot_ms)
{
    struct sender_stream *t = &s->streams[stream];
    size_t kept = 0;

    for (size_t i = 0; i < t->born_count; i++) {
        if (t->born[i].seq > t->seen)
            continue; /* of the streams before a reset */
        if (ledger_is_heard(&s->ledgers[stream], t->born[i].seq))
            metric_observe(s->acked, outbox_stream_name(stream),
                           (double)(boot_ms - t->born[i].boot_ms) / 1000);
        else
            t->born[kept++] = t->born[i];
    }
    t->born_count = kept;
}

void sender_acked(struct sender *s, enum outbox_stream stream, bool went_back, int64_t boot_ms)
{
    struct sender_stream *t = &s->streams[stream];

    t->backlog_ms = boot_ms;
    sender_measure(s, stream, boot_ms);
    metric_add(s->again, "passed_over", (double)window_heard(&t->window, &s->ledgers[stream]));
    if (went_back)
        window_restart(&t->window, outbox_given(s->outbox, stream), false);
    patience_heard(&t->patience, &s->ledgers[stream], boot_ms);
}

/* No progress for too long although something is unsettled: all of it again. */
static void sender_check_silence(struct sender *s, enum outbox_stream stream, int64_t boot_ms)
{
    struct sender_stream *t = &s->streams[stream];
    int64_t given = outbox_given(s->outbox, stream);

    if (!patience_is_over(&t->patience, &s->ledgers[stream], given, boot_ms))
        return;
    metric_add(s->again, "silence", (double)t->window.count);
    sender_restart(s, stream, true);
}

static enum status sender_publish(struct sender *s, struct mqtt *mqtt, enum outbox_stream stream,
                                  struct fault *fault)
{
    char topic[TOPIC_MAX];
    struct mqtt_publish message = {.topic = topic,
                                   .payload = s->record.payload,
                                   .len = s->record.len,
                                   .qos = s->record.leaf == LEAF_TELEMETRY ? 0 : 1,
                                   .columnar = columnar_is(s->record.payload, s->record.len)};
    enum status st;

    topic_format(topic, s->vin, s->record.leaf);
    st = mqtt_publish(mqtt, &message, fault);
    if (st == ST_OK)
        metric_add(s->sent, outbox_stream_name(stream), 1);
    return st;
}

/* One stream.  ST_OK: nothing more to send, or the window is full; ST_RETRY: rate or client. */
static enum status sender_pump_stream(struct sender *s, struct mqtt *mqtt,
                                      enum outbox_stream stream, int64_t boot_ms,
                                      struct fault *fault)
{
    struct sender_stream *t = &s->streams[stream];
    struct ledger *ledger = &s->ledgers[stream];
    int64_t given = outbox_given(s->outbox, stream);
    struct window_pick pick;
    enum status st;

    while (window_next(&t->window, ledger, given, boot_ms >= t->backlog_ms, &pick)) {
        if (s->bucket.per_s > 0 && !bucket_has(&s->bucket, boot_ms))
            return ST_RETRY;
        st = outbox_read(s->outbox, stream, pick.seq, &s->record, fault);
        if (st != ST_OK && st != ST_NONE)
            return st;
        if (st == ST_NONE || s->record.seq != pick.seq) {
            window_skip(&t->window, &pick, st == ST_NONE ? given + 1 : s->record.seq);
            continue;
        }
        if (!window_fits(&t->window, &pick, (int64_t)s->record.len))
            return ST_OK;
        if ((st = sender_publish(s, mqtt, stream, fault)) != ST_OK)
            return st;
        bucket_take(&s->bucket);
        sent_add(&t->sent, pick.seq);
        window_sent(&t->window, &pick, (int64_t)s->record.len);
    }
    return ST_OK;
}

enum status sender_pump(struct sender *s, struct mqtt *mqtt, int64_t boot_ms, struct fault *fault)
{
    static const enum outbox_stream order[STREAMS] = {STREAM_URGENT, STREAM_BULK};
    enum status st;

    for (int i = 0; i < STREAMS; i++)
        sender_note_born(s, (enum outbox_stream)i, boot_ms);
    for (int i = 0; i < STREAMS; i++) {
        sender_check_silence(s, order[i], boot_ms);
        if ((st = sender_pump_stream(s, mqtt, order[i], boot_ms, fault)) != ST_OK)
            return st;
    }
    return ST_OK;
}
