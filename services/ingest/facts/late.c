/* services/ingest/facts/late.c - in order, waiting, late. */
#include "late.h"

const struct late_settings late_defaults = {
    .patience_ms = 600000,
    .settle_ms = 30000,
    .longest_ms = (int64_t)60 * 86400000,
};

enum order_verdict order_take(struct order *o, int64_t seq, int64_t now_ms)
{
    if (seq <= o->upto)
        return ORDER_LATE;
    if (seq > o->upto + 1) {
        if (!o->waits)
            o->progress_ms = now_ms;
        o->waits = true;
        return ORDER_WAIT;
    }
    o->upto = seq;
    o->progress_ms = now_ms;
    o->waits = false; /* until the next that does not follow says so */
    return ORDER_NOW;
}

bool order_pass(struct order *o, const struct late_settings *set, int64_t next, bool lost,
                int64_t now_ms)
{
    if (next <= o->upto + 1)
        return next == o->upto + 1;
    if (!lost && now_ms - o->progress_ms < set->patience_ms)
        return false;
    o->upto = next - 1;
    o->progress_ms = now_ms;
    return true;
}

void late_take(struct late *l, int64_t first_ms, int64_t last_ms, int64_t now_ms)
{
    if (l->earliest_ms == 0 || first_ms < l->earliest_ms)
        l->earliest_ms = first_ms;
    if (last_ms > l->latest_ms)
        l->latest_ms = last_ms;
    l->batch_ms = now_ms;
}

bool late_due(const struct late *l, const struct late_settings *set, int64_t now_ms)
{
    return l->earliest_ms > 0 && now_ms - l->batch_ms >= set->settle_ms;
}

static bool lies_over(const struct segment *s)
{
    return s->kind == SEGMENT_IDLE || s->kind == SEGMENT_LAPSE;
}

bool late_window(const struct late *l, const struct late_settings *set, const struct segment *rows,
                 size_t n, int64_t now_ms, int64_t *from_ms, int64_t *to_ms)
{
    int64_t oldest_ms = now_ms - set->longest_ms;
    int64_t from = l->earliest_ms, to = l->latest_ms;
    int64_t before_ms = 0, here_ms = 0; /* starts of the last two segments up to the earliest */
    bool past = false;

    if (l->earliest_ms == 0 || l->latest_ms < oldest_ms)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (lies_over(&rows[i]))
            continue;
        if (rows[i].start_ms <= l->earliest_ms) {
            before_ms = here_ms > 0 ? here_ms : rows[i].start_ms;
            here_ms = rows[i].start_ms;
        }
        if (rows[i].end_ms <= l->latest_ms || past)
            continue;
        to = rows[i].end_ms; /* the one it lies in, then the one after */
        past = rows[i].start_ms > l->latest_ms;
    }
    from = before_ms > 0 ? before_ms : from;
    *from_ms = from > oldest_ms ? from : oldest_ms;
    *to_ms = to;
    return true;
}
