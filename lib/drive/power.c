/* lib/drive/power.c - awake, draining, beating, down. */
#include "power.h"

const struct power_settings power_defaults = {
    .drain_ms = 900000,
    .grace_ms = 10000,
};

static enum power_mode next_mode(const struct power *p, const struct power_settings *set,
                                 const struct power_input *in)
{
    int64_t in_mode_ms = in->t_ms - p->since_ms;

    if (in->ignition != KNOWN_NO)
        return POWER_AWAKE;
    if (p->mode == POWER_DOWN || (p->mode == POWER_GRACE && in_mode_ms >= set->grace_ms))
        return POWER_DOWN;
    if (in->battery_empty)
        return POWER_GRACE;
    if (p->mode == POWER_BEATING)
        return POWER_BEATING;
    if (p->mode != POWER_DRAINING)
        return in->outbox_empty ? POWER_BEATING : POWER_DRAINING;
    return in->outbox_empty || in_mode_ms >= set->drain_ms ? POWER_BEATING : POWER_DRAINING;
}

bool power_step(struct power *p, const struct power_settings *set, const struct power_input *in)
{
    enum power_mode mode;

    if (in->t_ms <= p->t_ms)
        return false;
    p->t_ms = in->t_ms;
    mode = next_mode(p, set, in);
    if (mode != p->mode) {
        p->mode = mode;
        p->since_ms = in->t_ms;
        if (mode == POWER_BEATING)
            p->beat_ms = in->t_ms;
    }
    if (mode != POWER_BEATING || in->t_ms - p->beat_ms < in->heartbeat_ms)
        return false;
    p->beat_ms = in->t_ms;
    return true;
}
