/* lib/store/line.c - samples as InfluxDB line protocol. */
#include "lib/store/line.h"

#include <endian.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "proto/json.h"
#include "proto/vin.h"

/* Of LINE_ROOM: 64 for head, VIN and time, and a field is SIGNAL_FIELD_MAX, VALUE_MAX at most. */
#define HEAD "telemetry,vin="
#define HEAD_LEN (sizeof HEAD - 1)
#define VALUE_MAX 32
#define BLOCK 32 /* of text, copied whole; also VALUE_MAX, so that what it writes over is room */
#define KEPT 64  /* readings of a sample whose text the next one may take over */

#define ASCII_ZEROS UINT64_C(0x3030303030303030)

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
    digits = htole64((digits | ASCII_ZEROS) >> 8 * first);
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

/* "path=value" into SIGNAL_FIELD_MAX + VALUE_MAX bytes; its length, 0 when there is nothing to
 * write: a signal we do not know, a value that is no number. */
static inline size_t print_field(char *out, const struct reading *r, size_t known)
{
    const struct signal_field *field = &signal_fields[r->signal - 1];
    size_t value_len;

    if (r->signal == SIGNAL_NONE || r->signal > known || !isfinite(r->value))
        return 0;
    memcpy(out, field->text, SIGNAL_FIELD_MAX / 2); /* of known lengths: no call, no loop */
    if (field->len > SIGNAL_FIELD_MAX / 2)
        memcpy(out + SIGNAL_FIELD_MAX / 2, field->text + SIGNAL_FIELD_MAX / 2,
               SIGNAL_FIELD_MAX / 2);
    out += field->len;
    value_len = print_expected(out, r->value, field->decimals);
    if (value_len == 0)
        value_len = json_print_double(out, r->value);
    return field->len + value_len;
}

/* " 1795248000000\n": of a time below 10^16 the eight lowest digits as they are, those before them
 * without their zeros. */
static size_t print_time(char *out, int64_t t_ms)
{
    uint64_t rest = t_ms < 0 ? -(uint64_t)t_ms : (uint64_t)t_ms, digits;
    size_t len = 0;

    out[len++] = ' ';
    if (t_ms < 0)
        out[len++] = '-';
    if (rest < 100000000 || rest >= UINT64_C(10000000000000000)) {
        len += print_long(out + len, rest, 0);
    } else {
        len += print_short(out + len, (uint32_t)(rest / 100000000), 0);
        digits = htole64(eight_digits((uint32_t)(rest % 100000000)) | ASCII_ZEROS);
        memcpy(out + len, &digits, sizeof digits);
        len += sizeof digits;
    }
    out[len++] = '\n';
    return len;
}

/* A line that was printed. */
struct printed {
    const struct reading *readings;
    uint32_t count;         /* 0: there is none to take over from */
    const char *text[KEPT]; /* of each reading, without what stands before it */
    unsigned char text_len[KEPT];
};

static inline bool is_same(const struct reading *a, const struct reading *b)
{
    return a->signal == b->signal && memcmp(&a->value, &b->value, sizeof a->value) == 0;
}

/* In whole blocks: what lies behind is room, and what is copied lies more than a block before. */
static inline size_t take_over(char *out, const char *text, size_t len)
{
    for (size_t at = 0; at < len; at += BLOCK)
        memcpy(out + at, text + at, BLOCK);
    return len;
}

/* Many values are what they were a second ago: their text is there already. */
static char *print_fields(char *at, const struct sample *s, const struct reading *readings,
                          size_t known, struct printed *last)
{
    const struct printed before = {.readings = last->readings, .count = last->count};
    char separator = ' ';

    for (uint32_t i = 0; i < s->count; i++) {
        size_t len;

        if (i < before.count && is_same(&readings[i], &before.readings[i]))
            len = take_over(at + 1, last->text[i], last->text_len[i]);
        else
            len = print_field(at + 1, &readings[i], known);
        if (i < KEPT) {
            last->text[i] = at + 1;
            last->text_len[i] = (unsigned char)len;
        }
        if (len == 0)
            continue;
        *at = separator;
        separator = ',';
        at += 1 + len;
    }
    last->readings = readings;
    last->count = s->count < KEPT ? s->count : KEPT;
    return at;
}

/* Either the whole line or nothing; its length. */
static size_t print_line(char *out, const char *vin, const struct sample *s,
                         const struct reading *readings, size_t known, struct printed *last)
{
    char *fields = out + HEAD_LEN + VIN_LEN, *at;

    memcpy(out, HEAD, HEAD_LEN);
    memcpy(out + HEAD_LEN, vin, VIN_LEN);
    at = print_fields(fields, s, readings, known, last);
    if (at == fields) {
        last->count = 0; /* what comes next is printed over it */
        return 0;
    }
    at += print_time(at, s->t_ms);
    return (size_t)(at - out);
}

size_t line_fill(char *out, size_t room, const char *vin, const struct telemetry *record,
                 size_t *next, size_t *lines)
{
    size_t known = signal_count(), used = 0;
    struct printed last __attribute__((uninitialized));

    last.count = 0;
    if (!vin_is_valid(vin, strlen(vin)))
        *next = record->sample_count;
    for (; *next < record->sample_count; ++*next) {
        const struct sample *s = &record->samples[*next];
        size_t len;

        if (LINE_ROOM(s->count) > room - used)
            break;
        len = print_line(out + used, vin, s, record->readings + s->first, known, &last);
        *lines += len > 0;
        used += len;
    }
    return used;
}

size_t line_add(struct text *out, const char *vin, const struct telemetry *record,
                size_t first_sample, size_t count)
{
    struct telemetry part = *record;
    size_t lines = 0, room = 0;

    if (first_sample >= record->sample_count)
        return 0;
    part.sample_count =
        first_sample +
        (count < record->sample_count - first_sample ? count : record->sample_count - first_sample);
    for (size_t i = first_sample; i < part.sample_count; i++)
        room += LINE_ROOM(part.samples[i].count);
    if (!text_reserve(out, room))
        return 0;
    out->len += line_fill(out->bytes + out->len, room, vin, &part, &first_sample, &lines);
    out->bytes[out->len] = '\0';
    return lines;
}
