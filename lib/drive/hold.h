/* lib/drive/hold.h - how long something has been true without a break.  Pure; {0} is "not true". */
#ifndef LIB_DRIVE_HOLD_H
#define LIB_DRIVE_HOLD_H

#include <stdbool.h>
#include <stdint.h>

struct hold {
    int64_t since_ms; /* the first sample of the run; 0: no run */
    int64_t last_ms;  /* the newest sample of the run */
};

/* A sample at t_ms where the condition is `on`.  Two samples further apart than hole_ms say nothing
 * about the time between, so a run begins anew.  Returns the run's length in ms, -1 without one. */
int64_t hold_step(struct hold *h, bool on, int64_t t_ms, int64_t hole_ms);

#endif
