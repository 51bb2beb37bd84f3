/* proto/columnar_write.c - columnar records: writing. */
#include "proto/columnar_inside.h"

#include <endian.h>
#include <math.h>
#include <string.h>

#include "proto/unfilled.h"

/* ---- bytes ---- */

struct out {
    unsigned char *at, *end;
    bool full;
};

static inline void put_u(struct out *o, uint64_t value)
{
    unsigned char *at = o->at;

    for (; value >= 0x80 && at < o->end; value >>= 7)
        *at++ = (unsigned char)(value | 0x80);
    if (at == o->end) {
        o->full = true;
        return;
    }
    *at++ = (unsigned char)value;
    o->at = at;
}

static inline void put_s(struct out *o, int64_t value)
{
    put_u(o, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

static void put_bytes(struct out *o, const void *bytes, size_t len)
{
    if (len > (size_t)(o->end - o->at)) {
        o->full = true;
        return;
    }
    memcpy(o->at, bytes, len);
    o->at += len;
}

static void put_byte(struct out *o, unsigned value)
{
    unsigned char byte = (unsigned char)value;

    put_bytes(o, &byte, 1);
}

/* ---- what a record is put together with ---- */

struct row {
    const struct sample *sample;
    uint32_t next;   /* its first reading that no column has taken yet */
    bool is_ordered; /* its readings come in the order of the columns */
};

struct writer {
    struct out out;
    const struct telemetry *t;
    size_t n, columns, m; /* m: values of the column at hand */
    struct row rows[TELEMETRY_SAMPLES_MAX];
    uint16_t signals[COLUMNAR_COLUMNS_MAX];
    double values[TELEMETRY_SAMPLES_MAX];  /* of the column at hand */
    int64_t scaled[TELEMETRY_SAMPLES_MAX]; /* the same times 10^e; before that, of the times */
    unsigned char present[(TELEMETRY_SAMPLES_MAX + 7) / 8];
};

/* The column of a signal, looked for where it should be first; a new one is appended. SIZE_MAX: too
 * many. */
static size_t column_of(struct writer *w, uint16_t signal, size_t expected)
{
    for (size_t i = expected; i < w->columns; i++)
        if (w->signals[i] == signal)
            return i;
    for (size_t i = 0; i < expected; i++)
        if (w->signals[i] == signal)
            return i;
    if (w->columns == COLUMNAR_COLUMNS_MAX)
        return SIZE_MAX;
    w->signals[w->columns] = signal;
    return w->columns++;
}

static enum status list_columns(struct writer *w, struct fault *fault)
{
    const struct telemetry *t = w->t;

    for (size_t i = 0; i < t->sample_count; i++) {
        const struct sample *s = &t->samples[i];
        struct row row = {s, s->first, true};
        size_t expected = 0;

        for (uint32_t k = s->first; k < s->first + s->count; k++) {
            size_t column = column_of(w, t->readings[k].signal, expected);

            if (column == SIZE_MAX)
                return fault_set(fault, ST_REJECT, "record has more than %d signals",
                                 COLUMNAR_COLUMNS_MAX);
            row.is_ordered &= column >= expected;
            expected = column + 1;
        }
        if (s->count == 0)
            continue;
        if (w->n == TELEMETRY_SAMPLES_MAX)
            return fault_set(fault, ST_REJECT, "record has more than %d samples",
                             TELEMETRY_SAMPLES_MAX);
        w->rows[w->n++] = row;
    }
    if (w->n == 0 || w->n * w->columns > TELEMETRY_READINGS_MAX)
        return fault_set(fault, ST_REJECT, "%zu samples of %zu signals are no columnar record",
                         w->n, w->columns);
    return ST_OK;
}

/* ---- time ---- */

/* The median of n integers (the lower one of two), which it reorders.  Hoare's selection. */
static int64_t median(int64_t *of, size_t n)
{
    ptrdiff_t left = 0, right = (ptrdiff_t)n - 1, wanted = right / 2;

    while (left < right) {
        int64_t pivot = of[(left + right) / 2];
        ptrdiff_t i = left, k = right;

        do {
            while (of[i] < pivot)
                i++;
            while (of[k] > pivot)
                k--;
            if (i <= k) {
                int64_t kept = of[i];

                of[i++] = of[k];
                of[k--] = kept;
            }
        } while (i <= k);
        if (k < wanted)
            left = i;
        if (wanted < i)
            right = k;
    }
    return of[wanted];
}

/* The distances between the samples go through w->scaled.  Irregular ones are told from their
 * median, which a single pause does not move. */
static enum status list_times(struct writer *w, int64_t *step_ms, bool *regular,
                              struct fault *fault)
{
    int64_t last_ms = w->rows[w->n - 1].sample->t_ms;

    *step_ms = 1;
    *regular = true;
    for (size_t i = 1; i < w->n; i++) {
        w->scaled[i - 1] = w->rows[i].sample->t_ms - w->rows[i - 1].sample->t_ms;
        if (w->scaled[i - 1] < 1)
            return fault_set(fault, ST_REJECT, "time of sample %zu does not rise", i);
        *regular &= w->scaled[i - 1] == w->scaled[0];
    }
    if (w->rows[0].sample->t_ms < 0 || last_ms >= COLUMNAR_LIMIT)
        return fault_set(fault, ST_REJECT, "times are not within 0 .. 2^53 - 1");
    if (w->n > 1)
        *step_ms = *regular ? w->scaled[0] : median(w->scaled, w->n - 1);
    return ST_OK;
}

static enum status write_head(struct writer *w, struct fault *fault)
{
    const struct envelope *head = &w->t->head;
    unsigned char stream[16];
    int64_t step_ms;
    bool regular;
    enum status st = list_times(w, &step_ms, &regular, fault);

    if (st != ST_OK)
        return st;
    if (!uuid_scan(stream, head->stream) || head->seq < 1 || head->seq >= COLUMNAR_LIMIT ||
        (unsigned)head->clock > CLOCK_GPS)
        return fault_set(fault, ST_REJECT, "the record has no stream, seq or clock");
    put_byte(&w->out, COLUMNAR_MAGIC);
    put_byte(&w->out, COLUMNAR_VERSION);
    put_byte(&w->out, (unsigned)head->clock | (regular ? COLUMNAR_REGULAR : 0));
    put_bytes(&w->out, stream, sizeof stream);
    put_u(&w->out, (uint64_t)head->seq);
    put_u(&w->out, w->n);
    put_u(&w->out, (uint64_t)w->rows[0].sample->t_ms);
    put_u(&w->out, (uint64_t)step_ms);
    for (size_t i = 1; i < w->n && !regular; i++)
        put_s(&w->out, w->rows[i].sample->t_ms - w->rows[i - 1].sample->t_ms - step_ms);
    put_u(&w->out, w->columns);
    return ST_OK;
}

/* ---- one column ---- */

/* The reading of a signal in a row; NULL when it has none. */
static inline const struct reading *take_reading(struct writer *w, struct row *row, uint16_t signal)
{
    const struct reading *readings = w->t->readings;
    uint32_t end = row->sample->first + row->sample->count;

    if (row->next < end && readings[row->next].signal == signal)
        return &readings[row->next++];
    if (row->is_ordered)
        return NULL;
    for (uint32_t i = row->sample->first; i < end; i++)
        if (readings[i].signal == signal)
            return &readings[i];
    return NULL;
}

static void gather(struct writer *w, uint16_t signal)
{
    unsigned bits = 0;

    w->m = 0;
    for (size_t i = 0; i < w->n; i++) {
        const struct reading *r = take_reading(w, &w->rows[i], signal);

        if (r) {
            w->values[w->m++] = r->value == 0 ? 0.0 : r->value; /* -0.0 too */
            bits |= 1U << i % 8;
        }
        if (i % 8 == 7 || i + 1 == w->n) {
            w->present[i / 8] = (unsigned char)bits;
            bits = 0;
        }
    }
}

/* The integer next to x, |x| < 2^53.  Below 2^51 adding a half rounds nothing away; llrint is
 * exact, and a call. */
static inline int64_t nearest(double x)
{
    if (fabs(x) < 0x1p51)
        return (int64_t)(x < 0 ? x - 0.5 : x + 0.5);
    return llrint(x);
}

/* Is every value an integer / 10^e?  They are in w->scaled then. */
static bool scales(struct writer *w, unsigned e)
{
    double tens = columnar_tens[e];

    for (size_t i = 0; i < w->m; i++) {
        double x = w->values[i] * tens;

        if (!(fabs(x) < 0x1p53)) /* not finite: not at all */
            return false;
        w->scaled[i] = nearest(x);
        if ((double)w->scaled[i] / tens != w->values[i])
            return false;
    }
    return true;
}

static bool divides_by_ten(const struct writer *w)
{
    for (size_t i = 0; i < w->m; i++)
        if (w->scaled[i] % 10 != 0)
            return false;
    return true;
}

/* The smallest e at which the column scales; false when there is none.  The signal's decimals are
 * the first guess: a value that is k / 10^e is 10 k / 10^(e + 1) as well, to the bit, so from there
 * the way down is by the zeros at the end. */
static bool find_exponent(struct writer *w, unsigned guess, unsigned *e)
{
    if (!scales(w, guess)) {
        for (*e = 0; *e <= COLUMNAR_EXPONENT_MAX; ++*e)
            if (scales(w, *e))
                return true;
        return false;
    }
    for (*e = guess; *e > 0 && divides_by_ten(w); --*e)
        for (size_t i = 0; i < w->m; i++)
            w->scaled[i] /= 10;
    return true;
}

/* The smallest of the modes: a line never takes more bytes than its deltas, nor they than doubles.
 */
static unsigned find_mode(const struct writer *w)
{
    const int64_t *k = w->scaled;
    int64_t step = w->m > 1 ? k[1] - k[0] : 0;
    bool is_line = true;

    for (size_t i = 1; i < w->m; i++) {
        int64_t delta = k[i] - k[i - 1];

        if (delta >= COLUMNAR_LIMIT || delta <= -COLUMNAR_LIMIT)
            return COLUMNAR_RAW;
        is_line &= delta == step;
    }
    return !is_line ? COLUMNAR_DELTA : step != 0 ? COLUMNAR_LINE : COLUMNAR_CONSTANT;
}

static void put_values(struct writer *w, unsigned mode)
{
    struct out o = w->out;

    if (mode == COLUMNAR_RAW) {
        for (size_t i = 0; i < w->m; i++) {
            uint64_t bits;

            memcpy(&bits, &w->values[i], sizeof bits);
            bits = htole64(bits);
            put_bytes(&o, &bits, sizeof bits);
        }
    } else {
        size_t count = mode == COLUMNAR_CONSTANT ? 1 : mode == COLUMNAR_LINE ? 2 : w->m;

        put_s(&o, w->scaled[0]);
        for (size_t i = 1; i < count; i++)
            put_s(&o, w->scaled[i] - w->scaled[i - 1]);
    }
    w->out = o;
}

static enum status write_column(struct writer *w, uint16_t signal, struct fault *fault)
{
    const struct signal_row *row = signal_row(signal);
    unsigned e, mode;

    if (!row)
        return fault_set(fault, ST_REJECT, "signal %u is not in the table", signal);
    gather(w, signal);
    if (find_exponent(w, (unsigned)row->decimals, &e))
        mode = find_mode(w);
    else
        mode = COLUMNAR_RAW;
    if (mode == COLUMNAR_RAW) {
        e = 0;
        for (size_t i = 0; i < w->m; i++)
            if (!isfinite(w->values[i]))
                return fault_set(fault, ST_REJECT, "%s is not a number", row->path);
    }
    put_u(&w->out, signal);
    put_byte(&w->out, mode | (w->m < w->n ? COLUMNAR_SPARSE : 0) | e << COLUMNAR_EXPONENT_SHIFT);
    if (w->m < w->n)
        put_bytes(&w->out, w->present, (w->n + 7) / 8);
    put_values(w, mode);
    return ST_OK;
}

enum status columnar_write(const struct telemetry *t, char *out, size_t size, size_t *len,
                           struct fault *fault)
{
    struct writer w UNFILLED;
    enum status st;

    w.out = (struct out){(unsigned char *)out, (unsigned char *)out + size, false};
    w.t = t;
    w.n = w.columns = w.m = 0;
    if ((st = list_columns(&w, fault)) != ST_OK || (st = write_head(&w, fault)) != ST_OK)
        return st;
    for (size_t i = 0; i < w.columns && st == ST_OK; i++)
        st = write_column(&w, w.signals[i], fault);
    if (st != ST_OK)
        return st;
    if (w.out.full)
        return fault_set(fault, ST_REJECT, "columnar record needs more than %zu bytes", size);
    *len = (size_t)(w.out.at - (unsigned char *)out);
    return ST_OK;
}
