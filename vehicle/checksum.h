/* vehicle/checksum.h - what each row of the outbox is checked with: SQLite does not see a byte that
 * changes inside a valid page.  CRC-32 over every column and its length, so that a byte that
 * moves from one column to the next is seen too.  Pure. */
#ifndef VEHICLE_CHECKSUM_H
#define VEHICLE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

uint32_t checksum_record(const char *stream, int64_t seq, const char *leaf, int64_t made_ms,
                         const void *payload, size_t len);
uint32_t checksum_stream(const char *name, const char *id, int64_t next_seq);
uint32_t checksum_note(const char *name, const void *value, size_t len);

#endif
