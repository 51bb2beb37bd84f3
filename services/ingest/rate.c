/* services/ingest/rate.c - tokens come with time, and leave with each message. */
#include "rate.h"

#define REPORT_BYTES 128 /* some three codes, each with an event and maybe a case */

double rate_cost(enum leaf leaf, size_t len)
{
    return leaf == LEAF_DIAGNOSTICS ? 1 + (double)(len / REPORT_BYTES) : 1;
}

bool bucket_take(struct bucket *b, double cost, double per_s, double burst, int64_t now_ms)
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
    if (cost > burst)
        cost = burst;
    if (b->tokens < cost)
        return false;
    b->tokens -= cost;
    return true;
}
