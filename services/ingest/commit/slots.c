/* services/ingest/commit/slots.c - open addressing; at most half of the places are taken. */
#include "slots.h"

#include <stdlib.h>
#include <string.h>

bool slots_begin(struct slots *s, size_t most)
{
    size_t n = 16;
    uint32_t *more;

    while (n < 2 * most)
        n *= 2;
    if (n > s->room) {
        if (!(more = realloc(s->at, n * sizeof *more)))
            return false;
        s->at = more;
        s->room = n;
    }
    s->n = n;
    memset(s->at, 0, n * sizeof *s->at);
    return true;
}

uint32_t *slots_first(struct slots *s, uint64_t hash)
{
    return &s->at[hash & (s->n - 1)];
}

uint32_t *slots_next(struct slots *s, uint32_t *at)
{
    return at + 1 == s->at + s->n ? s->at : at + 1;
}

void slots_done(struct slots *s)
{
    free(s->at);
    *s = (struct slots){0};
}
