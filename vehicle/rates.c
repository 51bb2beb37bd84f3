/* vehicle/rates.c - see rates.h. */
#include "rates.h"

#define VOLTAGE_MS 10000 /* no ECU wakes from it, and an engine that starts is seen at once */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool is_watched(const struct rates_input *in)
{
    return in->mode != POWER_GRACE && in->mode != POWER_DOWN &&
           in->now_ms < in->config->watch_until_ms;
}

static int64_t fix_ms(const struct rates_input *in, bool watched)
{
    int64_t parked_ms = in->config->parked_ms > 0 ? in->config->parked_ms : RATES_PARKED_MS;

    if (in->mode == POWER_GRACE || in->mode == POWER_DOWN)
        return RATES_NEVER;
    if (watched || in->off_for_ms < RATES_ANCHOR_MS)
        return 0;
    return in->off_for_ms < RATES_SETTLED_MS ? least(parked_ms, in->heartbeat_ms)
                                             : in->heartbeat_ms;
}

struct rates rates_of(const struct rates_input *in)
{
    struct rates r = {.watched = is_watched(in)};
    int64_t watch_ms =
        in->config->watch_record_ms > 0 ? in->config->watch_record_ms : RATES_WATCH_MS;

    r.record_ms = in->config->record_ms > 0 ? in->config->record_ms : in->record_ms;
    if (r.watched)
        r.record_ms = least(r.record_ms, watch_ms);
    r.fix_ms = fix_ms(in, r.watched);
    r.voltage_ms = least(VOLTAGE_MS, in->heartbeat_ms);
    if (in->mode == POWER_GRACE || in->mode == POWER_DOWN ||
        (in->off_for_ms >= RATES_SETTLED_MS && !r.watched))
        r.voltage_ms = in->heartbeat_ms;
    return r;
}
