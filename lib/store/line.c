/* lib/store/line.c - samples as InfluxDB line protocol. */
#include "lib/store/line.h"

#include <endian.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "proto/json.h"
#include "proto/vin.h"

#define HEAD "telemetry,vin="
#define HEAD_LEN (sizeof HEAD - 1)
#define VALUE_MAX 32
#define FIELD_MAX (1 + SIGNAL_FIELD_MAX + VALUE_MAX) /* what one may write, in blocks */
#define TIME_MAX 32

static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

/* The eight decimal digits of a number below 10^8, one in each byte, the first one lowest.
 * Two of four, four of two, eight of one: each step divides by multiplying. */
static inline uint64_t eight_digits(uint32_t number)
{
    uint64_t fours = number / 10000 | (uint64_t)(number % 10000) << 32;
    uint64_t hundreds = (fours * 10486 >> 20) & UINT64_C(0x7f0000007f);
    uint64_t twos = hundreds | (fours - 100 * hundreds) << 16;
    uint64_t high = (twos * 103 >> 10) & UINT64_C(0x000f000f000f000f);

    return high | (twos - 10 * high) << 8;
}

/* number / 10^decimals in the fewest digits, into room for 17; its length.  `decimals` < 8. */
static inline size_t print_short(char *out, uint32_t number, int decimals)
{
    uint64_t digits = eight_digits(number);
    int last = digits ? __builtin_clzll(digits) / 8 : 8,
        first = digits ? __builtin_ctzll(digits) / 8 : 8;
    int whole;

    if (last > decimals)
        last = decimals; /* zeros at the end of the fraction go */
    decimals -= last;
    if (first > 7 - last - decimals)
        first = 7 - last - decimals; /* one digit stays in front of the point */
    whole = 8 - last - decimals - first;
    digits = htole64((digits | UINT64_C(0x3030303030303030)) >> 8 * first);
    memcpy(out, &digits, sizeof digits);
    if (decimals == 0)
        return (size_t)whole;
    digits = htole64(le64toh(digits) >> 8 * whole);
    out[whole] = '.';
    memcpy(out + whole + 1, &digits, sizeof digits);
    return (size_t)(whole + 1 + decimals);
}

static size_t print_long(char *out, uint64_t integer, int decimals)
{
    char digits[24];
    int n = 0, len = 0;

    for (; decimals > 0 && integer % 10 == 0; decimals--)
        integer /= 10;
    do
        digits[n++] = (char)('0' + integer % 10);
    while ((integer /= 10) != 0);
    while (n <= decimals)
        digits[n++] = '0';
    while (n > decimals)
        out[len++] = digits[--n];
    if (decimals > 0)
        out[len++] = '.';
    while (n > 0)
        out[len++] = digits[--n];
    return (size_t)len;
}

/* A value that is an integer / 10^`decimals`, as most are: what their signal keeps.  0: it is not;
 * the digits are those json_print_double would print. */
static inline size_t print_expected(char *out, double value, int decimals)
{
    double size = fabs(value), scaled = size * tens[decimals];
    int64_t integer; /* of one sign: to a double and back in one instruction */
    size_t minus = value < 0;

    if (!(scaled < 1e15))
        return 0;
    integer = (int64_t)(scaled + 0.5);
    if ((double)integer / tens[decimals] != size)
        return 0;
    out[0] = '-';
    if (integer < 100000000 && decimals < 8)
        return minus + print_short(out + minus, (uint32_t)integer, decimals);
    return minus + print_long(out + minus, (uint64_t)integer, decimals);
}

/* One "path=value" with `before` in front, into room for FIELD_MAX; its length, 0 when there is
 * nothing to write: a signal we do not know, a value that is no number. */
static inline size_t print_field(char *out, const struct reading *r, size_t known, char before)
{
    const struct signal_field *field = &signal_fields[r->signal - 1];
    size_t value_len;

    if (r->signal == SIGNAL_NONE || r->signal > known || !isfinite(r->value))
        return 0;
    out++[0] = before;
    memcpy(out, field->text, SIGNAL_FIELD_MAX / 2); /* of known lengths: no call, no loop */
    if (field->len > SIGNAL_FIELD_MAX / 2)
        memcpy(out + SIGNAL_FIELD_MAX / 2, field->text + SIGNAL_FIELD_MAX / 2,
               SIGNAL_FIELD_MAX / 2);
    out += field->len;
    value_len = print_expected(out, r->value, field->decimals);
    if (value_len == 0)
        value_len = json_print_double(out, r->value);
    return 1 + field->len + value_len;
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

/* Either the whole line or nothing. */
static bool add_line(struct text *out, const char *vin, const struct sample *s,
                     const struct reading *readings, size_t known)
{
    const size_t most = HEAD_LEN + VIN_LEN + s->count * (size_t)FIELD_MAX + TIME_MAX;
    char before = ' ', *line, *at;

    if (!text_reserve(out, most))
        return false;
    at = line = out->bytes + out->len;
    memcpy(at, HEAD, HEAD_LEN);
    memcpy(at + HEAD_LEN, vin, VIN_LEN);
    at += HEAD_LEN + VIN_LEN;
    for (uint32_t i = 0; i < s->count; i++) {
        size_t len = print_field(at, &readings[s->first + i], known, before);

        if (len > 0)
            before = ',';
        at += len;
    }
    if (before == ',') {
        at += print_time(at, s->t_ms);
        out->len += (size_t)(at - line);
    }
    out->bytes[out->len] = '\0';
    return before == ',';
}

size_t line_add(struct text *out, const char *vin, const struct telemetry *record,
                size_t first_sample, size_t count)
{
    size_t lines = 0, known = signal_count();

    if (!vin_is_valid(vin, strlen(vin)) || first_sample >= record->sample_count)
        return 0;
    if (count > record->sample_count - first_sample)
        count = record->sample_count - first_sample;
    for (size_t i = 0; i < count; i++) {
        const struct sample *s = &record->samples[first_sample + i];

        if (s->count > 0 && add_line(out, vin, s, record->readings, known))
            lines++;
    }
    return lines;
}
