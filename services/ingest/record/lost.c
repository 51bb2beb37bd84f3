/* services/ingest/record/lost.c */
#include "lost.h"

#include <string.h>

bool lost_is_possible(const struct record *event, int64_t upto)
{
    if (strcmp(event->lost_stream, event->head.stream) == 0)
        return event->lost_last < event->head.seq;
    return event->lost_last - upto <= LOST_AHEAD;
}

int64_t lost_missing(const struct watermark *w)
{
    int64_t n = 0;

    for (size_t i = 0; i < w->gap_count && n < LOST_AHEAD; i++)
        n += w->gaps[i].last - w->gaps[i].first + 1;
    return n < LOST_AHEAD ? n : LOST_AHEAD;
}
