/* services/ingest/commit/slots.h - a hash table of numbers below 2^32 - 1, for lists whose keys are
 * compared by who has them.  Zero begins; one thread.
 *
 *   uint32_t *at = slots_first(s, hash);
 *   while (*at && !same(list[*at - 1]))
 *       at = slots_next(s, at);
 *   if (!*at)
 *       *at = i + 1;     not there: it goes in here */
#ifndef INGEST_SLOTS_H
#define INGEST_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slots {
    uint32_t *at; /* number + 1; 0 is free */
    size_t n, room;
};

/* Empty, with room for `most`; false: no memory. */
bool slots_begin(struct slots *s, size_t most);
uint32_t *slots_first(struct slots *s, uint64_t hash);
uint32_t *slots_next(struct slots *s, uint32_t *at);
void slots_done(struct slots *s);

#endif
