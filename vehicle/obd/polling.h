/* vehicle/obd/polling.h - rounds of questions to a car that is awake: what the scheduler wants, in
 * as few requests as the car takes, and what the make's table has.  One thread. */
#ifndef VEHICLE_OBD_POLLING_H
#define VEHICLE_OBD_POLLING_H

#include "asking.h"
#include "extra.h"
#include "makes.h"
#include "scheduler.h"
#include "vehicle/inbox.h"

#define POLLING_NO_ECU_TWICE 2 /* one "unable to connect" may be a hiccup */

struct polling {
    struct link *link; /* borrowed, as the two below */
    const struct support *support;
    const struct makes *makes;
    const char *vin; /* says which rows of the tables apply */
    struct scheduler scheduler;
    struct asking asking;
    struct extra extra;
    double max_maf_gs;     /* as PID 50 said; NAN before */
    double mil, dtc_count; /* as the last round with PID 01 said; NAN before */
    bool codes_changed;    /* they were others before: read the codes, then make this false */
};

/* A new session over `link`, which has found the car's bus: tries how the car can be asked. */
enum status polling_begin(struct polling *p, struct link *link, const struct support *support,
                          const struct makes *makes, const char *vin,
                          struct fault *fault) MUST_CHECK;

/* One round into *out, which may stay without readings.  *answered: somebody did; *asleep: the
 * adapter says that there is no bus.  ST_RETRY: the cable is gone; ST_NONE: stop. */
enum status polling_round(struct polling *p, struct round *out, bool *answered, bool *asleep,
                          struct fault *fault) MUST_CHECK;

#endif
