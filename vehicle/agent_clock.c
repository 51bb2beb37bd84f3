/* vehicle/agent_clock.c - the timekeeper's verdicts carried out: the correction, what waits for its
 * time, what was measured before it came.  See agent_inside.h. */
#include "agent_inside.h"

#include <stdio.h>
#include <stdlib.h>

#include "identity.h"
#include "kept_clock.h"
#include "lib/clock.h"
#include "lib/log.h"

#define CLOCK_LATE_MS 10000 /* so long after a step notes may come that were stamped before it */
#define CLOCK_HAIR_MS 200   /* less than that is slewing */

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

/* What waits for its time gets it; what is still going on ends with the old clock. */
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
    int64_t boot_ms = clock_boot_ms(), now_ms, moved_ms, step_ms;

    timekeeper_pass(t, clock_now_ms(), boot_ms, kept_clock_by_ntp());
    clock_correct(t->correction_ms);
    now_ms = clock_now_ms();
    moved_ms = now_ms - boot_ms - a->clock_offset_ms;
    a->clock_offset_ms = now_ms - boot_ms;
    if (llabs(moved_ms) > CLOCK_HAIR_MS) {
        a->clock_moved_ms = moved_ms;
        a->clock_moved_boot_ms = boot_ms;
        if (held)
            agent_shift(a, moved_ms);
    }
    if ((step_ms = timekeeper_step(t, now_ms, boot_ms)) != 0)
        agent_clock_set(a, now_ms, step_ms);
    journal_hold(a->journal, timekeeper_holds(t, boot_ms));
    if (held && !journal_is_held(a->journal)) {
        log_info("clock.known", "source=%s",
                 clock_name(timekeeper_source(t, now_ms, boot_ms, kept_clock_by_ntp())));
        a->urgent = true;
    }
}

/* A note that was under way when the clock moved was stamped by the old one. */
int64_t agent_mend_time(const struct agent *a, int64_t t_ms)
{
    int64_t now_ms = clock_now_ms(), moved_ms = a->clock_moved_ms;

    if (t_ms == 0 || moved_ms == 0 || clock_boot_ms() - a->clock_moved_boot_ms > CLOCK_LATE_MS)
        return t_ms;
    return llabs(t_ms + moved_ms - now_ms) < llabs(t_ms - now_ms) ? t_ms + moved_ms : t_ms;
}
