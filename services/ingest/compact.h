/* services/ingest/compact.h - a watermark in as few bytes as it needs: thousands are remembered,
 * and nearly all have no gap, where struct watermark has room for 64.  Pure but for its memory. */
#ifndef INGEST_COMPACT_H
#define INGEST_COMPACT_H

#include <stdbool.h>

#include "proto/ack.h"

struct compact { /* all zero: nothing taken yet */
    int64_t upto;
    struct seq_range *gaps; /* NULL without any */
    size_t gap_count;
};

/* False: no memory; *c is as before. */
bool compact_set(struct compact *c, const struct watermark *mark) MUST_CHECK;
void compact_get(const struct compact *c, struct watermark *mark);
bool compact_has(const struct compact *c, int64_t seq);
void compact_done(struct compact *c); /* all zero again */

#endif
