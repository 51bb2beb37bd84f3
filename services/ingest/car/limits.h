/* services/ingest/car/limits.h - the limit that holds where a vehicle is, and driving above it.
 * Pure.
 */
#ifndef INGEST_LIMITS_H
#define INGEST_LIMITS_H

#include "fences.h"
#include "services/ingest/facts/moment.h"
#include "services/ingest/facts/overspeed.h"

struct limits_settings {
    double vehicle_kmh, customer_kmh; /* NaN: none */
};

/* Where it began is told by o->now, if that says so. */
void limits_step(struct overspeed *o, const struct limits_settings *set,
                 const struct fence_list *list, const struct fences *fences,
                 const struct seen *seen, struct car_out *out);

#endif
