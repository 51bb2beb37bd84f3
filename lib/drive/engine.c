/* lib/drive/engine.c - engine and ignition. */
#include "engine.h"

#include <math.h>

const struct engine_settings engine_defaults = {
    .running_rpm = 300,
    .answer_ms = 10000,
    .dongle_kmh = 8,
    .still_ms = 300000,
};

static enum known ignition_now(const struct engine *e, const struct engine_settings *set,
                               const struct engine_input *in)
{
    int64_t wait_ms = e->drove_silent ? set->still_ms : set->answer_ms;

    if (in->measured != KNOWN_NOT)
        return in->measured;
    if (e->ecu_ms > 0 && in->t_ms - e->ecu_ms <= set->answer_ms)
        return KNOWN_YES;
    if (e->silent_ms == 0)
        return KNOWN_NOT; /* no adapter: nobody to ask */
    if (e->ignition == KNOWN_NO || in->t_ms - e->silent_ms > wait_ms)
        return KNOWN_NO;
    return KNOWN_NOT;
}

/* How long the adapter has been there without an ECU behind it. */
static void silence(struct engine *e, const struct engine_settings *set,
                    const struct engine_input *in, bool answered)
{
    if (answered || !in->adapter_there) {
        e->silent_ms = 0;
        e->drove_silent = false;
        return;
    }
    if (e->silent_ms == 0)
        e->silent_ms = in->t_ms;
    if (e->ignition != KNOWN_NO && isfinite(in->gps_kmh) && in->gps_kmh >= set->dongle_kmh) {
        e->silent_ms = in->t_ms;
        e->drove_silent = true;
    }
}

static enum known running_now(const struct engine *e, const struct engine_settings *set,
                              const struct engine_input *in, enum known ignition, bool rpm_read)
{
    if (rpm_read)
        return in->rpm >= set->running_rpm ? KNOWN_YES : KNOWN_NO;
    if (ignition == KNOWN_NO)
        return KNOWN_NO;
    return e->rpm_ms > 0 && in->t_ms - e->rpm_ms <= set->answer_ms ? e->running : KNOWN_NOT;
}

static unsigned changes(struct engine *e, enum known ignition, enum known running)
{
    unsigned facts = 0;

    if (ignition != e->ignition) {
        e->ignition_since_ms = e->t_ms;
        facts |= ignition == KNOWN_YES  ? IGNITION_ON
                 : ignition == KNOWN_NO ? IGNITION_OFF
                                        : IGNITION_UNKNOWN;
    }
    if (running != e->running)
        e->running_since_ms = e->t_ms;
    if (running != KNOWN_NOT && running != e->was) {
        if (running == KNOWN_YES)
            facts |= ENGINE_STARTED;
        else if (e->was == KNOWN_YES)
            facts |= ENGINE_STOPPED;
        e->was = running;
    }
    e->ignition = ignition;
    e->running = running;
    return facts;
}

unsigned engine_step(struct engine *e, const struct engine_settings *set,
                     const struct engine_input *in)
{
    bool rpm_read = isfinite(in->rpm) && in->rpm >= 0;
    bool answered = rpm_read || in->ecu_answered;
    enum known ignition;

    if (in->t_ms <= e->t_ms)
        return 0;
    e->t_ms = in->t_ms;
    if (rpm_read)
        e->rpm_ms = in->t_ms;
    if (answered)
        e->ecu_ms = in->t_ms;
    silence(e, set, in, answered);
    ignition = ignition_now(e, set, in);
    return changes(e, ignition, running_now(e, set, in, ignition, rpm_read));
}
