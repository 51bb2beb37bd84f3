/* vehicle/timekeeper.h - what our clock is worth, whether somebody set it, and what to add to it.
 * Pure.
 *
 * A machine without a battery-backed clock starts anywhere: in 1970, or where it was switched off.
 * Until the time is known nothing is stamped (journal_hold), and our idea of it is never before
 * what must have passed already: the floor.  It becomes known when NTP keeps it, when a clock that
 * runs on while the machine is off says so, or when GPS does: at once if it agrees with ours, else
 * by three fixes in a row that agree with each other, where nobody else keeps the time.  A
 * receiver's date before the release or ten years after it is none (they are wrong by 1,024 weeks
 * at times). After TIMEKEEPER_HOLD_MS of not knowing what is held goes out as `none`. */
#ifndef VEHICLE_TIMEKEEPER_H
#define VEHICLE_TIMEKEEPER_H

#include <stdbool.h>

#include "inbox.h"
#include "proto/envelope.h"

#define TIMEKEEPER_FLOOR_MS 1767225600000   /* 2026-01-01: no clock of ours was right before */
#define TIMEKEEPER_CEILING_MS 2082758400000 /* 2036-01-01: nor will this release see that */
#define TIMEKEEPER_AGREE_MS 2000  /* a receiver's time this near to ours vouches for it ... */
#define TIMEKEEPER_VOUCH_MS 60000 /* ... for so long */
#define TIMEKEEPER_STEP_MS 10000  /* wall and boot clock part by as much: the clock was set */
#define TIMEKEEPER_HOLD_MS 600000 /* held at most so long */
#define TIMEKEEPER_FIXES 3        /* that agree before an unknown clock is set by them */

struct timekeeper_start {
    int64_t now_ms, boot_ms; /* the kernel's clocks */
    int64_t floor_ms;        /* newest stored sample, our certificate's beginning: it is later */
    bool has_rtc;            /* the machine has a clock that runs on while it is off */
    bool ntp_synced;
};

struct timekeeper {
    bool has_rtc;
    bool known;               /* since this start; stays */
    bool was_none;            /* the kernel's date was impossible at the start */
    int64_t began_ms;         /* boot time of the start */
    int64_t correction_ms;    /* to be added to the kernel's time: clock_correct() */
    int64_t vouched_boot_ms;  /* 0: never */
    int64_t floor_ms;         /* it is later, whatever the kernel says */
    int64_t kernel_offset_ms; /* the kernel's time - boot, last time */
    bool passed;
    int64_t offset_ms; /* our time - boot, last time */
    bool started;
    int fixes;               /* in a row that agree, and are not ours */
    int64_t fixes_offset_ms; /* receiver's time - boot of the one that came fastest */
};

void timekeeper_init(struct timekeeper *t, const struct timekeeper_start *start);

/* A fix arrived, received_ms by our corrected time; may change the correction. */
void timekeeper_fix(struct timekeeper *t, const struct fix *fix, bool ntp_synced);

/* On every tick, with the kernel's own time: may change `known`, and takes the correction back once
 * NTP keeps the kernel's clock, or somebody has set it (who keeps it is said some time after). */
void timekeeper_pass(struct timekeeper *t, int64_t kernel_ms, int64_t boot_ms, bool ntp_synced);

/* Must what is measured now wait for its time? */
bool timekeeper_holds(const struct timekeeper *t, int64_t boot_ms);

/* gps if a receiver agrees, else ntp if the kernel says so, else rtc if the time is known or a
 * clock runs on, else none. */
enum clock_source timekeeper_source(const struct timekeeper *t, int64_t now_ms, int64_t boot_ms,
                                    bool ntp_synced);

/* By how much our time was set since the last call; 0: it was not. */
int64_t timekeeper_step(struct timekeeper *t, int64_t now_ms, int64_t boot_ms);

#endif
