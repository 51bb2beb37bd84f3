/* lib/backoff.h - growing pauses with jitter between tries.  Pure but for the jitter's random
 * number. */
#ifndef LIB_BACKOFF_H
#define LIB_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

struct backoff {
    int64_t first_ms, last_ms; /* the first pause and the longest */
    int64_t next_ms;           /* 0: not begun */
};

#define BACKOFF_START                                                                              \
    {                                                                                              \
        250, 8000, 0                                                                               \
    }

/* The next pause in ms: doubles from first_ms to last_ms, each +-20 % (never below 1). */
int64_t backoff_next(struct backoff *b);
void backoff_reset(struct backoff *b); /* a try went well */
/* Sleep for the next pause; false when stop was asked for meanwhile (lib/stop). */
bool backoff_wait(struct backoff *b);

#endif
