/* services/ingest/rate.c - tokens come with time, one leaves with each message. */
#include "rate.h"

bool bucket_take(struct bucket *b, double per_s, double burst, int64_t now_ms)
{
    if (per_s <= 0)
        return true;
    if (b->filled_ms == 0)
        b->tokens = burst;
    else if (now_ms > b->filled_ms)
        b->tokens += (double)(now_ms - b->filled_ms) * per_s / 1000;
    if (b->tokens > burst)
        b->tokens = burst;
    b->filled_ms = now_ms;
    if (b->tokens < 1)
        return false;
    b->tokens -= 1;
    return true;
}
