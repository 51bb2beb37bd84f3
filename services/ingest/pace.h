/* services/ingest/pace.h - how often a vehicle's place is told to dashboards.  Pure. */
#ifndef INGEST_PACE_H
#define INGEST_PACE_H

#include <stddef.h>
#include <stdint.h>

/* At most every so many ms, when `vehicles` were told in a second: four times a second for a
 * hundred, once a second for four hundred and more.  Telling costs as much as taking a record. */
int64_t pace_live_ms(size_t vehicles);

#endif
