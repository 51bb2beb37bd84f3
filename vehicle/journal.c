/* vehicle/journal.c - see journal.h. */
#include "journal_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "announce.h"
#include "lib/metrics.h"
#include "lib/text.h"
#include "proto/columnar.h"

#define JOURNAL_TRIES 4  /* on a full disk, each with more room made */
#define JOURNAL_PROBE 32 /* samples with which a disk that took nothing is tried */

/* ---- opening */

static void journal_load_ack(void *self, const char *name, const char *bytes, size_t len)
{
    struct journal *j = self;
    struct ack ack;

    (void)name;
    if (ack_read(&ack, bytes, len, NULL) != ST_OK)
        return;
    for (int i = 0; i < STREAMS; i++)
        if (strcmp(ack.stream, outbox_stream_id(j->outbox, (enum outbox_stream)i)) == 0 &&
            ledger_take(&j->ledgers[i], &ack, outbox_given(j->outbox, (enum outbox_stream)i)) ==
                ST_REJECT)
            continue; /* a site too many: it will tell us again */
}

enum status journal_open(struct journal **out, const struct journal_options *options,
                         struct outbox *outbox, struct sampler *sampler, struct ledger *ledgers,
                         struct fault *fault)
{
    struct journal *j = calloc(1, sizeof *j);
    struct text last;
    enum status st;

    if (j == NULL)
        return fault_set(fault, ST_FATAL, "out of memory");
    j->options = *options;
    j->outbox = outbox;
    j->sampler = sampler;
    j->ledgers = ledgers;
    telemetry_init(&j->telemetry);
    eviction_init(&j->eviction, options->limit_bytes, options->keep_ms, outbox, ledgers);
    j->dropped = metric_counter(
        "vigie_vehicle_samples_dropped_total",
        "Samples and events dropped from memory because the disk took nothing.", NULL);
    text_init(&last);
    st = outbox_get(outbox, "last_sample_ms", &last, fault);
    sampler_init(sampler, st == ST_OK ? strtoll(last.bytes, NULL, 10) : 0);
    text_done(&last);
    if (st == ST_OK || st == ST_NONE)
        st = outbox_each(outbox, "ack/", journal_load_ack, j, fault);
    if (st != ST_OK) {
        journal_close(j);
        return st;
    }
    journal_renew(j);
    *out = j;
    return ST_OK;
}

void journal_renew(struct journal *j)
{
    j->looked = false;
    for (int i = 0; i < STREAMS; i++)
        j->sendable[i] = -1;
}

void journal_online(struct journal *j, bool online)
{
    j->online = online;
}

void journal_close(struct journal *j)
{
    if (j == NULL)
        return;
    for (size_t i = 0; i < j->event_count; i++)
        journal_free_fact(&j->events[i]);
    for (size_t i = 0; i < JOURNAL_NOTES_MAX; i++)
        text_done(&j->notes[i].value);
    telemetry_done(&j->telemetry);
    free(j);
}

/* ---- records */

static struct envelope journal_head(struct journal *j, enum outbox_stream stream,
                                    const char *schema, enum clock_source clock)
{
    struct envelope head = {.seq = outbox_number(j->outbox, stream), .clock = clock};

    (void)text_copy(head.schema, sizeof head.schema, schema);
    (void)text_copy(head.stream, sizeof head.stream, outbox_stream_id(j->outbox, stream));
    return head;
}

static enum status journal_fill(struct journal *j, size_t from, size_t to, enum clock_source clock,
                                struct fault *fault)
{
    enum status st = ST_OK;

    telemetry_clear(&j->telemetry);
    j->telemetry.head = journal_head(j, STREAM_BULK, "telemetry/1", clock);
    for (size_t i = from; i < to && st == ST_OK; i++) {
        const struct planned *p = &j->sampler->pending[i];

        st = telemetry_sample(&j->telemetry, p->t_ms, fault);
        for (uint16_t k = 0; k < p->count && st == ST_OK; k++)
            st = telemetry_reading(&j->telemetry, p->readings[k].signal, p->readings[k].value,
                                   fault);
    }
    return st;
}

static enum status journal_encode(struct journal *j, size_t *len, struct fault *fault)
{
    return j->options.columnar
               ? columnar_write(&j->telemetry, j->payload, sizeof j->payload, len, fault)
               : telemetry_write(&j->telemetry, j->payload, sizeof j->payload, len, fault);
}

/* Samples [0 .. n) as records of at most 32 KiB: tried whole, then halved until it fits. */
static enum status journal_put_samples(struct journal *j, size_t n, int64_t now_ms,
                                       enum clock_source clock, struct fault *fault)
{
    size_t at = 0, take = n, len;
    enum status st;

    while (at < n) {
        if (take > n - at)
            take = n - at;
        if ((st = journal_fill(j, at, at + take, clock, fault)) == ST_OK)
            st = journal_encode(j, &len, fault);
        if (st == ST_REJECT && take > 1) {
            take = (take + 1) / 2;
            continue;
        }
        if (st == ST_OK)
            st = outbox_put(j->outbox, STREAM_BULK, LEAF_TELEMETRY, now_ms, j->payload, len, fault);
        if (st != ST_OK && st != ST_REJECT)
            return st;
        at += take; /* a single sample that cannot be written is a mistake of ours; it must not
                       wedge the rest */
    }
    return ST_OK;
}

static enum status journal_put_event(struct journal *j, const struct fact *event, const char *data,
                                     int64_t now_ms, enum clock_source clock, struct fault *fault)
{
    struct fact fact = *event;
    enum status st;
    size_t len;

    fact.head = journal_head(j, STREAM_BULK, "event/1", clock);
    if ((st = event_write(&fact, data, j->payload, sizeof j->payload, &len, fault)) != ST_OK)
        return st == ST_REJECT ? ST_OK : st;
    return outbox_put(j->outbox, STREAM_BULK, LEAF_EVENT, now_ms, j->payload, len, fault);
}

static enum status journal_put_alert(struct journal *j, const struct journal_fact *alert,
                                     int64_t now_ms, enum clock_source clock, struct fault *fault)
{
    struct fact fact = alert->fact;
    enum status st;
    size_t len;

    fact.head = journal_head(j, STREAM_URGENT, "alert/1", clock);
    if ((st = alert_write(&fact, alert->severity, alert->data, j->payload, sizeof j->payload, &len,
                          fault)) != ST_OK)
        return st == ST_REJECT ? ST_OK : st;
    return outbox_put(j->outbox, STREAM_URGENT, LEAF_ALERT, now_ms, j->payload, len, fault);
}

static enum status journal_put_result(struct journal *j, const struct journal_fact *f,
                                      int64_t now_ms, enum clock_source clock, struct fault *fault)
{
    struct result result = *f->result;
    enum status st;
    size_t len;

    result.head = journal_head(j, STREAM_URGENT, "result/1", clock);
    if ((st = result_write(&result, f->data[0] != '\0' ? f->data : NULL, j->payload,
                           sizeof j->payload, &len, fault)) != ST_OK)
        return st == ST_REJECT ? ST_OK : st;
    return outbox_put(j->outbox, STREAM_URGENT, LEAF_RESULT, now_ms, j->payload, len, fault);
}

static enum status journal_put_fact(struct journal *j, const struct journal_fact *f, int64_t now_ms,
                                    enum clock_source clock, struct fault *fault)
{
    if (f->result != NULL)
        return journal_put_result(j, f, now_ms, clock, fault);
    if (f->severity[0] != '\0')
        return journal_put_alert(j, f, now_ms, clock, fault);
    return journal_put_event(j, &f->fact, f->data, now_ms, clock, fault);
}

static enum status journal_put_diagnosis(struct journal *j, int64_t now_ms, enum clock_source clock,
                                         struct fault *fault)
{
    struct envelope head = journal_head(j, STREAM_BULK, "diagnostics/1", clock);
    enum status st;
    size_t len;

    if ((st = diagnosis_write(&j->diagnosis, &head, j->payload, sizeof j->payload, &len, fault)) !=
        ST_OK)
        return st == ST_REJECT ? ST_OK : st;
    return outbox_put(j->outbox, STREAM_BULK, LEAF_DIAGNOSTICS, now_ms, j->payload, len, fault);
}

/* ---- the commit */

/* What had to be dropped from memory had no number yet, so no site misses it: it is told. */
static enum status journal_tell_dropped(struct journal *j, int64_t now_ms, enum clock_source clock,
                                        struct fault *fault)
{
    uint64_t samples = j->sampler->dropped - j->told_samples, facts = j->lost_facts - j->told_facts;
    char data[160];

    if (samples + facts == 0)
        return ST_OK;
    snprintf(data, sizeof data, "{\"samples\":%llu,\"events\":%llu}", (unsigned long long)samples,
             (unsigned long long)facts);
    return announce(j->outbox, "samples_dropped", data, now_ms, clock, fault);
}

void journal_hold(struct journal *j, bool held)
{
    j->held = held;
}

bool journal_is_held(const struct journal *j)
{
    return j->held;
}

void journal_shift(struct journal *j, int64_t step_ms)
{
    for (size_t i = 0; i < j->event_count; i++)
        if (!j->events[i].dated)
            j->events[i].fact.t_ms += step_ms;
    j->diagnosis.t_ms += step_ms;
}

static enum status journal_note_sendable(struct journal *j, struct fault *fault)
{
    enum status st = ST_OK;
    char name[32], number[24];
    int n;

    for (int i = 0; i < STREAMS && j->online && st == ST_OK; i++) {
        enum outbox_stream stream = (enum outbox_stream)i;
        int64_t last = outbox_number(j->outbox, stream) - 1;

        if (last == j->sendable[i])
            continue;
        snprintf(name, sizeof name, OUTBOX_SENT_NOTE "%s", outbox_stream_name(stream));
        n = snprintf(number, sizeof number, "%lld", (long long)last);
        st = outbox_set(j->outbox, name, number, (size_t)n, fault);
    }
    return st;
}

static enum status journal_write(struct journal *j, size_t samples, int64_t now_ms,
                                 enum clock_source clock, struct fault *fault)
{
    enum status st = j->held ? ST_OK : journal_tell_dropped(j, now_ms, clock, fault);
    char number[24];
    int n;

    for (size_t i = 0; i < j->event_count && st == ST_OK && !j->held; i++)
        st = journal_put_fact(j, &j->events[i], now_ms, clock, fault);
    if (st == ST_OK && j->has_diagnosis && !j->held)
        st = journal_put_diagnosis(j, now_ms, clock, fault);
    if (st == ST_OK && samples > 0) {
        st = journal_put_samples(j, samples, now_ms, clock, fault);
        n = snprintf(number, sizeof number, "%lld", (long long)j->sampler->last_ms);
        if (st == ST_OK)
            st = outbox_set(j->outbox, "last_sample_ms", number, (size_t)n, fault);
    }
    n = snprintf(number, sizeof number, "%lld", (long long)now_ms);
    if (st == ST_OK)
        st = outbox_set(j->outbox, JOURNAL_COMMIT_NOTE, number, (size_t)n, fault);
    for (size_t i = 0; i < j->note_count && st == ST_OK; i++)
        st = outbox_set(j->outbox, j->notes[i].name, j->notes[i].value.bytes, j->notes[i].value.len,
                        fault);
    if (st == ST_OK)
        st = eviction_pass(&j->eviction, now_ms, clock, fault);
    return st == ST_OK ? journal_note_sendable(j, fault) : st;
}

/* One transaction.  `room`: so many records may go before it, because the disk is full. */
static enum status journal_try(struct journal *j, size_t samples, int64_t room, int64_t now_ms,
                               enum clock_source clock, struct fault *fault)
{
    enum status st = outbox_begin(j->outbox, fault);

    eviction_begin(&j->eviction);
    if (st == ST_OK && room > 0)
        st = eviction_make_room(&j->eviction, room, now_ms, clock, fault);
    if (st == ST_OK && (st = journal_write(j, samples, now_ms, clock, fault)) == ST_OK)
        st = outbox_end(j->outbox, fault);
    if (st == ST_OK)
        eviction_committed(&j->eviction);
    else
        outbox_undo(j->outbox);
    return st;
}

static void journal_done(struct journal *j, size_t samples)
{
    sampler_forget(j->sampler, samples);
    j->note_count = 0;
    j->looked = true;
    for (int i = 0; i < STREAMS && j->online; i++)
        j->sendable[i] = outbox_given(j->outbox, (enum outbox_stream)i);
    outbox_reserve(j->outbox);
    if (j->held)
        return;
    for (size_t i = 0; i < j->event_count; i++)
        journal_free_fact(&j->events[i]);
    j->event_count = j->alert_count = 0;
    j->has_diagnosis = false;
    j->told_samples = j->sampler->dropped;
    j->told_facts = j->lost_facts;
}

/* Has the outbox something to tell by itself? */
static bool journal_is_due(const struct journal *j)
{
    for (int i = 0; i < STREAMS; i++)
        if (outbox_spoiled(j->outbox, (enum outbox_stream)i, 0) != 0 ||
            (j->online && j->sendable[i] != outbox_given(j->outbox, (enum outbox_stream)i)))
            return true;
    return !j->looked;
}

/* So many samples and all else that waits: until it is in, or nothing more can be done. */
static enum status journal_insist(struct journal *j, size_t samples, int64_t now_ms,
                                  enum clock_source clock, struct fault *fault)
{
    static const int64_t room[JOURNAL_TRIES] = {0, 0, 32, EVICTION_BATCH};
    enum status st = ST_RETRY;

    for (int i = 0; i < JOURNAL_TRIES && st == ST_RETRY; i++) {
        if (i > 0 && outbox_trouble(j->outbox) != OUTBOX_FULL)
            break;
        if (i > 0)
            outbox_relieve(j->outbox, i > 1);
        st = journal_try(j, samples, room[i], now_ms, clock, fault);
    }
    j->refused = st == ST_RETRY;
    if (st == ST_OK)
        journal_done(j, samples);
    return st;
}

enum status journal_commit(struct journal *j, int64_t now_ms, enum clock_source clock, bool all,
                           struct fault *fault)
{
    size_t samples = j->held ? 0 : sampler_settle(j->sampler, now_ms, all);

    if (j->sampler->dropped != j->counted_dropped) {
        metric_add(j->dropped, NULL, (double)(j->sampler->dropped - j->counted_dropped));
        j->counted_dropped = j->sampler->dropped;
    }
    if (samples == 0 && j->note_count == 0 && !journal_is_due(j) &&
        (j->held || (j->event_count == 0 && !j->has_diagnosis)))
        return ST_OK;
    if (j->refused && samples > JOURNAL_PROBE) { /* ten minutes of samples are dear to encode */
        enum status st = journal_insist(j, JOURNAL_PROBE, now_ms, clock, fault);

        if (st != ST_OK)
            return st;
        samples -= JOURNAL_PROBE;
    }
    return journal_insist(j, samples, now_ms, clock, fault);
}
