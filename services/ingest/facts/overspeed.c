/* services/ingest/facts/overspeed.c - episodes. */
#include "overspeed.h"

#include <math.h>

const struct overspeed_settings overspeed_defaults = {
    .share = 1.05,
    .slack_kmh = 3,
    .pause_ms = 5000,
    .least_ms = 10000,
    .hole_ms = 15000,
    .major_share = 1.2,
};

double overspeed_limit(const double *zones_kmh, size_t zones, double road_kmh, double vehicle_kmh,
                       double customer_kmh)
{
    double limit_kmh = (double)NAN;

    for (size_t i = 0; i < zones; i++)
        limit_kmh = fmin(limit_kmh, zones_kmh[i]); /* fmin passes over NaN */
    limit_kmh = isnan(limit_kmh) ? road_kmh : limit_kmh;
    limit_kmh = isnan(limit_kmh) ? vehicle_kmh : limit_kmh;
    return isnan(limit_kmh) ? customer_kmh : limit_kmh;
}

bool overspeed_is_major(const struct overspeed_settings *set, const struct overspeed_episode *e)
{
    return e->peak_kmh >= e->limit_kmh * set->major_share;
}

static struct overspeed_run run_of(const struct overspeed *o)
{
    return (struct overspeed_run){o->now, o->below_ms, o->way, o->way_pause, o->above};
}

static void run_set(struct overspeed *o, const struct overspeed_run *r)
{
    o->now = r->now;
    o->below_ms = r->below_ms;
    o->way = r->way;
    o->way_pause = r->way_pause;
    o->above = r->above;
}

/* The one under way is over; what ran beside it takes its place. */
static bool finish(struct overspeed *o, const struct overspeed_settings *set, int64_t end_ms)
{
    bool told = o->told || o->now.above_ms >= set->least_ms;
    struct overspeed_run next = o->next;

    if (told) {
        o->now.end_ms = end_ms;
        o->now.mean_kmh =
            end_ms > o->now.start_ms ? o->way / (double)(end_ms - o->now.start_ms) : o->kmh;
        o->ended = o->now;
    }
    run_set(o, &next);
    o->next = (struct overspeed_run){0};
    o->told = false;
    return told;
}

static void extend(struct overspeed_run *r, const struct overspeed *o, int64_t t_ms, double kmh,
                   double limit_kmh, bool above)
{
    double way = (o->kmh + kmh) / 2 * (double)(t_ms - o->t_ms);

    if (r->now.start_ms == 0) {
        r->now =
            (struct overspeed_episode){.start_ms = t_ms, .limit_kmh = limit_kmh, .peak_kmh = kmh};
    } else if (r->above) {
        r->now.above_ms += t_ms - o->t_ms;
        r->way += way;
    } else {
        r->way_pause += way;
    }
    r->above = above;
    if (!above) {
        r->below_ms = r->below_ms > 0 ? r->below_ms : t_ms;
        return;
    }
    r->way += r->way_pause;
    r->way_pause = 0;
    r->below_ms = 0;
    r->now.peak_kmh = fmax(r->now.peak_kmh, kmh);
}

/* A speed against the limit of the one under way, or against another one: that interrupts it. */
static void take(struct overspeed *o, int64_t t_ms, double kmh, double limit_kmh, bool above)
{
    bool other = o->now.start_ms > 0 && limit_kmh != o->now.limit_kmh;
    struct overspeed_run now = run_of(o);

    if (now.now.start_ms > 0 || above) {
        extend(&now, o, t_ms, kmh, limit_kmh, above && !other);
        run_set(o, &now);
    }
    if (!other || limit_kmh != o->next.now.limit_kmh)
        o->next = (struct overspeed_run){0};
    if (other && (o->next.now.start_ms > 0 || above))
        extend(&o->next, o, t_ms, kmh, limit_kmh, above);
}

bool overspeed_tick(struct overspeed *o, const struct overspeed_settings *set, int64_t now_ms)
{
    if (o->now.start_ms == 0 || now_ms - o->t_ms <= set->hole_ms)
        return false;
    o->next = (struct overspeed_run){0};
    return finish(o, set, o->below_ms > 0 ? o->below_ms : o->t_ms);
}

enum overspeed_fact overspeed_step(struct overspeed *o, const struct overspeed_settings *set,
                                   int64_t t_ms, double kmh, double limit_kmh)
{
    bool above = kmh > fmax(limit_kmh * set->share, limit_kmh + set->slack_kmh);
    bool ended;

    if (t_ms <= o->t_ms || !isfinite(kmh))
        return OVERSPEED_NONE;
    above = above && limit_kmh > 0;
    ended = overspeed_tick(o, set, t_ms);
    if (o->now.start_ms > 0 && o->below_ms > 0 && t_ms - o->below_ms >= set->pause_ms)
        ended = finish(o, set, o->below_ms) || ended;
    take(o, t_ms, kmh, limit_kmh, above);
    o->t_ms = t_ms;
    o->kmh = kmh;
    if (ended)
        return OVERSPEED_ENDED;
    if (!o->told && o->now.start_ms > 0 && o->now.above_ms >= set->least_ms) {
        o->told = true;
        return OVERSPEED_BEGAN;
    }
    return OVERSPEED_NONE;
}
