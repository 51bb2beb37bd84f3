/* vehicle/obd/scheduler.h - which PIDs the next polling round asks.  Pure: the time comes as an
 * argument. Fast ones every round, slow ones in turn, some rarely, some once a connection.  Engine
 * and vehicle speed come last, so that the round is over when its own time, that of the speed, is
 * taken. */
#ifndef VEHICLE_OBD_SCHEDULER_H
#define VEHICLE_OBD_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULER_ROUND_MAX 24
#define SCHEDULER_SLOW_MS 10000  /* each slow PID about this often */
#define SCHEDULER_RARE_MS 300000 /* codes and readiness (01) */
#define SCHEDULER_MISSES 3       /* NO DATA as often in a row: not asked again in this session */

struct scheduler {
    bool ask[256]; /* what is still asked */
    uint8_t misses[256];
    int64_t asked_ms[256]; /* boot time; 0 never */
    uint8_t fuel;          /* the one source of the fuel figure, 0 none */
    bool slow_gives_way;   /* the last round took longer than its period */
    uint32_t rounds;
};

/* `ask` as support_choose made it; forgets what was learnt. */
void scheduler_init(struct scheduler *s, const bool ask[256]);

/* The PIDs of the next round in the order in which to ask; returns how many. */
size_t scheduler_round(struct scheduler *s, int64_t now_ms, uint8_t out[SCHEDULER_ROUND_MAX]);

/* How a PID fared: answered, or nobody had it (three times and it is dropped), or refused for good.
 */
enum scheduler_verdict { SCHEDULER_ANSWERED, SCHEDULER_MISSED, SCHEDULER_REFUSED };
void scheduler_note(struct scheduler *s, uint8_t pid, enum scheduler_verdict verdict);

/* The round took `took_ms` of its `period_ms` (0: as fast as it goes). */
void scheduler_took(struct scheduler *s, int64_t took_ms, int64_t period_ms);

#endif
