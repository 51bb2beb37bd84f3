/* services/ingest/facts/trail.c - a ring of fixes, and a few questions. */
#include "trail.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* As lround, without the call: what is cut off is exact. */
static int32_t packed(double degrees)
{
    double units = degrees * 1e7, rest;
    int32_t whole = (int32_t)units;

    rest = units - whole;
    return whole + (rest >= 0.5) - (rest <= -0.5);
}

void trail_add(struct trail *t, const struct fix *fix)
{
    struct trail_fix one = {fix->t_ms, packed(fix->lat), packed(fix->lon)};
    int64_t last = (t->next + TRAIL_FIXES - 1) % TRAIL_FIXES;

    t->newest = one;
    if (t->at[last].t_ms > 0 && one.t_ms / TRAIL_STEP_MS == t->at[last].t_ms / TRAIL_STEP_MS)
        return; /* the first of each span of the clock: the same wherever stepping began */
    t->at[t->next] = one;
    t->next = (t->next + 1) % TRAIL_FIXES;
}

static const struct trail_fix *nearer(const struct trail_fix *a, const struct trail_fix *b,
                                      int64_t t_ms)
{
    if (!a || a->t_ms == 0)
        return b;
    return b->t_ms > 0 && llabs(b->t_ms - t_ms) < llabs(a->t_ms - t_ms) ? b : a;
}

bool trail_place(const struct trail *t, int64_t t_ms, double *lat, double *lon, int64_t *off_ms)
{
    const struct trail_fix *best = &t->newest;

    for (int i = 0; i < TRAIL_FIXES; i++)
        best = nearer(best, &t->at[i], t_ms);
    if (best->t_ms == 0 || llabs(best->t_ms - t_ms) > TRAIL_WITHIN_MS)
        return false;
    *lat = best->lat / 1e7;
    *lon = best->lon / 1e7;
    *off_ms = llabs(best->t_ms - t_ms);
    return true;
}

void trail_ask(struct trail *t, const unsigned char id[16], int64_t t_ms)
{
    struct trail_ask *oldest = &t->asks[0];

    for (int i = 0; i < TRAIL_ASKS; i++) {
        if (t->asks[i].t_ms > 0 && !memcmp(t->asks[i].id, id, sizeof t->asks[i].id))
            return;
        if (t->asks[i].t_ms < oldest->t_ms)
            oldest = &t->asks[i];
    }
    oldest->t_ms = t_ms;
    memcpy(oldest->id, id, sizeof oldest->id);
}

bool trail_answer(struct trail *t, int64_t t_ms, bool placed, struct trail_ask *out)
{
    int64_t any = 0;

    for (int i = 0; i < TRAIL_ASKS; i++)
        any |= t->asks[i].t_ms;
    for (int i = 0; any && i < TRAIL_ASKS; i++) {
        struct trail_ask *a = &t->asks[i];

        if (a->t_ms == 0 || t_ms < a->t_ms || (!placed && t_ms - a->t_ms <= TRAIL_WITHIN_MS))
            continue;
        *out = *a;
        *a = (struct trail_ask){0};
        return true;
    }
    return false;
}
