/* vehicle/sampler.h - fixes and polling rounds become samples.  Pure: the time comes as an
 * argument. Each fix and each round is a sample of its own with its own time; nothing is shifted to
 * be merged.  Times are strictly increasing (the series key is vehicle and time): samples wait a
 * moment, are put in order, and a tie costs the later one a millisecond.  Values are rounded to
 * what the signal keeps; those that say nothing new are left out (deadband.h).  Facts (moving,
 * engine, supply) are derived here and go with the round. */
#ifndef VEHICLE_SAMPLER_H
#define VEHICLE_SAMPLER_H

#include "deadband.h"
#include "inbox.h"

#define SAMPLER_PENDING_MAX                                                                        \
    1300 /* samples kept while the disk takes none or the time is not known: ten minutes of        \
            rounds and fixes, the oldest go first */
#define SAMPLER_SETTLE_MS 300 /* a sample may come in that much out of order */
#define SAMPLER_STEP_MS                                                                            \
    10000 /* earlier than the last by more: the clock was set back, not a late sample */
#define SAMPLER_GPS_TRUST_MS 600000 /* GPS time is taken when within ten minutes of ours */
#define SAMPLER_OBD_FRESH_MS 3000   /* so long a speed of the car's own keeps the receiver's out */
#define SAMPLER_MOVING_GPS_KMH                                                                     \
    8 /* the bus sleeps and the car moves: the supply's state is unknown, not off */

struct planned {
    int64_t t_ms;
    bool dated; /* by the receiver: our clock may move, it does not */
    uint16_t count;
    struct reading readings[ROUND_READINGS_MAX + 4];
};

struct sampler {
    int64_t last_ms;       /* time of the newest sample that got its final time */
    int64_t last_fix_ms;   /* receiver's time of the last fix */
    int64_t obd_speed_ms;  /* when the car last told its speed; 0 never */
    int64_t gps_moving_ms; /* when GPS last saw it move at speed; 0 never */
    int64_t fix_ms;        /* between two samples of fixes of a car that does not move */
    int64_t paced_ms;      /* when the last such was received; 0: the next one is a sample */
    bool standing;
    int fast_in_a_row;
    size_t count, ready; /* pending[0 .. ready) have their final times */
    uint64_t dropped;
    struct deadband deadband;
    struct planned pending[SAMPLER_PENDING_MAX];
};

void sampler_init(struct sampler *s,
                  int64_t last_ms); /* time of the newest stored sample, 0 none */

void sampler_fix(struct sampler *s, const struct fix *fix);
void sampler_round(struct sampler *s, const struct round *round);

/* Give the samples that have settled (or all, at the end) their final times; they are pending[0 ..
 * result) in order. */
size_t sampler_settle(struct sampler *s, int64_t now_ms, bool all);

void sampler_forget(struct sampler *s, size_t n); /* the first n are stored */

/* A car that stands with its ignition off tells where it is so often (0: every fix; INT64_MAX:
 * never).  One that GPS sees moving at speed tells each, unless never. */
void sampler_pace(struct sampler *s, int64_t fix_ms);
void sampler_beat(struct sampler *s); /* the next fix is a sample */

/* All that waits and has its time from our clock was measured so much later. */
void sampler_shift(struct sampler *s, int64_t step_ms);

/* The clock was set: order begins anew. */
void sampler_clock_set(struct sampler *s);

/* The time of a fix: the receiver's if it is within ten minutes of ours, else when we received it.
 */
int64_t sampler_fix_time(const struct fix *fix);

#endif
