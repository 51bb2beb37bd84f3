/* vehicle/agent_clock.c - the timekeeper's verdicts carried out: the correction, what waits for its
 * time, what was measured before it came.  Other threads stamp what they bring by the boot clock,
 * which nobody sets; here it is dated.  See agent_inside.h. */
#include "agent_inside.h"

#include <stdio.h>
#include <stdlib.h>

#include "identity.h"
#include "kept_clock.h"
#include "lib/clock.h"
#include "lib/log.h"

#define CLOCK_HAIR_MS 200 /* less than that is slewing */

void agent_clock_begin(struct agent *a)
{
    struct timekeeper_start start = {.now_ms = clock_now_ms(),
                                     .boot_ms = clock_boot_ms(),
                                     .floor_ms = a->sampler.last_ms,
                                     .has_rtc = kept_clock_there(),
                                     .ntp_synced = kept_clock_by_ntp()};
    int64_t from_ms;

    /* it was given to us in a time that was known */
    if (identity_valid_from(&from_ms, a->set->cert) == ST_OK && from_ms > start.floor_ms)
        start.floor_ms = from_ms;
    timekeeper_init(&a->timekeeper, &start);
    clock_correct(a->timekeeper.correction_ms);
    a->clock_offset_ms = clock_now_ms() - start.boot_ms;
    (void)timekeeper_step(&a->timekeeper, clock_now_ms(), start.boot_ms);
    agent_watch_clock(a);
    if (a->timekeeper.correction_ms != 0)
        log_warn("clock.unset", "kernel=%lld from=%lld", (long long)start.now_ms,
                 (long long)clock_now_ms());
}

/* What is dated and not written yet moves with the clock; what is still going on ends with the
 * old one. */
static void agent_shift(struct agent *a, int64_t step_ms)
{
    watcher_flush(a->watcher);
    sampler_shift(&a->sampler, step_ms);
    journal_shift(a->journal, step_ms);
    if (privacy_shift(&a->privacy, step_ms))
        agent_keep_privacy(a);
}

static void agent_clock_set(struct agent *a, int64_t now_ms, int64_t step_ms)
{
    char data[96];

    sampler_clock_set(&a->sampler);
    watcher_clock_set(a->watcher);
    privacy_clock_set(&a->privacy);
    snprintf(data, sizeof data, "{\"from\":%lld,\"to\":%lld}", (long long)(now_ms - step_ms),
             (long long)now_ms);
    agent_event(a, "clock_set", data);
    log_warn("clock.set", "step_ms=%lld", (long long)step_ms);
}

void agent_watch_clock(struct agent *a)
{
    struct timekeeper *t = &a->timekeeper;
    bool held = journal_is_held(a->journal);
    bool by_ntp = kept_clock_by_ntp(); /* asked first: what it vouches for is what is read next */
    int64_t boot_ms, now_ms, moved_ms, step_ms;

    clock_kernel_ms(&now_ms, &boot_ms);
    timekeeper_pass(t, now_ms, boot_ms, by_ntp);
    clock_correct(t->correction_ms);
    now_ms += t->correction_ms;
    moved_ms = now_ms - boot_ms - a->clock_offset_ms;
    a->clock_offset_ms = now_ms - boot_ms;
    if (llabs(moved_ms) > CLOCK_HAIR_MS)
        agent_shift(a, moved_ms);
    if ((step_ms = timekeeper_step(t, now_ms, boot_ms)) != 0)
        agent_clock_set(a, now_ms, step_ms);
    a->clock_is = timekeeper_source(t, now_ms, boot_ms, by_ntp);
    journal_hold(a->journal, timekeeper_holds(t, boot_ms));
    if (held && !journal_is_held(a->journal)) {
        log_info("clock.known", "source=%s", clock_name(a->clock_is));
        a->urgent = true;
    }
}

int64_t agent_date(const struct agent *a, int64_t boot_ms)
{
    return boot_ms + a->clock_offset_ms;
}
