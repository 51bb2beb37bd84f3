/* services/ingest/reach.c */
#include "reach.h"

/* Others are given the time that we were: after an outage of the broker all come back within a
 * moment, and the first of them need not take everything. */
static bool has_to_leave(const struct reach *r, int64_t now_ms)
{
    return !r->connected && r->helpers_at_ms != 0 && now_ms - r->since_ms >= REACH_CUT_MS &&
           now_ms - r->helpers_at_ms >= REACH_CUT_MS;
}

/* Whoever has just started takes its part at once: it may be one that was restarted. */
static bool may_come(const struct reach *r, const struct reach_others *others, int64_t now_ms)
{
    if (others->counted == 0 && (r->connected || others->connected == 0))
        return true; /* better than nobody */
    return r->connected && (!r->left || now_ms - r->since_ms >= REACH_STEADY_MS);
}

void reach_step(struct reach *r, bool connected, const struct reach_others *others, int64_t now_ms)
{
    if (connected != r->connected || r->since_ms == 0)
        r->since_ms = now_ms;
    r->connected = connected;
    if (others->connected == 0)
        r->helpers_at_ms = 0;
    else if (r->helpers_at_ms == 0)
        r->helpers_at_ms = now_ms;
    if (r->counts && has_to_leave(r, now_ms)) {
        r->counts = false;
        r->left = true;
    } else if (!r->counts && may_come(r, others, now_ms)) {
        r->counts = true;
    }
}
