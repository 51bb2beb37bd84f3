/* lib/store/line.c - samples as InfluxDB line protocol. */
#include "lib/store/line.h"

#include <endian.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "proto/json.h"
#include "proto/unfilled.h"
#include "proto/vin.h"

/* Of LINE_ROOM: 64 for head, VIN and time, and a field is SIGNAL_FIELD_MAX, VALUE_MAX at most. */
#define HEAD "telemetry,vin="
#define HEAD_LEN (sizeof HEAD - 1)
#define VALUE_MAX 32
#define BLOCK 32 /* of text, copied whole; also VALUE_MAX, so that what it writes over is room */
#define KEPT 64  /* readings of a sample whose text the next one may take over */

#define ASCII_ZEROS UINT64_C(0x3030303030303030)

/* How a value is printed whose signal keeps so many decimals. */
struct form {
    double ten;            /* 10^decimals */
    double below;          /* an integer of more than eight digits goes the long way */
    uint64_t point;        /* of eight digits, a bit in the last one before the point */
    unsigned whole, shift; /* digits before the point; bits up to there, but for the last byte */
    unsigned decimals;
};
#define FORM(n)                                                                                    \
    {                                                                                              \
        1e##n, 99999999, UINT64_C(1) << 8 * (7 - (n)), 8 - (n), 8 * (7 - (n)), n                   \
    }
static const struct form forms[] = {FORM(0),
                                    FORM(1),
                                    FORM(2),
                                    FORM(3),
                                    FORM(4),
                                    FORM(5),
                                    FORM(6),
                                    FORM(7),
                                    {1e8, 0, 0, 0, 0, 8},
                                    {1e9, 0, 0, 0, 0, 9}};

/* The two digits of 0 .. 99, one in each byte, the first one lowest. */
#define TEN(d)                                                                                     \
    (d), (d) | 0x100, (d) | 0x200, (d) | 0x300, (d) | 0x400, (d) | 0x500, (d) | 0x600,             \
        (d) | 0x700, (d) | 0x800, (d) | 0x900
static const uint16_t two_digits[] = {TEN(0), TEN(1), TEN(2), TEN(3), TEN(4),
                                      TEN(5), TEN(6), TEN(7), TEN(8), TEN(9)};

/* The same of a number below 10^4, and of one below 10^8. */
static inline uint32_t four_digits(uint32_t number)
{
    return two_digits[number / 100] | (uint32_t)two_digits[number % 100] << 16;
}

static inline uint64_t eight_digits(uint32_t number)
{
    return four_digits(number / 10000) | (uint64_t)four_digits(number % 10000) << 32;
}

/* number / 10^decimals in the fewest digits, into room for 17; its length.  The digit before the
 * point counts as none of the zeros that go, whatever it is. */
static inline size_t print_short(char *out, uint32_t number, const struct form *form)
{
    uint64_t digits = number < 10000 ? (uint64_t)four_digits(number) << 32 : eight_digits(number);
    uint64_t kept = digits | form->point, text;
    unsigned first = (unsigned)__builtin_ctzll(kept) / 8,
             last = (unsigned)__builtin_clzll(kept) / 8;
    size_t whole = form->whole - first;

    digits |= ASCII_ZEROS;
    text = htole64(digits >> 8 * first);
    memcpy(out, &text, sizeof text);
    out[whole] = '.';
    text = htole64(digits >> form->shift >> 8);
    memcpy(out + whole + 1, &text, sizeof text);
    return whole + (last < form->decimals ? 1 + form->decimals - last : 0);
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

/* Any value; 0: it is no number. */
static __attribute__((noinline)) size_t print_rare(char *out, double value, const struct form *form)
{
    double size = fabs(value), scaled = size * form->ten;
    size_t minus = value < 0;
    uint64_t integer;

    if (!(scaled < 1e15))
        return json_print_double(out, value);
    integer = (uint64_t)(scaled + 0.5);
    if ((double)integer / form->ten != size)
        return json_print_double(out, value);
    out[0] = '-';
    return minus + print_long(out + minus, integer, (int)form->decimals);
}

/* Most values are an integer / 10^decimals, `decimals` being what their signal keeps.  An integer
 * of up to 15 digits divided by a power of ten is the double nearest to that decimal number, which
 * is what strtod makes of its digits, and no shorter number has the same double; so one division
 * tells that they are the text.  0: it is no number. */
static inline __attribute__((always_inline)) size_t print_value(char *out, double value,
                                                                const struct form *form)
{
    double size = fabs(value), scaled = size * form->ten;
    size_t minus = value < 0;
    int32_t integer; /* of one sign: to a double and back in one instruction */

    if (!(scaled < form->below))
        return print_rare(out, value, form);
    integer = (int32_t)(scaled + 0.5);
    if ((double)integer / form->ten != size)
        return print_rare(out, value, form);
    out[0] = '-';
    return minus + print_short(out + minus, (uint32_t)integer, form);
}

/* "path=" into SIGNAL_FIELD_MAX bytes; its length, 0: a signal we do not know. */
static inline size_t print_name(char *out, uint16_t signal, size_t known)
{
    const struct signal_field *field = &signal_fields[signal - 1];

    if (signal == SIGNAL_NONE || signal > known)
        return 0;
    memcpy(out, field->text, SIGNAL_FIELD_MAX / 2); /* of known lengths: no call, no loop */
    if (field->len > SIGNAL_FIELD_MAX / 2)
        memcpy(out + SIGNAL_FIELD_MAX / 2, field->text + SIGNAL_FIELD_MAX / 2,
               SIGNAL_FIELD_MAX / 2);
    return field->len;
}

static inline const struct form *form_of(uint16_t signal)
{
    return &forms[signal_fields[signal - 1].decimals];
}

/* "path=value" into SIGNAL_FIELD_MAX + VALUE_MAX bytes; its length, 0 when there is nothing to
 * write: a signal we do not know, a value that is no number. */
static inline size_t print_field(char *out, const struct reading *r, size_t known)
{
    size_t name_len = print_name(out, r->signal, known), value_len;

    if (name_len == 0)
        return 0;
    value_len = print_value(out + name_len, r->value, form_of(r->signal));
    return value_len ? name_len + value_len : 0;
}

/* " 1795248000000\n": the eight lowest digits as they are, those before them without their zeros.
 */
#define LOW_DIGITS 100000000

static inline size_t print_low(char *out, uint32_t low)
{
    uint64_t digits = htole64(eight_digits(low) | ASCII_ZEROS);

    memcpy(out, &digits, sizeof digits);
    out[sizeof digits] = '\n';
    return sizeof digits + 1;
}

static size_t print_time(char *out, int64_t t_ms)
{
    uint64_t rest = t_ms < 0 ? -(uint64_t)t_ms : (uint64_t)t_ms;
    size_t len = 0;

    out[len++] = ' ';
    if (t_ms < 0)
        out[len++] = '-';
    if (rest >= LOW_DIGITS) {
        len += print_long(out + len, rest / LOW_DIGITS, 0);
        return len + print_low(out + len, (uint32_t)(rest % LOW_DIGITS));
    }
    len += print_long(out + len, rest, 0);
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

/* ---- samples of the same signals: what stands between the values is written once */

#define SKELETON_FROM 3      /* samples, before it is worth it */
#define NO_NUMBER UINT64_MAX /* bits of a value that has no text */

/* A value that changes, and what stands before it: names, and values that do not. */
struct bone {
    const char *before;
    size_t before_len;
    uint32_t place; /* of the reading in its sample */
    const struct form *form;
    uint64_t bits; /* of its last value, and the text of that */
    const char *text;
    size_t text_len;
};

struct skeleton {
    size_t bones;
    const char *tail; /* values that do not change, up to the time */
    size_t tail_len;
    uint64_t high; /* the time without its last eight digits, and the text of that */
    size_t high_len;
    char high_text[BLOCK];
    struct bone bone[KEPT];
    char text[HEAD_LEN + VIN_LEN + KEPT * (1 + SIGNAL_FIELD_MAX + VALUE_MAX) + 2 * BLOCK];
};

static bool is_constant(const struct telemetry *t, size_t from, uint32_t place)
{
    const struct reading *first = &t->readings[t->samples[from].first + place];

    for (size_t i = from + 1; i < t->sample_count; i++)
        if (memcmp(&t->readings[t->samples[i].first + place].value, &first->value,
                   sizeof first->value) != 0)
            return false;
    return true;
}

/* False: some of it can only be written sample by sample. */
static bool make_bones(struct skeleton *k, const struct telemetry *t, size_t from, size_t known)
{
    const struct sample *s = &t->samples[from];
    char *begun = k->text, *at = k->text + HEAD_LEN + VIN_LEN;

    for (uint32_t i = 0; i < s->count; i++) {
        const struct reading *r = &t->readings[s->first + i];
        bool constant = is_constant(t, from, i);
        size_t len;

        *at++ = i ? ',' : ' ';
        len = constant ? print_field(at, r, known) : print_name(at, r->signal, known);
        if (len == 0)
            return false;
        at += len;
        if (constant)
            continue;
        k->bone[k->bones++] = (struct bone){.before = begun,
                                            .before_len = (size_t)(at - begun),
                                            .place = i,
                                            .bits = NO_NUMBER,
                                            .text = k->text,
                                            .form = form_of(r->signal)};
        begun = at;
    }
    k->tail = begun;
    k->tail_len = (size_t)(at - begun);
    return true;
}

static bool make_skeleton(struct skeleton *k, const char *vin, const struct telemetry *t,
                          size_t from, size_t known)
{
    k->bones = 0;
    k->high = UINT64_MAX;
    if (!t->alike || t->sample_count - from < SKELETON_FROM || t->samples[from].count > KEPT)
        return false;
    memcpy(k->text, HEAD, HEAD_LEN);
    memcpy(k->text + HEAD_LEN, vin, VIN_LEN);
    return make_bones(k, t, from, known);
}

/* Most names end within two blocks. */
static inline size_t copy_before(char *out, const char *text, size_t len)
{
    memcpy(out, text, 2 * BLOCK);
    for (size_t at = 2 * BLOCK; at < len; at += BLOCK)
        memcpy(out + at, text + at, BLOCK);
    return len;
}

/* The value, and its text for the next sample. */
static inline size_t print_bone(char *out, struct bone *b, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    if (bits == b->bits) {
        memcpy(out, b->text, BLOCK);
    } else {
        b->bits = bits;
        b->text_len = print_value(out, value, b->form);
    }
    b->text = out;
    return b->text_len;
}

/* What comes before the last eight digits is the same for a day. */
static inline size_t print_time_like(char *out, struct skeleton *k, int64_t t_ms)
{
    uint64_t high = (uint64_t)t_ms / LOW_DIGITS;
    size_t len;

    if (high != k->high) {
        len = print_time(out, t_ms);
        if (t_ms >= LOW_DIGITS) {
            k->high = high;
            k->high_len = len - sizeof "12345678";
            memcpy(k->high_text, out, BLOCK);
        }
        return len;
    }
    memcpy(out, k->high_text, BLOCK / 2);
    return k->high_len + print_low(out + k->high_len, (uint32_t)((uint64_t)t_ms % LOW_DIGITS));
}

/* Its length; 0: a value is no number, the line has to be written the long way. */
static size_t print_alike(char *out, struct skeleton *k, const struct sample *s,
                          const struct reading *readings)
{
    char *at = out;

    for (size_t i = 0; i < k->bones; i++) {
        struct bone *b = &k->bone[i];
        size_t len;

        at += copy_before(at, b->before, b->before_len);
        if ((len = print_bone(at, b, readings[b->place].value)) == 0)
            return 0;
        at += len;
    }
    at += take_over(at, k->tail, k->tail_len);
    at += print_time_like(at, k, s->t_ms);
    return (size_t)(at - out);
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
    struct printed last UNFILLED;
    struct skeleton skeleton UNFILLED;
    bool alike;

    last.count = 0;
    if (!vin_is_valid(vin, strlen(vin)))
        *next = record->sample_count;
    alike = *next < record->sample_count && make_skeleton(&skeleton, vin, record, *next, known);
    for (; *next < record->sample_count; ++*next) {
        const struct sample *s = &record->samples[*next];
        const struct reading *readings = record->readings + s->first;
        size_t len = 0;

        if (LINE_ROOM(s->count) > room - used)
            break;
        alike = alike && (len = print_alike(out + used, &skeleton, s, readings)) > 0;
        if (!alike)
            len = print_line(out + used, vin, s, readings, known, &last);
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

static size_t name_bytes(const struct telemetry *t, size_t samples)
{
    size_t bytes = 0;

    for (size_t i = 0; i < samples; i++)
        for (uint32_t k = 0; k < t->samples[i].count; k++) {
            uint16_t signal = t->readings[t->samples[i].first + k].signal;

            bytes += 1U + (signal == SIGNAL_NONE ? 0U : signal_fields[signal - 1].len);
        }
    return bytes;
}

size_t line_most(const struct telemetry *record)
{
    size_t n = record->sample_count, names;
    char time[BLOCK];

    if (record->value_bytes == 0 || n == 0)
        return 0;
    names = record->alike ? n * name_bytes(record, 1) : name_bytes(record, n);
    return names + record->value_bytes +
           n * (HEAD_LEN + VIN_LEN + print_time(time, record->samples[n - 1].t_ms));
}
