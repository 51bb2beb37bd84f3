/* services/ingest/acks.h - when to tell which vehicle what is stored.  Pure but for its memory; one
 * thread. Urgent streams at once; bulk at once when 16 KiB became free, otherwise at most one a
 * second per stream, at the latest a second after the commit. */
#ifndef INGEST_ACKS_H
#define INGEST_ACKS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/ack.h"
#include "proto/vin.h"

struct acks;

enum status acks_open(struct acks **out, struct fault *fault) MUST_CHECK;

#define ACK_KEY (VIN_LEN + 1 + UUID_TEXT + 1)

/* "VIN stream"; the VIN must be valid. */
void acks_key(char key[ACK_KEY], const char *vin, const char *stream);

/* `mark` of a stream was committed, freeing `bytes` of the vehicle's records; `at_once`: urgent, or
 * it asked. */
void acks_note(struct acks *a, const char *vin, const char *stream, const struct watermark *mark,
               size_t bytes, bool at_once);

/* Hand over every ack that is due at `now_ms` (of a clock that never jumps; INT64_MAX: all of
 * them).  `send` returns false when it could not be sent: it stays due. */
void acks_due(struct acks *a, int64_t now_ms,
              bool (*send)(void *self, const char *vin, const char *stream,
                           const struct watermark *mark),
              void *self);

/* Streams remembered: with an ack waiting, or sent less than a second ago. */
size_t acks_waiting(const struct acks *a);
void acks_close(struct acks *a); /* NULL is fine */

#endif
