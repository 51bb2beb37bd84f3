/* services/ingest/record/pace.h - how fast goes what can wait: places told to dashboards, 1-minute
 * values. Pure. */
#ifndef INGEST_PACE_H
#define INGEST_PACE_H

#include <stddef.h>
#include <stdint.h>

/* At most every so many ms, when `vehicles` were told in a second: four times a second for a
 * hundred, once a second for four hundred and more.  Telling costs as much as taking a record. */
int64_t pace_live_ms(size_t vehicles);

/* How long to leave the database alone after a question of 1-minute values that took `took_ms`,
 * while `waiting_bytes` of records wait for the stores: as long again, or, where records come in
 * faster than they are stored, twenty times as long, but of that five seconds at most. */
int64_t pace_minutes_ms(int64_t took_ms, size_t waiting_bytes);

#endif
