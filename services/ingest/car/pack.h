/* services/ingest/car/pack.h - plain memory in few bytes: runs of zero words are only counted.
 * Pure. What a vehicle's facts stand at is a few KB, and most of it zero most of the time. */
#ifndef INGEST_PACK_H
#define INGEST_PACK_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/text.h"

/* Append `len` bytes, a multiple of 8, packed. */
void pack_add(struct text *out, const void *bytes, size_t len);
/* The reverse.  False: not what pack_add made of exactly `len` bytes; `out` is undefined then. */
bool pack_read(void *out, size_t len, const char *packed, size_t packed_len) MUST_CHECK;

#endif
