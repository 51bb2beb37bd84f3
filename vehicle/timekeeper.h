/* vehicle/timekeeper.h - what our clock is worth, and whether somebody set it.  Pure. */
#ifndef VEHICLE_TIMEKEEPER_H
#define VEHICLE_TIMEKEEPER_H

#include <stdbool.h>

#include "inbox.h"
#include "proto/envelope.h"

#define TIMEKEEPER_FLOOR_MS 1767225600000 /* 2026-01-01: no clock of ours was right before */
#define TIMEKEEPER_AGREE_MS 2000  /* a receiver's time this near to ours vouches for it ... */
#define TIMEKEEPER_VOUCH_MS 60000 /* ... for so long */
#define TIMEKEEPER_STEP_MS 10000  /* wall and boot clock part by as much: the clock was set */

struct timekeeper {
    int64_t vouched_boot_ms; /* 0: never */
    int64_t offset_ms;       /* wall - boot, last time */
    bool started;
};

void timekeeper_init(struct timekeeper *t);

/* A fix arrived. */
void timekeeper_fix(struct timekeeper *t, const struct fix *fix, int64_t boot_ms);

/* gps if a receiver agrees, else ntp if the kernel says so, else rtc if the date is possible at
 * all, else none. */
enum clock_source timekeeper_source(const struct timekeeper *t, int64_t now_ms, int64_t boot_ms,
                                    bool ntp_synced);

/* By how much the clock was set since the last call; 0: it was not. */
int64_t timekeeper_step(struct timekeeper *t, int64_t now_ms, int64_t boot_ms);

#endif
