/* services/ingest/group.c */
#include "group.h"

#include <time.h>

#include "lib/clock.h"

#define GROUP_SAMPLES 5000
#define GROUP_BYTES                                                                                \
    (8 << 20) /* of payload: what InfluxDB takes in one request is bounded, and in how long */
#define REPORT_BYTES 8 /* a code takes some fifty, and the time of six samples to store */
#define NAP_MS 5

/* Sleep a little, to be woken by the clock and not by every record.  False: it is past `until_ms`.
 */
static bool nap(int64_t until_ms)
{
    int64_t left_ms = until_ms - clock_boot_ms();
    struct timespec pause = {.tv_nsec = 1000000 * (left_ms < NAP_MS ? left_ms : NAP_MS)};

    if (left_ms <= 0)
        return false;
    nanosleep(&pause, NULL);
    return true;
}

/* The next record: the one that was held, or from the queue.  Statuses of queue_pop. */
static enum status next(struct gatherer *g, struct record **out, int wait_ms)
{
    size_t n;

    if (!g->held)
        return queue_pop(g->from, out, 1, wait_ms, &n);
    *out = g->held;
    g->held = NULL;
    return ST_OK;
}

static bool is_suspect(const struct gatherer *g, const struct record *r)
{
    return inflight_judge(g->inflight, r->flight) != VERDICT_NONE;
}

/* What it costs to store it: a report may be of hundreds of codes, each with an event and a case.
 */
static size_t samples_worth(const struct record *r)
{
    return r->from.topic.leaf == LEAF_DIAGNOSTICS ? r->len / REPORT_BYTES
                                                  : r->telemetry.sample_count;
}

int64_t group_until_ms(int64_t now_ms, int64_t closed_ms, int64_t batch_wait_ms)
{
    return now_ms - closed_ms >= batch_wait_ms ? now_ms : now_ms + batch_wait_ms;
}

static bool gather(struct gatherer *g, struct group *out, int wait_ms)
{
    size_t samples = 0, bytes = 0;
    int64_t until_ms = 0;
    bool alone = false, urgent = false;

    out->count = 0;
    while (out->count < GROUP_RECORDS && samples < GROUP_SAMPLES && bytes < GROUP_BYTES && !alone) {
        struct record *r;
        enum status st = next(g, &r, wait_ms);

        if (st == ST_NONE)
            return out->count > 0;
        if (st != ST_OK && (out->count == 0 || urgent || !nap(until_ms)))
            return true;
        if (st != ST_OK)
            continue;
        alone = is_suspect(g, r);
        if (out->count > 0 && (alone || (urgent && !record_is_urgent(r)))) {
            g->held = r;
            return true;
        }
        urgent |= record_is_urgent(r);
        if (out->count == 0)
            until_ms = group_until_ms(clock_boot_ms(), g->closed_ms, g->batch_wait_ms);
        out->records[out->count++] = r;
        inflight_storing(g->inflight, g->lane, r->flight);
        samples += samples_worth(r);
        bytes += r->len;
        wait_ms = 0;
    }
    return true;
}

bool group_gather(struct gatherer *g, struct group *out, int wait_ms)
{
    bool more = gather(g, out, wait_ms);

    if (out->count > 0)
        g->closed_ms = clock_boot_ms();
    return more;
}

void group_arrive(const struct group *g, struct inflight *f, enum inflight_lane lane)
{
    for (size_t i = 0; i < g->count; i++)
        inflight_storing(f, lane, g->records[i]->flight);
}

void group_drop(struct group *g, struct inflight *f, enum inflight_lane lane, bool stored,
                struct inhand *inhand)
{
    inflight_stored(f, lane, stored);
    for (size_t i = 0; i < g->count; i++) {
        inhand_drop(inhand, g->records[i]->hand);
        record_free(g->records[i]);
    }
    g->count = 0;
}
