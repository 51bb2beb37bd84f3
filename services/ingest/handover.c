/* services/ingest/handover.c */
#include "handover.h"

void handover_step(struct handover *h, bool held, bool facts, bool taken, int64_t now_ms)
{
    if (held) {
        *h = (struct handover){.receive = true, .history = true, .facts = facts};
        return;
    }
    if (!h->history)
        return;
    if (!taken && h->receive) { /* nobody else does it, or who began to is gone */
        h->taken_since_ms = 0;
        return;
    }
    if (h->taken_since_ms == 0)
        h->taken_since_ms = now_ms;
    if (now_ms - h->taken_since_ms >= HANDOVER_SETTLE_MS)
        h->receive = false;
    if (now_ms - h->taken_since_ms >= HANDOVER_DRAIN_MS)
        *h = (struct handover){0};
}

bool handover_is_alone(const struct handover *h)
{
    return h->facts && h->taken_since_ms == 0;
}
