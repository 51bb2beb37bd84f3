/* services/ingest/facts/schedule.c - a week of minutes. */
#include "schedule.h"

#define DAY_MIN 1440
#define WEEK_MIN (7 * DAY_MIN)
#define MONDAY_MIN (4 * DAY_MIN) /* 1970-01-01 was a Thursday: the first Monday is four days on */

static bool within(const struct schedule_span *span, int day, int minute)
{
    bool over_night = span->to_min <= span->from_min;
    bool began = (span->days >> day) & 1;
    bool began_before = (span->days >> (day + 6) % 7) & 1;

    if (!over_night)
        return began && minute >= span->from_min && minute < span->to_min;
    return (began && minute >= span->from_min) || (began_before && minute < span->to_min);
}

bool schedule_holds(const struct schedule *s, int64_t t_ms, int offset_min)
{
    int64_t minutes = t_ms / 60000 + offset_min - MONDAY_MIN;
    int of_week = (int)(((minutes % WEEK_MIN) + WEEK_MIN) % WEEK_MIN);
    bool in = s->n == 0;

    for (size_t i = 0; i < s->n && i < SCHEDULE_SPANS_MAX; i++)
        in = in || within(&s->spans[i], of_week / DAY_MIN, of_week % DAY_MIN);
    return s->n > 0 && s->except ? !in : in;
}
