/* services/ingest/facts/level.c - medians at rest. */
#include "level.h"

#include <math.h>
#include <string.h>

const struct level_settings level_defaults = LEVEL_DEFAULTS;

static int64_t reading_ms(const struct level_window *w, int i)
{
    return w->first_ms + w->after_ms[i];
}

static void drop_oldest(struct level_window *w)
{
    w->n--;
    memmove(w->after_ms, w->after_ms + 1, (size_t)w->n * sizeof *w->after_ms);
    memmove(w->percent, w->percent + 1, (size_t)w->n * sizeof *w->percent);
    w->first_ms += w->n > 0 ? w->after_ms[0] : 0;
    for (int i = w->n - 1; i >= 0; i--) /* a car may stand for weeks: times stay small */
        w->after_ms[i] -= w->after_ms[0];
}

static void keep(struct level_window *w, int64_t span_ms, int64_t t_ms, double percent)
{
    /* sixteen readings spread over the span: a faster gauge adds nothing */
    if (w->n > 0 && t_ms - reading_ms(w, w->n - 1) < span_ms / LEVEL_READINGS)
        return;
    while (w->n == LEVEL_READINGS || (w->n > 0 && t_ms - reading_ms(w, 0) > span_ms))
        drop_oldest(w);
    if (w->n == 0)
        w->first_ms = t_ms;
    w->after_ms[w->n] = (int32_t)(t_ms - w->first_ms);
    w->percent[w->n++] = (float)percent;
}

static double median(const struct level_window *w)
{
    float sorted[LEVEL_READINGS];

    for (int i = 0; i < w->n; i++) {
        int at = i;

        for (; at > 0 && sorted[at - 1] > w->percent[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = w->percent[i];
    }
    return w->n > 0 ? ((double)sorted[(w->n - 1) / 2] + (double)sorted[w->n / 2]) / 2 : (double)NAN;
}

double level_at_rest(const struct level *l)
{
    return l->any ? l->rest_percent : (double)NAN;
}

static void ignition(struct level *l, const struct level_settings *set, const struct seen *seen)
{
    if (seen->ignition != KNOWN_YES) {
        if (l->off_ms == 0)
            l->off_ms = seen->t_ms;
        return;
    }
    if (l->off_ms > 0 || l->on_ms == 0) {
        bool pause = l->off_ms > 0 && l->on_ms > 0 && seen->t_ms - l->off_ms >= set->flip_ms;

        if (pause) {
            l->waiting = l->any;
            l->before_percent = l->rest_percent;
            l->before_fresh = l->fresh;
            l->fresh = false;
            l->before_ms = l->off_ms;
            l->after_ms = seen->t_ms;
            l->window.n = l->road.n = 0;
        }
        if (pause || l->on_ms == 0)
            l->on_ms = seen->t_ms;
        l->off_ms = 0;
    }
}

static enum level_fact compare(struct level *l, const struct level_settings *set, double after)
{
    double change = after - l->before_percent;
    double litres = set->tank_l > 0 ? -change / 100 * set->tank_l : set->drop_l;

    l->after_percent = after;
    if (change >= set->rise_percent)
        return LEVEL_REFUEL;
    return l->before_fresh && -change >= set->drop_percent && litres >= set->drop_l ? LEVEL_DROP
                                                                                    : LEVEL_NONE;
}

/* Is the level after the pause known now? */
static bool settled(const struct level *l, const struct level_settings *set, int64_t t_ms)
{
    const struct level_window *w = &l->window;

    return w->n >= 3 && (w->after_ms[w->n - 1] - w->after_ms[0] >= set->median_ms * 3 / 4 ||
                         t_ms - l->after_ms >= set->to_ms);
}

/* ---- on the road */
/* Its first minutes, as near to the pause as can be: what is burnt later is not the pause's. */
static void keep_road(struct level *l, const struct level_settings *set, int64_t t_ms,
                      double percent)
{
    if (t_ms - l->after_ms >= set->from_ms && l->road.n < LEVEL_READINGS &&
        (l->road.n == 0 || t_ms - l->road.first_ms <= set->road_ms))
        keep(&l->road, set->road_ms, t_ms, percent);
}

/* It did not rest in time, or was turned off before it did: what does the road say? */
static enum level_fact judge_road(struct level *l, const struct level_settings *set,
                                  const struct seen *seen)
{
    const struct level_window *w = &l->road;
    bool off = l->off_ms > 0 && seen->t_ms - l->off_ms >= set->flip_ms;
    double after = median(w);

    if (!l->waiting || (!off && seen->t_ms - l->after_ms <= set->late_ms))
        return LEVEL_NONE;
    l->waiting = false;
    if (w->n < LEVEL_ROAD_LEAST || after - l->before_percent < set->road_percent)
        return LEVEL_NONE;
    l->after_percent = l->rest_percent = after; /* what the next pause began with, or more */
    return LEVEL_REFUEL;
}

enum level_fact level_step(struct level *l, const struct level_settings *set,
                           const struct seen *seen, double percent)
{
    bool known = percent >= 0 && percent <= 100;
    enum level_fact fact;
    bool rests;

    if (seen->t_ms <= l->t_ms)
        return LEVEL_NONE;
    l->t_ms = seen->t_ms;
    fact = judge_road(l, set, seen);
    if (fact != LEVEL_NONE)
        return fact; /* a pause that is over by now is seen in the next sample */
    ignition(l, set, seen);
    rests = seen->motion == MOTION_STANDING && !seen->going && seen->ignition == KNOWN_YES;
    if (!rests) {
        if (seen->motion == MOTION_MOVING) {
            l->window.n = 0;
            l->fresh = false; /* what is burnt on the road is no drop */
            if (l->waiting && known)
                keep_road(l, set, seen->t_ms, percent);
        }
        return LEVEL_NONE;
    }
    if (known && (!l->waiting || seen->t_ms - l->after_ms >= set->from_ms))
        keep(&l->window, set->median_ms, seen->t_ms, percent);
    if (l->waiting) {
        if (!settled(l, set, seen->t_ms))
            return LEVEL_NONE;
        fact = compare(l, set, median(&l->window));
        l->waiting = false;
    }
    if (l->window.n > 0) {
        l->rest_percent = median(&l->window);
        l->any = l->fresh = true;
    }
    return fact;
}
