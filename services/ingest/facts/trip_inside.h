/* services/ingest/facts/trip_inside.h - what trip.c and trip_measure.c share; nobody else includes
 * it. */
#ifndef INGEST_TRIP_INSIDE_H
#define INGEST_TRIP_INSIDE_H

#include "trip.h"

struct rows {
    struct segment *out;
    size_t n;
};
void trip_tell(struct rows *rows, const struct segment *s);

/* What happened since the moment before, idles that ended told.  Over a hole longer than
 * bridge_ms nothing is added up. */
void trip_measure(struct trip *t, const struct trip_settings *set, const struct seen *seen,
                  const struct moment *m, struct rows *rows, struct tally *delta);

#endif
