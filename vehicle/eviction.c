/* vehicle/eviction.c - see eviction.h. */
#include "eviction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "announce.h"

#define EVICTION_RANGES_MAX 8 /* announced in one commit */

void eviction_init(struct eviction *e, int64_t limit_bytes, int64_t keep_ms, struct outbox *outbox,
                   struct ledger *ledgers)
{
    memset(e, 0, sizeof *e);
    e->limit_bytes = limit_bytes;
    e->keep_ms = keep_ms;
    e->outbox = outbox;
    e->ledgers = ledgers;
    e->lost =
        metric_counter("vigie_vehicle_outbox_lost_total",
                       "Records that had to go unacknowledged: outbox or disk full.", "stream");
    e->spoiled = metric_counter("vigie_vehicle_outbox_spoiled_total",
                                "Records that were not as they had been written.", "stream");
}

void eviction_begin(struct eviction *e)
{
    memset(e->lost_now, 0, sizeof e->lost_now);
    memset(e->spoiled_now, 0, sizeof e->spoiled_now);
}

void eviction_committed(struct eviction *e)
{
    for (int i = 0; i < STREAMS; i++) {
        const char *name = outbox_stream_name((enum outbox_stream)i);

        if (e->lost_now[i] > 0)
            metric_add(e->lost, name, e->lost_now[i]);
        if (e->spoiled_now[i] > 0)
            metric_add(e->spoiled, name, e->spoiled_now[i]);
    }
    eviction_begin(e);
}

/* first .. last of a stream will never come. */
static enum status eviction_announce(struct eviction *e, enum outbox_stream stream, int64_t first,
                                     int64_t last, int64_t now_ms, enum clock_source clock,
                                     struct fault *fault)
{
    char data[160];

    snprintf(data, sizeof data, "{\"stream\":\"%s\",\"first\":%lld,\"last\":%lld}",
             outbox_stream_id(e->outbox, stream), (long long)first, (long long)last);
    return announce(e->outbox, "outbox_lost", data, now_ms, clock, fault);
}

/* Delete what every required site has and was made before `before_ms`. */
static enum status eviction_forget(struct eviction *e, enum outbox_stream stream, int64_t before_ms,
                                   int64_t max, int64_t *n, struct fault *fault)
{
    struct seq_range range;
    int64_t from = 1, some, last;
    enum status st;

    *n = 0;
    while (*n < max && ledger_stored_range(&e->ledgers[stream], from, &range)) {
        st = outbox_delete(e->outbox, stream, range.first, range.last, before_ms, max - *n, &some,
                           &last, fault);
        if (st != ST_OK)
            return st;
        *n += some;
        from = range.last + 1;
    }
    return ST_OK;
}

/* No room: the oldest of a stream goes, and an event says which numbers will never come. */
static enum status eviction_lose(struct eviction *e, enum outbox_stream stream, int64_t max,
                                 int64_t now_ms, enum clock_source clock, int64_t *n,
                                 struct fault *fault)
{
    int64_t given = outbox_given(e->outbox, stream), first, last;
    enum status st = outbox_delete(e->outbox, stream, 1, given, INT64_MAX, max, n, &last, fault);

    if (st != ST_OK || *n == 0)
        return st;
    first = ledger_next_unsettled(&e->ledgers[stream], 1);
    if (first > last)
        return ST_OK;
    e->lost_now[stream] += (double)*n;
    return eviction_announce(e, stream, first, last, now_ms, clock, fault);
}

/* ---- records that are not what was written */

static enum status eviction_spoiled(struct eviction *e, enum outbox_stream stream, int64_t now_ms,
                                    enum clock_source clock, struct fault *fault)
{
    enum status st = ST_OK;
    int64_t seq;

    for (size_t i = 0;
         i < EVICTION_RANGES_MAX && st == ST_OK && (seq = outbox_spoiled(e->outbox, stream, i)) > 0;
         i++) {
        st = outbox_set_aside(e->outbox, stream, seq, now_ms, fault);
        e->spoiled_now[stream]++;
        if (st == ST_OK && !ledger_is_settled(&e->ledgers[stream], seq))
            st = eviction_announce(e, stream, seq, seq, now_ms, clock, fault);
    }
    return st;
}

/* ---- numbers passed over when the outbox was opened: "lost/<stream>/<first>" = last */

struct passed_over {
    size_t count;
    struct {
        char name[64];
        enum outbox_stream stream;
        long long first, last;
    } ranges[EVICTION_RANGES_MAX];
};

static void eviction_take_passed_over(void *self, const char *name, const char *bytes, size_t len)
{
    struct passed_over *p = self;
    const char *first = strrchr(name, '/');

    if (p->count == EVICTION_RANGES_MAX || len > 20)
        return;
    (void)text_copy(p->ranges[p->count].name, sizeof p->ranges[p->count].name, name);
    p->ranges[p->count].stream =
        strncmp(name, "lost/urgent/", 12) == 0 ? STREAM_URGENT : STREAM_BULK;
    p->ranges[p->count].first = strtoll(first + 1, NULL, 10);
    p->ranges[p->count++].last = strtoll(bytes, NULL, 10);
}

static enum status eviction_tell_passed_over(struct eviction *e, int64_t now_ms,
                                             enum clock_source clock, struct fault *fault)
{
    struct passed_over p = {.count = 0};
    enum status st = outbox_each(e->outbox, "lost/", eviction_take_passed_over, &p, fault);

    for (size_t i = 0; i < p.count && st == ST_OK; i++) {
        st = eviction_announce(e, p.ranges[i].stream, p.ranges[i].first, p.ranges[i].last, now_ms,
                               clock, fault);
        if (st == ST_OK)
            st = outbox_unset(e->outbox, p.ranges[i].name, fault);
    }
    return st;
}

/* ---- together */

enum status eviction_pass(struct eviction *e, int64_t now_ms, enum clock_source clock,
                          struct fault *fault)
{
    int64_t n = 0, room_bytes = outbox_room_bytes(e->outbox);
    int64_t limit_bytes = e->limit_bytes < room_bytes ? e->limit_bytes : room_bytes;
    enum status st = eviction_tell_passed_over(e, now_ms, clock, fault);

    for (int i = 0; i < STREAMS && st == ST_OK; i++)
        st = eviction_spoiled(e, (enum outbox_stream)i, now_ms, clock, fault);
    for (int i = 0; i < STREAMS && st == ST_OK; i++)
        st = eviction_forget(e, (enum outbox_stream)i, now_ms - e->keep_ms, EVICTION_BATCH, &n,
                             fault);
    if (st != ST_OK || outbox_used_bytes(e->outbox) <= limit_bytes)
        return st;
    for (int i = 0; i < STREAMS && n == 0 && st == ST_OK;
         i++) /* stored ones first, however young */
        st = eviction_forget(e, (enum outbox_stream)i, INT64_MAX, EVICTION_BATCH, &n, fault);
    for (int i = 0; i < STREAMS && n == 0 && st == ST_OK; i++)
        st = eviction_lose(e, (enum outbox_stream)i, EVICTION_BATCH, now_ms, clock, &n, fault);
    return st;
}

enum status eviction_make_room(struct eviction *e, int64_t max, int64_t now_ms,
                               enum clock_source clock, struct fault *fault)
{
    int64_t n = 0;
    enum status st = ST_OK;

    for (int i = 0; i < STREAMS && n == 0 && st == ST_OK; i++)
        st = eviction_forget(e, (enum outbox_stream)i, INT64_MAX, max, &n, fault);
    return st == ST_OK && n == 0 ? eviction_lose(e, STREAM_BULK, max, now_ms, clock, &n, fault)
                                 : st;
}
