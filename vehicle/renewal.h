/* vehicle/renewal.h - when the next certificate is asked for.  Pure: times come as arguments. */
#ifndef VEHICLE_RENEWAL_H
#define VEHICLE_RENEWAL_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/status.h"

#define RENEWAL_SPREAD 0.1 /* of the life: a fleet enrolled on one day does not renew on one */
#define RENEWAL_PAUSE_MS 10000
#define RENEWAL_PAUSE_MAX_MS 3600000

struct renewal {
    int64_t from_ms, to_ms; /* of the certificate in use; 0, 0: not known, nothing is due */
    int64_t due_ms;
    int64_t pause_ms;      /* before the next try */
    int64_t again_boot_ms; /* not before; 0: at once */
    bool under_way;
};

/* The certificate in use is good from .. to; `chance` 0 .. 1 is drawn once for it. */
void renewal_plan(struct renewal *r, int64_t from_ms, int64_t to_ms, double chance);

/* At half of its life, and a little of chance, ask now? Not while the time is not known: in 1970 a
 * certificate has not begun.  True: it is under way until renewal_ended. */
bool renewal_begin(struct renewal *r, int64_t now_ms, int64_t boot_ms, bool time_known);

/* A try ended: after a failure the next waits, ever longer. */
void renewal_ended(struct renewal *r, int64_t boot_ms, bool renewed);

#endif
