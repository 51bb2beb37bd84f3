/* vehicle/timekeeper.c - see timekeeper.h. */
#include "timekeeper.h"

#include <stdlib.h>
#include <string.h>

void timekeeper_init(struct timekeeper *t)
{
    memset(t, 0, sizeof *t);
}

void timekeeper_fix(struct timekeeper *t, const struct fix *fix, int64_t boot_ms)
{
    if (fix->t_ms > 0 && llabs(fix->t_ms - fix->received_ms) <= TIMEKEEPER_AGREE_MS)
        t->vouched_boot_ms = boot_ms > 0 ? boot_ms : 1;
}

enum clock_source timekeeper_source(const struct timekeeper *t, int64_t now_ms, int64_t boot_ms,
                                    bool ntp_synced)
{
    if (t->vouched_boot_ms != 0 && boot_ms - t->vouched_boot_ms <= TIMEKEEPER_VOUCH_MS)
        return CLOCK_GPS;
    if (ntp_synced)
        return CLOCK_NTP;
    return now_ms >= TIMEKEEPER_FLOOR_MS ? CLOCK_RTC : CLOCK_NONE;
}

int64_t timekeeper_step(struct timekeeper *t, int64_t now_ms, int64_t boot_ms)
{
    int64_t offset = now_ms - boot_ms, step = t->started ? offset - t->offset_ms : 0;

    t->offset_ms = offset; /* slewing moves it by a hair each time: only a jump counts */
    t->started = true;
    return llabs(step) >= TIMEKEEPER_STEP_MS ? step : 0;
}
