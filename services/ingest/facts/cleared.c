/* services/ingest/facts/cleared.c - the latest values, each with when it was told first. */
#include "cleared.h"

#include <math.h>

void cleared_step(struct cleared *c, int64_t t_ms, double km)
{
    const struct cleared_value *last = &c->at[(c->next + CLEARED_VALUES - 1) % CLEARED_VALUES];

    if (!isfinite(km) || (last->t_ms > 0 && km >= last->km && km <= last->km))
        return;
    c->at[c->next] = (struct cleared_value){t_ms, km};
    c->next = (c->next + 1) % CLEARED_VALUES;
}

struct cleared_value cleared_at(const struct cleared *c, int64_t t_ms)
{
    struct cleared_value newest = {0};

    for (int i = 0; i < CLEARED_VALUES; i++)
        if (c->at[i].t_ms > newest.t_ms && c->at[i].t_ms <= t_ms)
            newest = c->at[i];
    return newest;
}

double cleared_km(const struct cleared *c, int64_t t_ms)
{
    struct cleared_value then = cleared_at(c, t_ms);

    return then.t_ms > 0 ? then.km : (double)NAN;
}
