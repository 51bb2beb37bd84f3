/* services/api/fields.c - members by their tables. */
#include "fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "body.h"
#include "hours.h"
#include "lib/clock.h"
#include "naming.h"
#include "proto/signals.h"
#include "shapes.h"

static bool is_word(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (!strcmp(text, *words))
            return true;
    return false;
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

/* No file of its folder that is another's zone by a second name, the host's own, or none. */
static bool is_zone_name(const char *text)
{
    static const char *const others[] = {"localtime", "posixrules", "Factory", NULL};
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";

    return *text && strlen(text) <= 40 && strspn(text, set) == strlen(text) && text[0] != '/' &&
           strncmp(text, "posix/", 6) != 0 && strncmp(text, "right/", 6) != 0 &&
           !is_word(text, others);
}

/* What is wrong with a text; NULL: nothing. */
static const char *text_fault(const struct field *f, const char *text)
{
    long n = naming_characters(text);

    switch (f->kind) {
    case FIELD_TEXT:
        if (n < 0 || (double)n > f->high || (!n && f->flags & FIELD_FILLED))
            return "length";
        return n && naming_is_blank(text) ? "blank" : NULL;
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

/* A hundredth of a hundredth is what a double loses on the way (0.1 + 0.2), no digit of anybody's.
 */
static bool is_of_cents(double v)
{
    return fabs(v * 100 - nearbyint(v * 100)) <= 1e-4;
}

static const char *number_fault(const struct field *f, const json_t *value)
{
    double v = json_number_value(value);

    if (!json_is_number(value) || (f->kind == FIELD_INTEGER && !json_is_integer(value)))
        return "type";
    if (v < f->low || v > f->high)
        return "range";
    return f->flags & FIELD_CENTS && !is_of_cents(v) ? "decimals" : NULL;
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
        return shape_has_points(value) ? NULL : "points";
    case FIELD_PRIVACY:
        return hours_are_of_work(value) ? NULL : "privacy";
    case FIELD_SCHEDULE:
        return hours_fault(value);
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
