/* services/ingest/facts/wall.c - the last change before a moment. */
#include "wall.h"

#include <stddef.h>

int wall_ahead_min(const struct wall *w, int64_t t_ms)
{
    int64_t i = 0;

    if (w == NULL || w->n == 0)
        return 0;
    while (i + 1 < w->n && w->from_ms[i + 1] <= t_ms)
        i++;
    return w->ahead_min[i];
}
