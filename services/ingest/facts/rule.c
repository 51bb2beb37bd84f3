/* services/ingest/facts/rule.c - conditions that hold for a while. */
#include "rule.h"

#include <math.h>
#include <string.h>

#define HOLE_MS 30000       /* a steady value is told every 25 s at least */
#define HOLE_TIMES 3        /* as long as usual */
#define USUAL_MOST_MS 60000 /* what is further apart than that was a pause */

bool rule_covers(const struct rule *r, const char *customer, const char *group, const char *vin)
{
    return !strcmp(r->customer, customer) && (!r->group[0] || !strcmp(r->group, group)) &&
           (!r->vin[0] || !strcmp(r->vin, vin));
}

/* Hysteresis: once true it stays so until the value has come back to `release`. */
static bool holds(const struct rule *r, double value, bool was)
{
    double back = was ? fabs(r->release) : 0;

    switch (r->test) {
    case RULE_ABOVE:
        return value > r->threshold - back;
    case RULE_BELOW:
        return value < r->threshold + back;
    case RULE_EQUAL:
        return value == r->threshold;
    default:
        return value != r->threshold;
    }
}

/* It has been true long enough: is it often enough, too? */
static bool counts(struct rule_state *s, const struct rule *r)
{
    int needed = r->repeat < 1 ? 1 : r->repeat > RULE_REPEAT_MAX ? RULE_REPEAT_MAX : r->repeat;
    int keep = 0;

    for (int i = 0; i < s->n; i++)
        if (r->repeat_ms <= 0 || s->since_ms - s->times[i] <= r->repeat_ms)
            s->times[keep++] = s->times[i];
    if (keep == RULE_REPEAT_MAX)
        memmove(s->times, s->times + 1, (size_t)--keep * sizeof *s->times);
    s->times[keep++] = s->since_ms;
    s->n = keep;
    return keep >= needed;
}

/* Has nobody seen it for too long?  Values of a car that asks for many are further apart. */
static bool is_hole(const struct rule_state *s, const struct rule *r, int64_t apart_ms)
{
    int64_t hole_ms = HOLE_TIMES * s->usual_ms;

    if (r->hole_ms > 0)
        return apart_ms > r->hole_ms;
    return apart_ms > (hole_ms > HOLE_MS ? hole_ms : HOLE_MS);
}

static void note_spacing(struct rule_state *s, int64_t apart_ms)
{
    if (s->t_ms == 0 || apart_ms > USUAL_MOST_MS)
        return;
    s->usual_ms = s->usual_ms == 0 ? apart_ms : s->usual_ms + (apart_ms - s->usual_ms) / 4;
}

enum rule_fact rule_step(struct rule_state *s, const struct rule *r, int64_t t_ms, double value,
                         bool in_zone, int offset_min)
{
    bool here, on;

    if (t_ms <= s->t_ms || !isfinite(value))
        return RULE_NONE;
    if (s->since_ms > 0 && !s->raised && is_hole(s, r, t_ms - s->t_ms))
        s->since_ms = 0;
    here = r->place == RULE_ANYWHERE || (r->place == RULE_INSIDE) == in_zone;
    on = here && schedule_holds(&r->schedule, t_ms, offset_min) && holds(r, value, s->since_ms > 0);
    note_spacing(s, t_ms - s->t_ms);
    s->t_ms = t_ms;
    if (!on) {
        bool ends = s->raised;

        s->since_ms = 0;
        s->counted = s->raised = false;
        if (ends)
            s->n = 0;
        return ends ? RULE_ENDED : RULE_NONE;
    }
    if (s->since_ms == 0)
        s->since_ms = t_ms;
    if (s->counted || t_ms - s->since_ms < r->duration_ms)
        return RULE_NONE;
    s->counted = true;
    if (!counts(s, r))
        return RULE_NONE;
    s->raised = true;
    s->raised_ms = s->since_ms;
    return RULE_RAISED;
}
