/* services/ingest/facts/schedule.h - hours of the week.  Pure. */
#ifndef INGEST_SCHEDULE_H
#define INGEST_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_SPANS_MAX 14

struct schedule_span {
    uint8_t days;     /* bit 0 Monday .. bit 6 Sunday: of its beginning */
    int16_t from_min; /* of the day, 0 .. 1439 */
    int16_t to_min;   /* 0 .. 1440; at or before from_min: on the next day */
};

struct schedule {
    struct schedule_span spans[SCHEDULE_SPANS_MAX];
    size_t n;    /* 0: always */
    bool except; /* outside the spans instead of within */
};

/* Does it hold at this moment?  `offset_min` is what the zone's clock is ahead of UTC then. */
bool schedule_holds(const struct schedule *s, int64_t t_ms, int offset_min);

#endif
