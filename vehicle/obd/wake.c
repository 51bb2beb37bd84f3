/* vehicle/obd/wake.c - see wake.h. */
#include "wake.h"

#include <math.h>

void wake_init(struct wake *w, int64_t now_ms)
{
    w->looked_ms = now_ms;
    w->told_ms = 0;
    w->told_volts = w->lowest_volts = NAN;
}

bool wake_is_news(struct wake *w, int64_t now_ms, double volts)
{
    bool changed = isfinite(volts) &&
                   (!isfinite(w->told_volts) || fabs(volts - w->told_volts) >= WAKE_NEWS_V - 1e-9);

    if (w->told_ms != 0 && !changed && now_ms - w->told_ms < WAKE_TOLD_MS)
        return false;
    w->told_ms = now_ms > 0 ? now_ms : 1;
    w->told_volts = volts;
    return true;
}

bool wake_step(struct wake *w, int64_t now_ms, double volts, bool moving)
{
    int64_t since = now_ms - w->looked_ms;
    bool reason = moving;

    if (isfinite(volts)) {
        if (!isfinite(w->lowest_volts) || volts < w->lowest_volts)
            w->lowest_volts = volts;
        reason = reason || volts >= WAKE_CHARGING_V || volts - w->lowest_volts >= WAKE_STEP_V;
    } else {
        reason = reason || since >= WAKE_BLIND_MS;
    }
    if (!reason || since < WAKE_LOOK_MS)
        return false;
    w->looked_ms = now_ms;
    return true;
}
