/* vehicle/stamp.h - the stream a record was stamped with.  Pure. */
#ifndef VEHICLE_STAMP_H
#define VEHICLE_STAMP_H

#include <stddef.h>

/* Let the record, columnar or JSON as the agent writes it, say that it is of the stream `id` (a
 * UUID).  Nothing else changes, its length neither; bytes that name no stream in their head are
 * left alone. */
void stamp_stream(char *payload, size_t len, const char *id);

#endif
