/* services/api/fields.c - members by their tables. */
#include "fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "body.h"
#include "lib/clock.h"
#include "proto/signals.h"

#define POINTS_MOST 1000
#define SPANS_MOST 14

static bool is_word(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (!strcmp(text, *words))
            return true;
    return false;
}

/* Characters of UTF-8; -1: a control character is among them. */
static long characters(const char *text)
{
    long n = 0;

    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return -1;
        n += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return n;
}

static bool is_date(const char *text)
{
    struct tm tm = {0}, back;
    char again[16];
    time_t t;
    int y, m, d;

    if (strlen(text) != 10 || sscanf(text, "%4d-%2d-%2d", &y, &m, &d) != 3)
        return false;
    tm.tm_year = y - 1900;
    tm.tm_mon = m - 1;
    tm.tm_mday = d;
    t = timegm(&tm);
    if (y < 1900 || y > 9999 || !gmtime_r(&t, &back))
        return false;
    return strftime(again, sizeof again, "%Y-%m-%d", &back) == 10 && !strcmp(again, text);
}

static bool is_time(const char *text)
{
    struct fault why;
    int64_t t_ms;

    return strspn(text, "0123456789") != strlen(text) && clock_read(text, &t_ms, &why) == ST_OK;
}

/* "08:00" .. "24:00" */
static bool is_minute(const json_t *value)
{
    const char *text = json_string_value(value);
    int h, m;

    return text && strlen(text) == 5 && text[2] == ':' && strspn(text, "0123456789:") == 5 &&
           sscanf(text, "%2d:%2d", &h, &m) == 2 && m < 60 && h * 60 + m <= 24 * 60;
}

static bool is_zone_name(const char *text)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";

    return *text && strlen(text) <= 40 && strspn(text, set) == strlen(text) && text[0] != '/';
}

static bool is_point(const json_t *value)
{
    const json_t *lon = json_array_get(value, 0), *lat = json_array_get(value, 1);

    return json_array_size(value) == 2 && json_is_number(lon) && json_is_number(lat) &&
           fabs(json_number_value(lon)) <= 180 && fabs(json_number_value(lat)) <= 90;
}

static bool are_points(const json_t *value)
{
    size_t n = json_array_size(value);

    if (n < 1 || n > POINTS_MOST)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_point(json_array_get(value, i)))
            return false;
    return true;
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
    return json_object_size(span) == 3 && are_days(json_object_get(span, "days")) &&
           is_minute(json_object_get(span, "from")) && is_minute(json_object_get(span, "to"));
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

/* Hours of work: minutes of the local day, `to` not included. */
static bool is_privacy(const json_t *value)
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

/* What is wrong with a text; NULL: nothing. */
static const char *text_fault(const struct field *f, const char *text)
{
    long n = characters(text);

    switch (f->kind) {
    case FIELD_TEXT:
        return n < 0 || (double)n > f->high || (!n && f->flags & FIELD_FILLED) ? "length" : NULL;
    case FIELD_WORD:
        return is_word(text, f->words) ? NULL : "unknown";
    case FIELD_TIME:
        return is_time(text) ? NULL : "time";
    case FIELD_DATE:
        return is_date(text) ? NULL : "date";
    case FIELD_ID:
        return uuid_is_valid(text, strlen(text)) ? NULL : "id";
    case FIELD_VIN:
        return vin_is_valid(text, strlen(text)) ? NULL : "vin";
    case FIELD_SIGNAL:
        if (strncmp(text, "Vehicle.CurrentLocation.", 24) == 0)
            return "place"; /* its value would be told to whoever reads the alert */
        return signal_find(text, strlen(text)) != SIGNAL_NONE ? NULL : "unknown";
    case FIELD_ZONE:
        return is_zone_name(text) ? NULL : "unknown";
    default:
        return "type";
    }
}

static const char *number_fault(const struct field *f, const json_t *value)
{
    double v = json_number_value(value);

    if (!json_is_number(value) || (f->kind == FIELD_INTEGER && !json_is_integer(value)))
        return "type";
    return v >= f->low && v <= f->high ? NULL : "range";
}

static const char *value_fault(const struct field *f, const json_t *value)
{
    if (json_is_null(value))
        return f->flags & FIELD_NULLABLE ? NULL : "type";
    switch (f->kind) {
    case FIELD_NUMBER:
    case FIELD_INTEGER:
        return number_fault(f, value);
    case FIELD_FLAG:
        return json_is_boolean(value) ? NULL : "type";
    case FIELD_POINTS:
        return are_points(value) ? NULL : "points";
    case FIELD_PRIVACY:
        return is_privacy(value) ? NULL : "privacy";
    case FIELD_SCHEDULE:
        return is_schedule(value) ? NULL : "schedule";
    default:
        return json_is_string(value) ? text_fault(f, json_string_value(value)) : "type";
    }
}

const struct field *fields_find(const struct field *fields, const char *name)
{
    for (; fields->name; fields++)
        if (!strcmp(fields->name, name))
            return fields;
    return NULL;
}

static enum status check_all(const struct request *r, const struct field *fields, bool making,
                             const json_t *body, struct answer *a)
{
    for (const struct field *f = fields; f->name; f++) {
        const json_t *value = json_object_get(body, f->name);
        const char *why = NULL;

        if (!value)
            why = making && f->flags & FIELD_NEEDED ? "missing" : NULL;
        else if (!making && f->flags & FIELD_FIXED)
            why = "fixed";
        else
            why = value_fault(f, value);
        if (why) {
            body_fault(r, f->name, why, a);
            return ST_NONE;
        }
    }
    return ST_OK;
}

enum status fields_read(const struct request *r, const struct field *fields, bool making,
                        json_t **body, struct answer *a)
{
    const char *names[FIELDS_MOST + 1] = {NULL};
    json_t *read = NULL;

    for (size_t i = 0; fields[i].name; i++)
        names[i] = fields[i].name;
    if (body_read(r, names, &read, a) != ST_OK)
        return ST_NONE;
    if (check_all(r, fields, making, read, a) != ST_OK) {
        json_decref(read);
        return ST_NONE;
    }
    *body = read;
    return ST_OK;
}

void fields_print(struct text *sql, const struct field *fields, const json_t *body,
                  const char *before, const char *between, const char *after)
{
    for (; fields->name; fields++) {
        if (!json_object_get(body, fields->name))
            continue;
        text_print(sql, "%s%s", before, fields->name);
        if (between)
            text_print(sql, "%s%s%s", between, fields->name, after);
    }
}

bool is_currency(const char *text)
{
    return strlen(text) == 3 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 3;
}
