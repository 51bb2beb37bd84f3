/* services/ingest/car/limits.c - an episode is an event once it has lasted, and again with all of
 * it when it is over: one row. */
#include "limits.h"

#include <math.h>
#include <stdio.h>

#include "proto/unfilled.h"

#define ZONES_MAX 16

static void tell(const struct overspeed_episode *e, bool over, const struct seen *seen,
                 struct car_out *out)
{
    struct found *f =
        car_out_add(out, FOUND_EVENT | FOUND_ALERT, "overspeed", e->start_ms, seen->t_ms);

    if (!f)
        return;
    if (e->placed) {
        f->lat = e->lat;
        f->lon = e->lon;
    }
    f->severity = overspeed_is_major(&overspeed_defaults, e) ? ALERT_MAJOR : ALERT_MINOR;
    if (over)
        (void)snprintf(f->data, sizeof f->data,
                       "{\"limit_kmh\":%.6g,\"peak_kmh\":%.6g,\"mean_kmh\":%.6g,\"above_ms\":%lld,"
                       "\"end\":%lld}",
                       e->limit_kmh, e->peak_kmh, e->mean_kmh, (long long)e->above_ms,
                       (long long)e->end_ms);
    else
        (void)snprintf(f->data, sizeof f->data, "{\"limit_kmh\":%.6g,\"peak_kmh\":%.6g}",
                       e->limit_kmh, e->peak_kmh);
}

void limits_step(struct overspeed *o, const struct limits_settings *set,
                 const struct fence_list *list, const struct fences *fences,
                 const struct seen *seen, struct car_out *out)
{
    double zones[ZONES_MAX] UNFILLED, limit;

    if (!speed_valid(seen->speed.kmh) || seen->speed.source == SPEED_LEG)
        return;
    if (o->now.start_ms == 0 && fences->n == 0 && isnan(set->vehicle_kmh) &&
        isnan(set->customer_kmh))
        return; /* no limit anywhere, as most of the time */
    limit = overspeed_limit(zones, fences_limits(fences, list, seen->t_ms, zones, ZONES_MAX),
                            (double)NAN, set->vehicle_kmh, set->customer_kmh);
    if (isnan(limit) && o->now.start_ms == 0)
        return;
    switch (overspeed_step(o, &overspeed_defaults, seen->t_ms, seen->speed.kmh, limit)) {
    case OVERSPEED_BEGAN:
        tell(&o->now, false, seen, out);
        break;
    case OVERSPEED_ENDED:
        tell(&o->ended, true, seen, out);
        (void)car_out_add(out, FOUND_END, "overspeed", o->ended.end_ms, seen->t_ms);
        break;
    case OVERSPEED_NONE:
        break;
    }
}
