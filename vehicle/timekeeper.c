/* vehicle/timekeeper.c - see timekeeper.h. */
#include "timekeeper.h"

#include <stdlib.h>
#include <string.h>

static bool is_possible(int64_t t_ms)
{
    return t_ms >= TIMEKEEPER_FLOOR_MS && t_ms < TIMEKEEPER_CEILING_MS;
}

static bool timekeeper_is_behind(const struct timekeeper *t, int64_t kernel_ms)
{
    return kernel_ms < t->floor_ms - TIMEKEEPER_AGREE_MS;
}

void timekeeper_init(struct timekeeper *t, const struct timekeeper_start *start)
{
    memset(t, 0, sizeof *t);
    t->has_rtc = start->has_rtc;
    t->began_ms = start->boot_ms;
    t->was_none = start->now_ms < TIMEKEEPER_FLOOR_MS;
    t->floor_ms = TIMEKEEPER_FLOOR_MS;
    if (is_possible(start->floor_ms) && start->floor_ms > t->floor_ms)
        t->floor_ms = start->floor_ms;
    /* a clock that somebody keeps may be behind what was stored: that was wrong then */
    if (t->was_none ||
        (!start->has_rtc && !start->ntp_synced && timekeeper_is_behind(t, start->now_ms)))
        t->correction_ms = t->floor_ms - start->now_ms;
}

void timekeeper_fix(struct timekeeper *t, const struct fix *fix, bool ntp_synced)
{
    int64_t boot_ms = fix->received_boot_ms, ours_ms = fix->received_ms - boot_ms;
    int64_t offset_ms = fix->t_ms - boot_ms, apart_ms = offset_ms - ours_ms;
    bool agrees;

    if (!is_possible(fix->t_ms)) {
        t->fixes = 0;
        return;
    }
    if (llabs(apart_ms) <= TIMEKEEPER_AGREE_MS) {
        t->vouched_boot_ms = boot_ms > 0 ? boot_ms : 1;
        t->known = true;
        t->fixes = 0;
        return;
    }
    if (ntp_synced || (t->has_rtc && !t->was_none))
        return; /* somebody keeps it: the receiver is wrong */
    agrees = t->fixes > 0 && llabs(offset_ms - t->fixes_offset_ms) <= TIMEKEEPER_AGREE_MS;
    t->fixes = agrees ? t->fixes + 1 : 1;
    if (!agrees || offset_ms > t->fixes_offset_ms)
        t->fixes_offset_ms = offset_ms; /* on its way here a fix can only have become older */
    if (t->fixes < TIMEKEEPER_FIXES)
        return;
    t->correction_ms += t->fixes_offset_ms - ours_ms;
    t->vouched_boot_ms = boot_ms > 0 ? boot_ms : 1;
    t->known = true;
    t->fixes = 0;
}

/* What was added to the clock before it was set has no meaning any more. */
static void timekeeper_kernel_set(struct timekeeper *t, int64_t kernel_ms)
{
    bool lifted = !t->known && timekeeper_is_behind(t, kernel_ms);

    t->correction_ms = lifted ? t->floor_ms - kernel_ms : 0;
}

void timekeeper_pass(struct timekeeper *t, int64_t kernel_ms, int64_t boot_ms, bool ntp_synced)
{
    int64_t offset_ms = kernel_ms - boot_ms;

    if (ntp_synced && is_possible(kernel_ms)) {
        t->correction_ms = 0;
        t->known = true;
    } else if (t->passed && llabs(offset_ms - t->kernel_offset_ms) >= TIMEKEEPER_STEP_MS) {
        timekeeper_kernel_set(t, kernel_ms);
    }
    t->kernel_offset_ms = offset_ms;
    t->passed = true;
    if (t->has_rtc && !t->was_none)
        t->known = true;
}

bool timekeeper_holds(const struct timekeeper *t, int64_t boot_ms)
{
    /* an impossible date waits from our start; a doubtful one from the machine's, which is when
     * others would have set it */
    int64_t since_ms = t->was_none ? t->began_ms : 0;

    return !t->known && boot_ms - since_ms < TIMEKEEPER_HOLD_MS;
}

enum clock_source timekeeper_source(const struct timekeeper *t, int64_t now_ms, int64_t boot_ms,
                                    bool ntp_synced)
{
    if (t->vouched_boot_ms != 0 && boot_ms - t->vouched_boot_ms <= TIMEKEEPER_VOUCH_MS)
        return CLOCK_GPS;
    if (ntp_synced)
        return CLOCK_NTP;
    return t->known && now_ms >= TIMEKEEPER_FLOOR_MS ? CLOCK_RTC : CLOCK_NONE;
}

int64_t timekeeper_step(struct timekeeper *t, int64_t now_ms, int64_t boot_ms)
{
    int64_t offset = now_ms - boot_ms, step = t->started ? offset - t->offset_ms : 0;

    t->offset_ms = offset; /* slewing moves it by a hair each time: only a jump counts */
    t->started = true;
    return llabs(step) >= TIMEKEEPER_STEP_MS ? step : 0;
}
