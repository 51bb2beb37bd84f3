/* proto/ack.h - which sequence numbers of a stream are known: the watermark, and `ack/1` that tells
 * it.  Pure. */
#ifndef PROTO_ACK_H
#define PROTO_ACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope.h"
#include "proto/status.h"

#define ACK_GAPS_MAX 64

struct seq_range {
    int64_t first, last; /* both inclusive */
};

/* Every seq in 1 .. upto is taken except those in gaps (sorted, disjoint, not adjacent, all below
 * upto). */
struct watermark {
    int64_t upto; /* 0: nothing yet */
    size_t gap_count;
    struct seq_range gaps[ACK_GAPS_MAX];
};

bool watermark_has(const struct watermark *w, int64_t seq);

/* Take one number.  ST_OK: new; ST_NONE: taken before; ST_RETRY: it would open a 65th gap, not
 * accepted yet; ST_REJECT: seq < 1. */
enum status watermark_take(struct watermark *w, int64_t seq) MUST_CHECK;

/* Take a whole range that will never come (a loss the vehicle announced).  Same answers; ST_NONE
 * when all was taken, ST_REJECT also when last < first. */
enum status watermark_take_range(struct watermark *w, int64_t first, int64_t last) MUST_CHECK;

/* What both have: of two stores, what may be acknowledged.  Where that would take more than 64 gaps
 * it ends before the 65th: less than both have, never more. */
void watermark_both(struct watermark *out, const struct watermark *a, const struct watermark *b);

struct ack {
    char site[32];
    char stream[UUID_TEXT + 1];
    struct watermark mark;
};

enum status ack_write(const struct ack *a, char *out, size_t size, size_t *len,
                      struct fault *fault) MUST_CHECK;
/* ST_REJECT: not ack/1, gaps not sorted and disjoint, more than 64, or upto < 0. */
enum status ack_read(struct ack *out, const char *bytes, size_t len,
                     struct fault *fault) MUST_CHECK;

#endif
