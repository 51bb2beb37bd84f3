/* lib/drive/hold.c - runs of samples. */
#include "hold.h"

int64_t hold_step(struct hold *h, bool on, int64_t t_ms, int64_t hole_ms)
{
    if (!on) {
        *h = (struct hold){0};
        return -1;
    }
    if (h->since_ms == 0 || t_ms - h->last_ms > hole_ms)
        h->since_ms = t_ms;
    h->last_ms = t_ms;
    return t_ms - h->since_ms;
}
