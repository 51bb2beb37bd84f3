/* vehicle/trial.h - a configuration that names other brokers is on trial until one of them took us.
 * Pure: the time comes as an argument.
 * No broker of the new list within the window: back to the old list.  One of those takes us: the
 * new list is refused.  None of them either: it is the network that is away, and the new list is
 * tried again. */
#ifndef VEHICLE_TRIAL_H
#define VEHICLE_TRIAL_H

#include <stdint.h>

enum trial_state { TRIAL_NONE, TRIAL_NEW, TRIAL_OLD }; /* whose brokers are sought */
enum trial_link { TRIAL_CLOSED, TRIAL_SEEKING, TRIAL_UP };

struct trial {
    enum trial_state state;
    int64_t window_ms;
    int64_t until_ms; /* boot time */
};

enum trial_verdict {
    TRIAL_GO_ON,
    TRIAL_KEEP,      /* the new one is good */
    TRIAL_GO_BACK,   /* seek the old brokers now */
    TRIAL_TRY_AGAIN, /* seek the new ones now */
    TRIAL_REFUSE     /* the old one is good, the new one is not */
};

/* The new brokers are sought from now on. */
void trial_begin(struct trial *t, int64_t boot_ms, int64_t window_ms);

/* On every tick.  Time while nobody is sought (the car sleeps) does not count. */
enum trial_verdict trial_look(struct trial *t, int64_t boot_ms, enum trial_link link);

#endif
