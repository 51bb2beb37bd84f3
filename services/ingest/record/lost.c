/* services/ingest/record/lost.c */
#include "lost.h"

#include <string.h>

bool lost_is_possible(const struct record *event, int64_t upto)
{
    if (strcmp(event->lost_stream, event->head.stream) == 0)
        return event->lost_last < event->head.seq;
    return event->lost_last - upto <= LOST_AHEAD;
}
