/* lib/store/line.c - samples as InfluxDB line protocol. */
#include "lib/store/line.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "proto/json.h"
#include "proto/vin.h"

#define HEAD "telemetry,vin="
#define HEAD_LEN (sizeof HEAD - 1)
#define FIELD_MAX (1 + SIGNAL_PATH_MAX + 1 + 32)
#define LINE_PIECE 2048

/* Filling it with zeros on every call (-ftrivial-auto-var-init) would cost more than the work. */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define SCRATCH __attribute__((uninitialized))
#endif
#endif
#ifndef SCRATCH
#define SCRATCH
#endif

/* A value that is an integer / 10^`decimals`, as most are: what their signal keeps.  0: it is not;
 * the digits are those json_print_double would print. */
static size_t print_expected(char *out, double value, int decimals)
{
    static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    double size = fabs(value), scaled = size * tens[decimals];
    char digits[24];
    uint64_t integer;
    int n = 0, len = 0;

    if (!(scaled < 1e15))
        return 0;
    integer = (uint64_t)(scaled + 0.5);
    if ((double)integer / tens[decimals] != size)
        return 0;
    for (; decimals > 0 && integer % 10 == 0; decimals--)
        integer /= 10;
    do
        digits[n++] = (char)('0' + integer % 10);
    while ((integer /= 10) != 0);
    while (n <= decimals)
        digits[n++] = '0';
    if (value < 0)
        out[len++] = '-';
    while (n > decimals)
        out[len++] = digits[--n];
    if (decimals > 0)
        out[len++] = '.';
    while (n > 0)
        out[len++] = digits[--n];
    return (size_t)len;
}

/* One "path=value" with `before` in front, into room for FIELD_MAX; its length, 0 when there is
 * nothing to write: a signal we do not know, a value that is no number. */
static inline size_t print_field(char *out, const struct reading *r, char before)
{
    const struct signal_row *row = signal_row(r->signal);
    size_t path_len = signal_path_len(r->signal), value_len;

    if (!row || !isfinite(r->value))
        return 0;
    out[0] = before;
    memcpy(out + 1, row->path, path_len);
    out[1 + path_len] = '=';
    value_len = print_expected(out + 2 + path_len, r->value, row->decimals);
    if (value_len == 0)
        value_len = json_print_double(out + 2 + path_len, r->value);
    return 2 + path_len + value_len;
}

/* " 1795248000000\n" */
static size_t print_time(char *out, int64_t t_ms)
{
    uint64_t rest = t_ms < 0 ? -(uint64_t)t_ms : (uint64_t)t_ms;
    char digits[24];
    size_t n = 0, len = 0;

    do
        digits[n++] = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    out[len++] = ' ';
    if (t_ms < 0)
        out[len++] = '-';
    while (n > 0)
        out[len++] = digits[--n];
    out[len++] = '\n';
    return len;
}

/* Either the whole line or nothing.  It grows in `line` and goes out in pieces of up to its size.
 */
static bool add_line(struct text *out, const char *vin, const struct sample *s,
                     const struct reading *readings)
{
    char line[LINE_PIECE + FIELD_MAX] SCRATCH;
    size_t begin = out->len, len = HEAD_LEN + VIN_LEN;
    char before = ' ';

    memcpy(line, HEAD, HEAD_LEN);
    memcpy(line + HEAD_LEN, vin, VIN_LEN);
    for (uint32_t i = 0; i < s->count; i++) {
        size_t field_len = print_field(line + len, &readings[s->first + i], before);

        if (field_len > 0)
            before = ',';
        if ((len += field_len) > LINE_PIECE) {
            text_add(out, line, len);
            len = 0;
        }
    }
    len += print_time(line + len, s->t_ms);
    text_add(out, line, len);
    if (!out->failed && before == ',')
        return true;
    if (!out->failed) {
        out->len = begin;
        out->bytes[begin] = '\0';
    }
    return false;
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
