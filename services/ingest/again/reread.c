/* services/ingest/again/reread.c - InfluxQL, page by page. */
#include "reread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/stop.h"
#include "proto/signals.h"

/* Samples a page.  InfluxDB copies and sorts all it has in memory of the vehicle for each, so few
 * large ones are cheaper, as far as there is room for what they hold. */
#define PAGE_LEAST 2000
#define PAGE_MOST 10000
#define PAGE_VALUES 120000
#define COLUMNS_MAX 1024

static enum status read_page(struct influx *db, const char *vin, int64_t after_ms, int64_t until_ms,
                             size_t page, json_t **answer, struct fault *fault)
{
    char after[25], until[25], text[160];
    json_t *params;
    enum status st;

    clock_print(after, after_ms);
    clock_print(until, until_ms);
    params = json_pack("{s:s, s:s, s:s}", "vin", vin, "after", after, "until", until);
    if (!params)
        return fault_set(fault, ST_RETRY, "out of memory for a question");
    (void)snprintf(text, sizeof text,
                   "SELECT * FROM telemetry WHERE vin = $vin AND time > $after AND time <= $until "
                   "ORDER BY time LIMIT %zu",
                   page);
    st = influx_query(db, text, params, answer, fault);
    json_decref(params);
    return st;
}

/* What each column is: 0 the time, SIGNAL_NONE nothing of ours. */
static size_t read_columns(const json_t *series, uint16_t signals[COLUMNS_MAX])
{
    const json_t *columns = json_object_get(series, "columns"), *name;
    size_t i, n = 0;

    json_array_foreach(columns, i, name)
    {
        const char *path = json_string_value(name);

        if (n == COLUMNS_MAX)
            break;
        signals[n++] = path ? signal_find(path, strlen(path)) : SIGNAL_NONE;
    }
    return n;
}

static size_t read_row(const json_t *row, const uint16_t *signals, size_t columns,
                       struct reading readings[COLUMNS_MAX])
{
    size_t n = 0;

    for (size_t i = 1; i < columns; i++) {
        const json_t *value = json_array_get(row, i);

        if (signals[i] != SIGNAL_NONE && json_is_number(value))
            readings[n++] = (struct reading){signals[i], json_number_value(value)};
    }
    return n;
}

/* As many as there is room for, of so many columns. */
static size_t page_of(size_t columns)
{
    size_t n = columns > 0 ? PAGE_VALUES / columns : PAGE_LEAST;

    return n < PAGE_LEAST ? PAGE_LEAST : n > PAGE_MOST ? PAGE_MOST : n;
}

enum status reread_each(struct influx *db, const char *vin, int64_t after_ms, int64_t until_ms,
                        int64_t *left, reread_step *step, void *self, struct fault *fault)
{
    uint16_t signals[COLUMNS_MAX];
    struct reading readings[COLUMNS_MAX];
    size_t page = PAGE_LEAST;
    bool more = true;

    while (more && after_ms < until_ms) {
        json_t *answer = NULL, *row;
        const json_t *series;
        size_t i, columns, rows;
        enum status st;

        if (stop_asked())
            return fault_set(fault, ST_RETRY, "stop was asked for");
        if (*left <= 0)
            return fault_set(fault, ST_REJECT, "too many samples to be stepped over again");
        if ((st = read_page(db, vin, after_ms, until_ms, page, &answer, fault)) != ST_OK)
            return st;
        series = json_array_get(
            json_object_get(json_array_get(json_object_get(answer, "results"), 0), "series"), 0);
        columns = read_columns(series, signals);
        rows = json_array_size(json_object_get(series, "values"));
        *left -= (int64_t)rows;
        more = rows == page;
        page = page_of(columns);
        json_array_foreach(json_object_get(series, "values"), i, row)
        {
            after_ms = json_integer_value(json_array_get(row, 0));
            step(self, after_ms, readings, read_row(row, signals, columns, readings));
        }
        json_decref(answer);
    }
    return ST_OK;
}
