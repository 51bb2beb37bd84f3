/* vehicle/sent.h - which numbers of a stream have ever been handed to a broker.  Pure.  A site can
 * only have what was sent.  An ack that claims a number which never was speaks of another record
 * with the same number: the outbox is an old copy that was put back.  What is not known counts as
 * sent, so that a true ack is never doubted. */
#ifndef VEHICLE_SENT_H
#define VEHICLE_SENT_H

#include <stdbool.h>

#include "proto/ack.h"

#define SENT_RANGES_MAX 16

struct sent {
    bool own;     /* the stream began in this process: no copy of it can have been put back */
    int64_t base; /* up to here an earlier run may have sent */
    size_t count;
    struct seq_range ranges[SENT_RANGES_MAX]; /* since then: rising, not adjacent, above base */
};

void sent_init(struct sent *s, int64_t base);
void sent_add(struct sent *s, int64_t seq);

/* The lowest number at or above `from` that `mark` has and that was never sent; 0: none. */
int64_t sent_next_claimed(const struct sent *s, const struct watermark *mark, int64_t from);

#endif
