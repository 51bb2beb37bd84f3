/* lib/backoff.c - growing pauses with jitter between tries. */
#include "lib/backoff.h"

#include "lib/stop.h"
#include "lib/text.h"

/* `pause` +-20 %, so that a thousand clients of one server do not come back together. */
static int64_t with_jitter(int64_t pause_ms)
{
    uint32_t random;
    int64_t fifth = pause_ms / 5;

    text_random((unsigned char *)&random, sizeof random);
    pause_ms += (int64_t)(random % (uint64_t)(2 * fifth + 1)) - fifth;
    return pause_ms < 1 ? 1 : pause_ms;
}

int64_t backoff_next(struct backoff *b)
{
    int64_t pause_ms = b->next_ms > 0 ? b->next_ms : b->first_ms;

    if (pause_ms > b->last_ms)
        pause_ms = b->last_ms;
    if (pause_ms < 1)
        pause_ms = 1;
    b->next_ms = pause_ms > b->last_ms / 2 ? b->last_ms : pause_ms * 2;
    return with_jitter(pause_ms);
}

void backoff_reset(struct backoff *b)
{
    b->next_ms = 0;
}

bool backoff_wait(struct backoff *b)
{
    return stop_pause(backoff_next(b));
}
