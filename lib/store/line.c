/* lib/store/line.c - samples as InfluxDB line protocol. */
#include "lib/store/line.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/json.h"
#include "proto/vin.h"

#define HEAD "telemetry,vin="
#define HEAD_LEN (sizeof HEAD - 1)

/* One "path=value"; false when there is nothing to write: a signal we do not know, a value that is
 * no number. */
static bool add_field(struct text *out, const struct reading *r, char before)
{
    const struct signal_row *row = signal_row(r->signal);
    char field[1 + SIGNAL_PATH_MAX + 1 + 32];
    size_t path_len, value_len;

    if (!row || !isfinite(r->value))
        return false;
    path_len = strlen(row->path);
    if (path_len > SIGNAL_PATH_MAX)
        return false;
    field[0] = before;
    memcpy(field + 1, row->path, path_len);
    field[1 + path_len] = '=';
    value_len = json_print_double(field + 2 + path_len, r->value);
    text_add(out, field, 2 + path_len + value_len);
    return true;
}

/* Either the whole line or nothing. */
static bool add_line(struct text *out, const char *vin, const struct sample *s,
                     const struct reading *readings)
{
    size_t begin = out->len;
    char before = ' ', end[24], head[HEAD_LEN + VIN_LEN];
    int n;

    memcpy(head, HEAD, HEAD_LEN);
    memcpy(head + HEAD_LEN, vin, VIN_LEN);
    text_add(out, head, sizeof head);
    for (uint32_t i = 0; i < s->count; i++)
        if (add_field(out, &readings[s->first + i], before))
            before = ',';
    if (out->failed)
        return false;
    if (before == ' ') {
        out->len = begin;
        out->bytes[begin] = '\0';
        return false;
    }
    n = snprintf(end, sizeof end, " %" PRId64 "\n", s->t_ms);
    text_add(out, end, (size_t)n);
    return !out->failed;
}

size_t line_add(struct text *out, const char *vin, const struct telemetry *record,
                size_t first_sample, size_t count)
{
    size_t lines = 0;

    if (!vin_is_valid(vin, strlen(vin)) || first_sample >= record->sample_count)
        return 0;
    if (count > record->sample_count - first_sample)
        count = record->sample_count - first_sample;
    for (size_t i = 0; i < count; i++) {
        const struct sample *s = &record->samples[first_sample + i];

        if (s->count > 0 && add_line(out, vin, s, record->readings))
            lines++;
    }
    return lines;
}
