/* services/api/series.c - InfluxQL for one vehicle. */
#include "series.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"

#define RAW_MOST 50000 /* points fetched as they are and reduced here, with their exact times */
#define SPEED_PAGES 20 /* of RAW_MOST */
#define MINUTE_MS 60000
#define BETWEEN " WHERE vin = $vin AND time >= $from AND time <= $to"
#define WHERE " FROM telemetry" BETWEEN

static json_t *parameters(const struct series_query *q)
{
    char from[25], to[25];

    clock_print(from, q->from_ms);
    clock_print(to, q->to_ms);
    return json_pack("{s:s, s:s, s:s}", "vin", q->vin, "from", from, "to", to);
}

/* The rows of the only series, borrowed from *answer; NULL when there is nothing. */
static const json_t *rows_of(const json_t *answer)
{
    const json_t *result = json_array_get(json_object_get(answer, "results"), 0);

    return json_object_get(json_array_get(json_object_get(result, "series"), 0), "values");
}

static enum status ask(struct influx *db, const struct series_query *q, const char *statement,
                       json_t **answer, struct fault *fault)
{
    json_t *params = parameters(q);
    enum status st;

    if (!params)
        return fault_set(fault, ST_FATAL, "out of memory");
    st = influx_query(db, statement, params, answer, fault);
    json_decref(params);
    if (st != ST_OK && st != ST_RETRY && strstr(fault->text, "database not found")) {
        *answer =
            json_object(); /* ingest makes it with the first record: nothing was measured yet */
        st = *answer ? ST_OK : ST_FATAL;
    }
    return st;
}

static int64_t time_of(const json_t *row)
{
    return json_integer_value(json_array_get(row, 0));
}

static double value_of(const json_t *row, size_t column)
{
    const json_t *v = json_array_get(row, column);

    return json_is_number(v) ? json_number_value(v) : NAN;
}

/* How many values `path` has in the interval. */
static enum status count_values(struct influx *db, const struct series_query *q, const char *path,
                                size_t *out, struct fault *fault)
{
    char statement[512];
    json_t *answer = NULL;
    enum status st;

    snprintf(statement, sizeof statement, "SELECT count(\"%s\")" WHERE, path);
    st = ask(db, q, statement, &answer, fault);
    if (st == ST_OK) {
        const json_t *row = json_array_get(rows_of(answer), 0);

        *out = (size_t)json_integer_value(json_array_get(row, 1));
        json_decref(answer);
    }
    return st;
}

static enum status take_raw(const json_t *rows, size_t most, struct series *out,
                            struct fault *fault)
{
    size_t n = json_array_size(rows), points = 0;
    struct point *in = calloc(n + 1, sizeof *in);

    out->spans = calloc(most + 1, sizeof *out->spans);
    if (!in || !out->spans) {
        free(in);
        free(out->spans);
        return fault_set(fault, ST_FATAL, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *row = json_array_get(rows, i);

        in[points] = (struct point){time_of(row), value_of(row, 1)};
        points += isfinite(in[points].v) ? 1 : 0;
    }
    out->count = reduce_points(in, points, most, out->spans);
    free(in);
    return ST_OK;
}

static enum status take_buckets(const json_t *rows, size_t most, struct series *out,
                                struct fault *fault)
{
    size_t n = json_array_size(rows);

    out->spans = calloc(most + 1, sizeof *out->spans);
    if (!out->spans)
        return fault_set(fault, ST_FATAL, "out of memory");
    out->count = 0;
    for (size_t i = 0; i < n && out->count < most; i++) {
        const json_t *row = json_array_get(rows, i);
        struct span s = {time_of(row), value_of(row, 1), value_of(row, 2), value_of(row, 3)};

        if (isfinite(s.v) && isfinite(s.min) && isfinite(s.max))
            out->spans[out->count++] = s;
    }
    return ST_OK;
}

static bool is_place(const char *path)
{
    static const char place[] = "Vehicle.CurrentLocation.";

    return strncmp(path, place, sizeof place - 1) == 0;
}

/* Out of the 1-minute values: they outlive the samples, and have no positions. */
static enum status read_minutes(struct influx *db, const struct series_query *q, const char *path,
                                struct series *out, struct fault *fault)
{
    int64_t width_ms = reduce_width_ms(q->from_ms, q->to_ms, q->most);
    char statement[1024];
    json_t *answer = NULL;
    enum status st;

    *out = (struct series){0};
    if (is_place(path))
        return ST_OK;
    snprintf(statement, sizeof statement,
             "SELECT last(\"last_%s\"), min(\"min_%s\"), max(\"max_%s\") FROM "
             "\"minutes\".\"telemetry_1m\"" BETWEEN " GROUP BY time(%lldms) fill(none)",
             path, path, path, (long long)(width_ms > MINUTE_MS ? width_ms : MINUTE_MS));
    st = ask(db, q, statement, &answer, fault);
    if (st == ST_REJECT && strstr(fault->text, "retention policy not found"))
        return ST_OK; /* ingest makes it with the first minute */
    if (st != ST_OK)
        return st;
    st = take_buckets(rows_of(answer), q->most, out, fault);
    json_decref(answer);
    return st;
}

static enum status read_samples(struct influx *db, const struct series_query *q, const char *path,
                                size_t count, struct series *out, struct fault *fault)
{
    char statement[1024];
    json_t *answer = NULL;
    enum status st;
    bool raw = count <= RAW_MOST;

    if (raw)
        snprintf(statement, sizeof statement, "SELECT \"%s\"" WHERE, path);
    else
        snprintf(statement, sizeof statement,
                 "SELECT last(\"%s\"), min(\"%s\"), max(\"%s\")" WHERE
                 " GROUP BY time(%lldms) fill(none)",
                 path, path, path, (long long)reduce_width_ms(q->from_ms, q->to_ms, q->most));
    if ((st = ask(db, q, statement, &answer, fault)) != ST_OK)
        return st;
    st = raw ? take_raw(rows_of(answer), q->most, out, fault)
             : take_buckets(rows_of(answer), q->most, out, fault);
    json_decref(answer);
    return st;
}

/* Where there are no samples, their minutes may be left: a customer may keep samples for days only.
 */
enum status series_read(struct influx *db, const struct series_query *q, uint16_t signal,
                        struct series *out, struct fault *fault)
{
    const char *path = signal_row(signal)->path;
    size_t count = 0;
    enum status st;

    if (q->minutes)
        return read_minutes(db, q, path, out, fault);
    if ((st = count_values(db, q, path, &count, fault)) != ST_OK)
        return st;
    return count > 0 ? read_samples(db, q, path, count, out, fault)
                     : read_minutes(db, q, path, out, fault);
}

static enum status take_places(const json_t *rows, size_t most, struct places *out,
                               struct fault *fault)
{
    size_t n = json_array_size(rows);

    out->count = 0;
    out->items = calloc(most + 1, sizeof *out->items);
    if (!out->items)
        return fault_set(fault, ST_FATAL, "out of memory");
    for (size_t i = 0; i < n && out->count < most; i++) {
        const json_t *row = json_array_get(rows, i);
        struct place p = {time_of(row), value_of(row, 1), value_of(row, 2), value_of(row, 3)};

        if (isfinite(p.lat) && isfinite(p.lon))
            out->items[out->count++] = p;
    }
    return ST_OK;
}

#define LAT "\"Vehicle.CurrentLocation.Latitude\""
#define LON "\"Vehicle.CurrentLocation.Longitude\""
#define SPEED "\"Vehicle.Speed\""

/* Add one page of speeds; ST_NONE: it was the last. */
static enum status take_speeds(struct influx *db, const struct series_query *q, struct point *out,
                               size_t *count, struct fault *fault)
{
    json_t *answer = NULL;
    char statement[512];
    enum status st;
    size_t n;

    snprintf(statement, sizeof statement, "SELECT " SPEED WHERE " LIMIT %d", RAW_MOST);
    if ((st = ask(db, q, statement, &answer, fault)) != ST_OK)
        return st;
    n = json_array_size(rows_of(answer));
    for (size_t i = 0; i < n; i++) {
        const json_t *row = json_array_get(rows_of(answer), i);

        out[*count] = (struct point){time_of(row), value_of(row, 1)};
        *count += isfinite(out[*count].v) ? 1 : 0;
    }
    json_decref(answer);
    return n < RAW_MOST ? ST_NONE : ST_OK;
}

/* The engine's speeds from the first place to the last.  So many pages are more than ten days of
 * driving at one a second; what lies beyond has no speed. */
static enum status add_speeds(struct influx *db, const struct series_query *asked,
                              struct places *places, struct fault *fault)
{
    struct series_query q = *asked;
    struct point *speeds = NULL;
    enum status st = ST_OK;
    size_t count = 0;

    if (!places->count)
        return ST_OK;
    q.from_ms = places->items[0].t_ms - PLACE_SPEED_WITHIN_MS;
    q.to_ms = places->items[places->count - 1].t_ms + PLACE_SPEED_WITHIN_MS;
    for (int page = 0; page < SPEED_PAGES && st == ST_OK; page++) {
        struct point *more = realloc(speeds, (count + RAW_MOST) * sizeof *speeds);

        if (!more) {
            st = fault_set(fault, ST_FATAL, "out of memory");
            break;
        }
        speeds = more;
        st = take_speeds(db, &q, speeds, &count, fault);
        q.from_ms = count ? speeds[count - 1].t_ms + 1 : q.to_ms;
    }
    if (st == ST_OK || st == ST_NONE) {
        reduce_speeds(places->items, places->count, speeds, count);
        st = ST_OK;
    }
    free(speeds);
    return st;
}

enum status places_read(struct influx *db, const struct series_query *q, struct places *out,
                        struct fault *fault)
{
    int64_t width_ms = reduce_width_ms(q->from_ms, q->to_ms, q->most);
    char statement[1024];
    json_t *answer = NULL;
    size_t count = 0;
    enum status st;

    st = count_values(db, q, "Vehicle.CurrentLocation.Latitude", &count, fault);
    if (st != ST_OK)
        return st;
    if (count <= q->most) /* only rows with a position: an engine may speak ten times as often */
        snprintf(statement, sizeof statement, "SELECT " LAT ", " LON WHERE " AND " LAT " > -91");
    else
        snprintf(statement, sizeof statement,
                 "SELECT first(" LAT "), first(" LON "), first(" SPEED ")" WHERE
                 " GROUP BY time(%lldms) fill(none)",
                 (long long)width_ms);
    if ((st = ask(db, q, statement, &answer, fault)) != ST_OK)
        return st;
    st = take_places(rows_of(answer), q->most, out, fault);
    json_decref(answer);
    if (st == ST_OK && (count <= q->most || width_ms <= PLACE_SPEED_WITHIN_MS))
        st = add_speeds(db, q, out, fault);
    if (st != ST_OK) {
        free(out->items);
        out->items = NULL;
    }
    return st;
}
