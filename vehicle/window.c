/* vehicle/window.c - see window.h. */
#include "window.h"

#include <string.h>

void window_init(struct window *w, int64_t limit_bytes, int64_t reserve_bytes)
{
    memset(w, 0, sizeof *w);
    w->limit_bytes = limit_bytes;
    w->reserve_bytes = reserve_bytes;
    w->fresh = w->back = 1;
}

void window_restart(struct window *w, int64_t given, bool insist)
{
    w->fresh = given > 0 ? given : 1; /* the newest one first */
    w->back = 1;
    w->insist = insist;
    w->bytes = 0;
    w->count = 0;
}

/* Where `seq` is, or would be. */
static size_t window_place(const struct window *w, int64_t seq)
{
    size_t low = 0, high = w->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (w->flights[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The lowest number >= from that is worth sending and not under way. */
static int64_t window_wanted(const struct window *w, const struct ledger *l, int64_t from,
                             bool insist)
{
    int64_t seq = from;
    size_t at;

    for (;;) {
        seq = insist ? ledger_next_unsettled(l, seq) : ledger_next_unheard(l, seq);
        at = window_place(w, seq);
        if (at == w->count || w->flights[at].seq != seq)
            return seq;
        while (at < w->count && w->flights[at].seq == seq)
            at++, seq++;
    }
}

bool window_next(struct window *w, const struct ledger *l, int64_t given, bool backlog,
                 struct window_pick *out)
{
    w->fresh = window_wanted(w, l, w->fresh, w->insist);
    if (w->fresh <= given) {
        *out = (struct window_pick){w->fresh, false};
        return true;
    }
    w->fresh = given + 1;
    if (!backlog)
        return false;
    w->back = window_wanted(w, l, w->back, w->insist);
    if (w->back > given) {
        w->back = given + 1;
        w->insist = false; /* one pass is enough; the next when there is no word again */
        return false;
    }
    *out = (struct window_pick){w->back, true};
    return true;
}

void window_skip(struct window *w, const struct window_pick *pick, int64_t next)
{
    if (pick->backlog)
        w->back = next;
    else
        w->fresh = next;
}

bool window_fits(const struct window *w, const struct window_pick *pick, int64_t bytes)
{
    int64_t limit = pick->backlog ? w->limit_bytes - w->reserve_bytes : w->limit_bytes;

    if (w->count >= (pick->backlog ? WINDOW_BACKLOG_MAX : WINDOW_FLIGHTS_MAX))
        return false;
    return w->count == 0 || w->bytes + bytes <= limit; /* one goes, however large */
}

void window_sent(struct window *w, const struct window_pick *pick, int64_t bytes)
{
    size_t at = window_place(w, pick->seq);

    memmove(w->flights + at + 1, w->flights + at, (w->count - at) * sizeof w->flights[0]);
    w->flights[at] = (struct flight){pick->seq, ++w->order, bytes};
    w->count++;
    w->bytes += bytes;
    window_skip(w, pick, pick->seq + 1);
}

size_t window_heard(struct window *w, const struct ledger *l)
{
    size_t kept = 0, lost = 0;
    int64_t newest = 0;

    for (size_t i = 0; i < w->count; i++)
        if (ledger_is_heard(l, w->flights[i].seq) && w->flights[i].order > newest)
            newest = w->flights[i].order;
    for (size_t i = 0; i < w->count; i++) {
        struct flight f = w->flights[i];

        if (ledger_is_heard(l, f.seq)) {
            w->bytes -= f.bytes;
        } else if (f.order < newest) { /* one connection keeps order: it was passed over */
            w->bytes -= f.bytes;
            lost++;
            if (f.seq < w->back)
                w->back = f.seq;
        } else {
            w->flights[kept++] = f;
        }
    }
    w->count = kept;
    return lost;
}

void bucket_init(struct bucket *b, double per_s, double burst, int64_t now_ms)
{
    *b = (struct bucket){burst, burst, per_s, now_ms};
}

bool bucket_has(struct bucket *b, int64_t now_ms)
{
    if (now_ms > b->last_ms)
        b->tokens += (double)(now_ms - b->last_ms) / 1000 * b->per_s;
    if (b->tokens > b->burst)
        b->tokens = b->burst;
    b->last_ms = now_ms;
    return b->tokens >= 1;
}

void bucket_take(struct bucket *b)
{
    b->tokens -= 1;
}
