/* services/ingest/compact.c */
#include "compact.h"

#include <stdlib.h>
#include <string.h>

bool compact_set(struct compact *c, const struct watermark *mark)
{
    struct seq_range *gaps = NULL;
    size_t bytes = mark->gap_count * sizeof *gaps;

    if (mark->gap_count && c->gap_count == mark->gap_count)
        gaps = c->gaps;
    else if (mark->gap_count && !(gaps = malloc(bytes)))
        return false;
    if (gaps)
        memcpy(gaps, mark->gaps, bytes);
    if (gaps != c->gaps)
        free(c->gaps);
    *c = (struct compact){mark->upto, gaps, mark->gap_count};
    return true;
}

void compact_get(const struct compact *c, struct watermark *mark)
{
    mark->upto = c->upto;
    mark->gap_count = c->gap_count;
    if (c->gap_count)
        memcpy(mark->gaps, c->gaps, c->gap_count * sizeof *c->gaps);
}

bool compact_has(const struct compact *c, int64_t seq)
{
    if (seq < 1 || seq > c->upto)
        return false;
    for (size_t i = 0; i < c->gap_count; i++)
        if (seq >= c->gaps[i].first && seq <= c->gaps[i].last)
            return false;
    return true;
}

void compact_done(struct compact *c)
{
    free(c->gaps);
    *c = (struct compact){0};
}
