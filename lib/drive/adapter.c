/* lib/drive/adapter.c - unplugged and back. */
#include "adapter.h"

#include "speed.h"

const struct adapter_settings adapter_defaults = {
    .gone_ms = 10000,
    .silent_ms = 10000,
    .drives_kmh = 8,
    .hole_ms = 15000,
};

enum adapter_fact adapter_step(struct adapter *a, const struct adapter_settings *set, int64_t t_ms,
                               bool adapter_there, bool ecu_answered, double gps_kmh)
{
    bool drives = speed_valid(gps_kmh) && gps_kmh >= set->drives_kmh;
    bool gone, mute;

    if (t_ms <= a->t_ms)
        return ADAPTER_NONE;
    a->t_ms = t_ms;
    a->seen = a->seen || adapter_there || ecu_answered;
    a->ecu_seen = a->ecu_seen || ecu_answered;
    gone = hold_step(&a->gone, a->seen && !adapter_there && !ecu_answered, t_ms, set->hole_ms) >=
           set->gone_ms;
    if (ecu_answered || speed_valid(gps_kmh)) /* a moment without a fix says nothing */
        (void)hold_step(&a->mute, a->ecu_seen && !ecu_answered && drives, t_ms, set->hole_ms);
    mute = a->mute.since_ms > 0 && a->mute.last_ms - a->mute.since_ms >= set->silent_ms;
    if (!a->unplugged && (gone || mute)) {
        a->unplugged = true;
        a->silent = !gone;
        a->since_ms = gone ? a->gone.since_ms : a->mute.since_ms;
        return ADAPTER_UNPLUGGED;
    }
    if (!a->unplugged || !(ecu_answered || (adapter_there && !a->silent)))
        return ADAPTER_NONE;
    a->unplugged = false;
    return ADAPTER_BACK;
}
