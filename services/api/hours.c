/* services/api/hours.c - days, minutes, and whether a week is left. */
#include "hours.h"

#include <string.h>

#define SPANS_MOST 14
#define DAY_MIN 1440
#define WEEK_MIN (7 * DAY_MIN)

/* "08:00" .. "24:00" as a minute of the day; -1: it is none. */
static int minute_of(const json_t *value)
{
    const char *text = json_string_value(value);
    int h, m;

    if (!text || strlen(text) != 5 || text[2] != ':' || strspn(text, "0123456789") != 2 ||
        strspn(text + 3, "0123456789") != 2)
        return -1;
    h = (text[0] - '0') * 10 + text[1] - '0';
    m = (text[3] - '0') * 10 + text[4] - '0';
    return m < 60 && h * 60 + m <= DAY_MIN ? h * 60 + m : -1;
}

static bool are_days(const json_t *days)
{
    size_t n = json_array_size(days);

    if (n < 1 || n > 7)
        return false;
    for (size_t i = 0; i < n; i++) {
        const json_t *day = json_array_get(days, i);

        if (!json_is_integer(day) || json_integer_value(day) < 1 || json_integer_value(day) > 7)
            return false;
    }
    return true;
}

static bool is_span(const json_t *span)
{
    int from = minute_of(json_object_get(span, "from"));

    return json_object_size(span) == 3 && are_days(json_object_get(span, "days")) && from >= 0 &&
           from < DAY_MIN && minute_of(json_object_get(span, "to")) >= 0;
}

static bool is_schedule(const json_t *value)
{
    const json_t *spans = json_object_get(value, "spans"),
                 *except = json_object_get(value, "except");
    size_t n = json_array_size(spans);

    if (!json_is_array(spans) || n > SPANS_MOST || (except && !json_is_boolean(except)) ||
        json_object_size(value) != (except ? 2U : 1U))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_span(json_array_get(spans, i)))
            return false;
    return true;
}

static void cover(bool week[WEEK_MIN], const json_t *span)
{
    int from = minute_of(json_object_get(span, "from"));
    int to = minute_of(json_object_get(span, "to"));
    const json_t *days = json_object_get(span, "days");

    if (to <= from)
        to += DAY_MIN;
    for (size_t i = 0; i < json_array_size(days); i++) {
        int day = (int)json_integer_value(json_array_get(days, i)) - 1;

        for (int minute = from; minute < to; minute++)
            week[(day * DAY_MIN + minute) % WEEK_MIN] = true;
    }
}

static bool is_whole_week(const json_t *spans)
{
    bool week[WEEK_MIN] = {false};

    for (size_t i = 0; i < json_array_size(spans); i++)
        cover(week, json_array_get(spans, i));
    for (int minute = 0; minute < WEEK_MIN; minute++)
        if (!week[minute])
            return false;
    return true;
}

const char *hours_fault(const json_t *value)
{
    const json_t *spans = json_object_get(value, "spans");

    if (!is_schedule(value))
        return "schedule";
    if (json_array_size(spans) == 0)
        return "empty";
    return json_is_true(json_object_get(value, "except")) && is_whole_week(spans) ? "never" : NULL;
}

static bool is_minute_number(const json_t *value, json_int_t most)
{
    return json_is_integer(value) && json_integer_value(value) >= 0 &&
           json_integer_value(value) <= most;
}

/* A POSIX TZ text: CET-1CEST,M3.5.0,M10.5.0/3 */
static bool is_posix_zone(const json_t *value)
{
    static const char set[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789<>+-,./:";
    const char *text = json_string_value(value);

    return text && strlen(text) >= 3 && strlen(text) <= 63 && strspn(text, set) == strlen(text);
}

bool hours_are_of_work(const json_t *value)
{
    const json_t *zone = json_object_get(value, "zone"), *work = json_object_get(value, "work");
    const json_t *crash = json_object_get(value, "crash_place");

    if (!json_is_object(value) || (zone && !is_posix_zone(zone)) ||
        (work && (!json_is_array(work) || json_array_size(work) > 16)) ||
        (crash && !json_is_boolean(crash)) ||
        json_object_size(value) != (zone != NULL) + (size_t)(work != NULL) + (crash != NULL))
        return false;
    for (size_t i = 0; i < json_array_size(work); i++) {
        const json_t *span = json_array_get(work, i);

        if (json_object_size(span) != 3 || !are_days(json_object_get(span, "days")) ||
            !is_minute_number(json_object_get(span, "from"), 1439) ||
            !is_minute_number(json_object_get(span, "to"), 1440))
            return false;
    }
    return true;
}
