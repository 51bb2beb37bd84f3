/* vehicle/zone.c - see zone.h. */
#include "zone.h"

#include <string.h>

#define DAY_S 86400
#define RULE_TIME_S 7200 /* where a rule gives none */

/* ---- the calendar (proleptic Gregorian; days since 1970-01-01) */

static bool zone_is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t zone_days_before(int64_t year)
{
    int64_t y = year - 1;

    return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

static int zone_month_days(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && zone_is_leap(year));
}

static int64_t zone_year_of(int64_t day)
{
    int64_t year = 1970 + day / 366; /* never too far */

    while (zone_days_before(year + 1) <= day)
        year++;
    return year;
}

static int64_t zone_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* 0 Sunday .. 6 Saturday */
static int zone_weekday(int64_t day)
{
    return (int)((day + 4) - zone_divide(day + 4, 7) * 7);
}

/* ---- reading */

static bool zone_number(const char **at, int highest, int *out)
{
    int n = 0, digits = 0;

    while (**at >= '0' && **at <= '9' && digits < 4) {
        n = n * 10 + (*(*at)++ - '0');
        digits++;
    }
    *out = n;
    return digits > 0 && n <= highest;
}

static bool zone_name(const char **at)
{
    const char *begin = *at;

    if (**at == '<') {
        size_t len = strcspn(*at, ">");

        if ((*at)[len] != '>' || len < 4)
            return false;
        *at += len + 1;
        return true;
    }
    while ((**at >= 'A' && **at <= 'Z') || (**at >= 'a' && **at <= 'z'))
        (*at)++;
    return *at - begin >= 3;
}

/* [+-]hh[:mm[:ss]] in seconds */
static bool zone_time(const char **at, int highest_hours, int *out)
{
    int sign = **at == '-' ? -1 : 1, hours, minutes = 0, seconds = 0;

    if (**at == '-' || **at == '+')
        (*at)++;
    if (!zone_number(at, highest_hours, &hours))
        return false;
    if (**at == ':' && ((*at)++, !zone_number(at, 59, &minutes)))
        return false;
    if (**at == ':' && ((*at)++, !zone_number(at, 59, &seconds)))
        return false;
    *out = sign * (hours * 3600 + minutes * 60 + seconds);
    return true;
}

static bool zone_expect(const char **at, char c)
{
    return **at == c && ((*at)++, true);
}

static bool zone_rule_read(const char **at, struct zone_rule *out)
{
    out->time_s = RULE_TIME_S;
    if (zone_expect(at, 'M')) {
        out->kind = 'M';
        if (!zone_number(at, 12, &out->month) || out->month < 1 || !zone_expect(at, '.') ||
            !zone_number(at, 5, &out->week) || out->week < 1 || !zone_expect(at, '.') ||
            !zone_number(at, 6, &out->day))
            return false;
    } else {
        out->kind = zone_expect(at, 'J') ? 'J' : '0';
        if (!zone_number(at, 365, &out->day) || (out->kind == 'J' && out->day < 1))
            return false;
    }
    return !zone_expect(at, '/') || zone_time(at, 167, &out->time_s);
}

static bool zone_read_all(struct zone *z, const char *at)
{
    int west_s;

    if (!zone_name(&at) || !zone_time(&at, 24, &west_s))
        return false;
    z->standard_s = z->summer_s = -west_s;
    if (*at == '\0')
        return true;
    if (!zone_name(&at))
        return false;
    z->has_summer = true;
    z->summer_s = z->standard_s + 3600;
    if (*at != ',' && *at != '\0') {
        if (!zone_time(&at, 24, &west_s))
            return false;
        z->summer_s = -west_s;
    }
    return zone_expect(&at, ',') && zone_rule_read(&at, &z->begins) && zone_expect(&at, ',') &&
           zone_rule_read(&at, &z->ends) && *at == '\0';
}

enum status zone_read(struct zone *out, const char *text, struct fault *fault)
{
    struct zone z;

    memset(&z, 0, sizeof z);
    if (strlen(text) >= ZONE_TEXT_MAX || !zone_read_all(&z, text))
        return fault_set(fault, ST_REJECT, "not a POSIX time zone, as CET-1CEST,M3.5.0,M10.5.0/3");
    *out = z;
    return ST_OK;
}

/* ---- asking */

static int64_t zone_rule_day(const struct zone_rule *r, int64_t year)
{
    int64_t first = zone_days_before(year);
    int64_t day;

    if (r->kind == 'J')
        return first + r->day - 1 + (zone_is_leap(year) && r->day >= 60);
    if (r->kind == '0')
        return first + r->day;
    for (int month = 1; month < r->month; month++)
        first += zone_month_days(year, month);
    day = first + (r->day - zone_weekday(first) + 7) % 7 + (r->week - 1) * 7;
    while (day >= first + zone_month_days(year, r->month))
        day -= 7;
    return day;
}

int zone_offset_s(const struct zone *zone, int64_t t_ms)
{
    int64_t t_s = zone_divide(t_ms, 1000), year, begins, ends;
    bool summer;

    if (!zone->has_summer || t_s < 0)
        return zone->standard_s;
    year = zone_year_of(zone_divide(t_s + zone->standard_s, DAY_S));
    begins = zone_rule_day(&zone->begins, year) * DAY_S + zone->begins.time_s - zone->standard_s;
    ends = zone_rule_day(&zone->ends, year) * DAY_S + zone->ends.time_s - zone->summer_s;
    summer = begins < ends ? t_s >= begins && t_s < ends : t_s >= begins || t_s < ends;
    return summer ? zone->summer_s : zone->standard_s;
}

void zone_local(const struct zone *zone, int64_t t_ms, int *weekday, int *minute)
{
    int64_t local_s = zone_divide(t_ms, 1000) + zone_offset_s(zone, t_ms);
    int64_t day = zone_divide(local_s, DAY_S);
    int sunday_first = zone_weekday(day);

    *weekday = sunday_first == 0 ? 7 : sunday_first;
    *minute = (int)((local_s - day * DAY_S) / 60);
}
