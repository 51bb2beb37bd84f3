/* vehicle/obd/scheduler.c - see scheduler.h. */
#include "scheduler.h"

#include <string.h>

/* In the order asked; the fuel source goes before them. */
static const uint8_t fast_pids[] = {0x04, 0x11, 0x0C, 0x0D};
static const uint8_t fuel_pids[] = {0x5E, 0x9D, 0x10, 0x66, 0x0B};
static const uint8_t slow_pids[] = {0x05, 0x67, 0x0F, 0x68, 0x2F, 0x42, 0x46, 0x5C, 0x33};
static const uint8_t once_pids[] = {0x13, 0x1C, 0x1D, 0x4F, 0x50, 0x51};

enum group { GROUP_FAST, GROUP_SLOW, GROUP_REST, GROUP_RARE, GROUP_ONCE, GROUP_NEVER };

static bool among(const uint8_t *list, size_t n, uint8_t pid)
{
    return memchr(list, pid, n) != NULL;
}

static enum group scheduler_group(const struct scheduler *s, uint8_t pid)
{
    if (pid % 0x20 == 0 || pid == 0x02 || pid == 0x41)
        return GROUP_NEVER; /* bitmaps and structures: read by the survey */
    if (pid == s->fuel || among(fast_pids, sizeof fast_pids, pid))
        return GROUP_FAST;
    if (pid == 0x01)
        return GROUP_RARE;
    if (among(slow_pids, sizeof slow_pids, pid))
        return GROUP_SLOW;
    return among(once_pids, sizeof once_pids, pid) ? GROUP_ONCE : GROUP_REST;
}

static void scheduler_choose_fuel(struct scheduler *s)
{
    s->fuel = 0;
    for (size_t i = 0; i < sizeof fuel_pids && s->fuel == 0; i++)
        if (s->ask[fuel_pids[i]])
            s->fuel = fuel_pids[i];
}

void scheduler_init(struct scheduler *s, const bool ask[256])
{
    memset(s, 0, sizeof *s);
    memcpy(s->ask, ask, sizeof s->ask);
    scheduler_choose_fuel(s);
}

/* The PID of a group that waited longest, at least `wait_ms`; 0 none. */
static uint8_t scheduler_oldest(const struct scheduler *s, enum group group, int64_t now_ms,
                                int64_t wait_ms)
{
    uint8_t best = 0;

    for (unsigned pid = 1; pid < 256; pid++) {
        if (!s->ask[pid] || scheduler_group(s, (uint8_t)pid) != group)
            continue;
        if (s->asked_ms[pid] != 0 && now_ms - s->asked_ms[pid] < wait_ms)
            continue;
        if (best == 0 || s->asked_ms[pid] < s->asked_ms[best])
            best = (uint8_t)pid;
    }
    return best;
}

size_t scheduler_round(struct scheduler *s, int64_t now_ms, uint8_t out[SCHEDULER_ROUND_MAX])
{
    /* even a slow adapter gets to the slow ones now and then, or the coolant would never be read */
    bool give_way = s->slow_gives_way && s->rounds % 4 != 0;
    uint8_t turn[4] = {0};
    size_t n = 0;

    if (!give_way) {
        turn[0] = scheduler_oldest(s, GROUP_ONCE, now_ms, INT64_MAX);
        turn[1] = scheduler_oldest(s, GROUP_RARE, now_ms, SCHEDULER_RARE_MS);
        turn[2] = scheduler_oldest(s, GROUP_SLOW, now_ms, SCHEDULER_SLOW_MS / 2);
        turn[3] = scheduler_oldest(s, GROUP_REST, now_ms, SCHEDULER_SLOW_MS / 2);
    }
    for (size_t i = 0; i < sizeof turn; i++)
        if (turn[i] != 0)
            out[n++] = turn[i];
    if (s->fuel != 0 && s->ask[s->fuel])
        out[n++] = s->fuel;
    for (size_t i = 0; i < sizeof fast_pids; i++)
        if (s->ask[fast_pids[i]] && fast_pids[i] != s->fuel)
            out[n++] = fast_pids[i];
    for (size_t i = 0; i < n; i++)
        s->asked_ms[out[i]] = now_ms > 0 ? now_ms : 1;
    s->rounds++;
    return n;
}

void scheduler_note(struct scheduler *s, uint8_t pid, enum scheduler_verdict verdict)
{
    if (verdict == SCHEDULER_ANSWERED) {
        s->misses[pid] = 0;
        return;
    }
    if (pid == 0x0C || pid == 0x0D)
        return; /* offered, so never given up: they tell when the car wakes and moves */
    if (verdict == SCHEDULER_MISSED && ++s->misses[pid] < SCHEDULER_MISSES)
        return;
    s->ask[pid] = false;
    if (pid == s->fuel)
        scheduler_choose_fuel(s);
}

void scheduler_took(struct scheduler *s, int64_t took_ms, int64_t period_ms)
{
    s->slow_gives_way = took_ms > (period_ms > 0 ? period_ms : 1000);
}
