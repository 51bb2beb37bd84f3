/* services/ingest/commit/customers_shapes.c - JSON and words into what is stepped. */
#include "customers_shapes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/store/postgres.h"
#include "lib/text.h"
#include "proto/json.h"
#include "proto/signals.h"

struct zone_point *shape_points(const char *json, size_t *n)
{
    json_t *list = json_stored(json), *point;
    size_t count = json_array_size(list), i;
    struct zone_point *points = NULL;

    if (count > 0 && count <= ZONE_POINTS_MAX)
        points = calloc(count, sizeof *points);
    if (points)
        json_array_foreach(list, i, point)
        {
            points[i].lon = json_number_value(json_array_get(point, 0));
            points[i].lat = json_is_number(json_array_get(point, 1))
                                ? json_number_value(json_array_get(point, 1))
                                : (double)NAN;
        }
    json_decref(list);
    *n = points ? count : 0;
    return points;
}

/* "08:00" in minutes of the day; -1: none. */
static int minutes_of(const json_t *text)
{
    const char *at = json_string_value(text);
    char *end;
    long hours, minutes;

    if (!at)
        return -1;
    hours = strtol(at, &end, 10);
    if (end == at || *end != ':' || hours < 0 || hours > 24)
        return -1;
    minutes = strtol(end + 1, &end, 10);
    return minutes < 0 || minutes > 59 || hours * 60 + minutes > 1440 ? -1
                                                                      : (int)(hours * 60 + minutes);
}

static bool read_span(const json_t *from, struct schedule_span *span)
{
    const json_t *days = json_object_get(from, "days"), *day;
    int start = minutes_of(json_object_get(from, "from"));
    int stop = minutes_of(json_object_get(from, "to"));
    size_t i;

    *span = (struct schedule_span){.days = 0x7f};
    if (start < 0 || stop < 0 || start > 1439) /* to 00:00 is to the end of the day */
        return false;
    if (json_array_size(days) > 0)
        span->days = 0;
    json_array_foreach(days, i, day)
    {
        json_int_t number = json_integer_value(day);

        if (number >= 1 && number <= 7)
            span->days |= (uint8_t)(1U << (number - 1));
    }
    span->from_min = (int16_t)start;
    span->to_min = (int16_t)stop;
    return true;
}

void shape_schedule(struct schedule *out, const char *json)
{
    json_t *root = json_stored(json), *span;
    size_t i;

    *out = (struct schedule){.n = 0};
    json_array_foreach(json_object_get(root, "spans"), i, span)
    {
        if (out->n < SCHEDULE_SPANS_MAX && read_span(span, &out->spans[out->n]))
            out->n++;
    }
    out->except = json_is_true(json_object_get(root, "except"));
    json_decref(root);
}

static int find(const char *word, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        if (!strcmp(word, words[i]))
            return i;
    return 0;
}

bool shape_rule(const PGresult *rows, int row, const char *customer, struct rule_entry *out)
{
    static const char *const severities[] = {"info", "warning", "minor", "major", "critical", NULL};
    static const char *const tests[] = {"above", "below", "equal", "other", NULL};
    static const char *const places[] = {"anywhere", "inside", "outside", NULL};
    const char *signal = PQgetvalue(rows, row, 3);
    struct rule *r = &out->rule;

    *out = (struct rule_entry){.rule = {.signal = signal_find(signal, strlen(signal))}};
    text_copy(out->id, sizeof out->id, PQgetvalue(rows, row, 0));
    (void)uuid_scan(out->key, out->id);
    (void)uuid_scan(out->fence, PQgetvalue(rows, row, 12));
    out->version = (int32_t)strtol(PQgetvalue(rows, row, 1), NULL, 10);
    out->severity = (enum alert_severity)find(PQgetvalue(rows, row, 2), severities);
    r->test = (enum rule_test)find(PQgetvalue(rows, row, 4), tests);
    r->threshold = strtod(PQgetvalue(rows, row, 5), NULL);
    r->release = strtod(PQgetvalue(rows, row, 6), NULL);
    r->duration_ms = 1000 * pg_text_int8(rows, row, 7);
    r->repeat = (int)strtol(PQgetvalue(rows, row, 8), NULL, 10);
    r->repeat_ms = 1000 * pg_text_int8(rows, row, 9);
    shape_schedule(&r->schedule, PQgetvalue(rows, row, 10));
    r->place = (enum rule_place)find(PQgetvalue(rows, row, 11), places);
    text_copy(r->customer, sizeof r->customer, customer);
    text_copy(r->group, sizeof r->group, PQgetvalue(rows, row, 13));
    text_copy(r->vin, sizeof r->vin, PQgetvalue(rows, row, 14));
    return r->signal != SIGNAL_NONE;
}
