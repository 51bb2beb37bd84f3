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

/* A car that stands is elsewhere, its ignition off, and not by a jump of its receiver: since when?
 * 0: it is not. */
int64_t trip_carried(struct trip *t, const struct trip_settings *set, const struct seen *seen);
bool trip_was_carried(const struct trip *t); /* within the present stop */
/* Where it stands; `carried`: no more where it was. */
void trip_rest(struct trip *t, const struct trip_settings *set, const struct seen *seen,
               bool carried);

#endif
