/* proto/columnar.c - columnar records: what both directions share, and reading. */
#include "proto/columnar_inside.h"

#include <endian.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/unfilled.h"

const double columnar_tens[COLUMNAR_EXPONENT_MAX + 1] = {1e0, 1e1, 1e2, 1e3, 1e4,
                                                         1e5, 1e6, 1e7, 1e8, 1e9};

/* ---- bytes ---- */

struct in {
    const unsigned char *at, *end;
};

/* More than one byte.  False: cut short, longer than need be, or 2^56 and more, which no integer of
 * ours is. */
static bool take_long_u(struct in *in, uint64_t *out)
{
    const unsigned char *at = in->at;
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 56 && at < in->end; shift += 7) {
        unsigned char byte = *at++;

        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte & 0x80)
            continue;
        if (byte == 0)
            return false;
        in->at = at;
        *out = value;
        return true;
    }
    return false;
}

static inline bool take_u(struct in *in, uint64_t *out)
{
    if (in->at == in->end || *in->at & 0x80)
        return take_long_u(in, out);
    *out = *in->at++;
    return true;
}

static inline bool in_range(int64_t value)
{
    return value < COLUMNAR_LIMIT && value > -COLUMNAR_LIMIT;
}

static inline bool take_s(struct in *in, int64_t *out)
{
    uint64_t z;

    if (!take_u(in, &z))
        return false;
    *out = (int64_t)(z >> 1) ^ -(int64_t)(z & 1);
    return in_range(*out);
}

/* A count or a time: lowest .. highest. */
static bool take_within(struct in *in, uint64_t lowest, uint64_t highest, uint64_t *out)
{
    return take_u(in, out) && *out >= lowest && *out <= highest;
}

/* ---- head ---- */

static enum status read_head(struct envelope *head, struct in *in, unsigned *flags,
                             struct fault *fault)
{
    unsigned version;
    uint64_t seq;

    *head = (struct envelope){0};
    if (in->end - in->at < 3 + 16 || in->at[0] != COLUMNAR_MAGIC)
        return fault_set(fault, ST_REJECT, "not a columnar record, or cut short in its head");
    version = in->at[1];
    *flags = in->at[2];
    uuid_print(head->stream, in->at + 3);
    in->at += 3 + 16;
    if (!take_within(in, 1, COLUMNAR_LIMIT - 1, &seq))
        return fault_set(fault, ST_REJECT, "seq is missing or not within 1 .. 2^53 - 1");
    head->seq = (int64_t)seq;
    if (version != COLUMNAR_VERSION)
        return fault_set(fault, ST_REJECT, "columnar version %u is not known", version);
    if (*flags > (COLUMNAR_CLOCK | COLUMNAR_REGULAR))
        return fault_set(fault, ST_REJECT, "columnar flags 0x%02x are not known", *flags);
    memcpy(head->schema, "telemetry/1", sizeof "telemetry/1");
    head->clock = (enum clock_source)(*flags & COLUMNAR_CLOCK);
    return ST_OK;
}

bool columnar_is(const char *bytes, size_t len)
{
    return len > 0 && (unsigned char)bytes[0] == COLUMNAR_MAGIC;
}

enum status columnar_head(struct envelope *out, const char *bytes, size_t len, struct fault *fault)
{
    const unsigned char *at = (const unsigned char *)bytes;
    struct in in = {at, at + len};
    unsigned flags;

    return read_head(out, &in, &flags, fault);
}

/* ---- what a record is taken apart with ---- */

struct reader {
    struct in in;
    struct telemetry *t;
    size_t n, columns;           /* as the record says */
    size_t known;                /* columns that have a place in t->readings */
    uint64_t seen;               /* a bit per id mod 64: clear = surely not there yet */
    bool has_gaps;               /* some place of the columns is empty */
    struct columnar_span *spans; /* NULL: nobody asks */
    size_t strangers;
    const unsigned char *stranger[COLUMNAR_COLUMNS_MAX]; /* where unknown columns are named */
    struct reading values[TELEMETRY_SAMPLES_MAX];        /* of a column with gaps */
};

struct column {
    uint16_t signal;              /* SIGNAL_NONE: not ours */
    const unsigned char *present; /* bitmap; NULL: every sample has it */
    size_t m;                     /* values in it */
};

/* Room for n samples and n x c readings; what was there is not kept. */
static enum status reserve(struct telemetry *t, size_t samples, size_t readings,
                           struct fault *fault)
{
    if (samples > t->sample_room) {
        free(t->samples);
        t->samples = malloc(samples * sizeof *t->samples);
        t->sample_room = t->samples ? samples : 0;
    }
    if (readings > t->reading_room) {
        free(t->readings);
        t->readings = malloc(readings * sizeof *t->readings);
        t->reading_room = t->readings ? readings : 0;
    }
    if (t->sample_room < samples || t->reading_room < readings)
        return fault_set(fault, ST_FATAL, "out of memory for %zu readings", readings);
    return ST_OK;
}

/* ---- time ---- */

static enum status read_times(struct reader *r, bool regular, struct fault *fault)
{
    uint64_t n, t0, step;
    int64_t t_ms, later = 0;
    enum status st;

    if (!take_within(&r->in, 1, TELEMETRY_SAMPLES_MAX, &n))
        return fault_set(fault, ST_REJECT, "a record has 1 .. %d samples", TELEMETRY_SAMPLES_MAX);
    if (!take_within(&r->in, 0, COLUMNAR_LIMIT - 1, &t0) ||
        !take_within(&r->in, 1, COLUMNAR_LIMIT - 1, &step))
        return fault_set(fault, ST_REJECT, "first time or step is not within 0 .. 2^53 - 1");
    if ((st = reserve(r->t, n, 0, fault)) != ST_OK)
        return st;
    r->n = n;
    t_ms = (int64_t)t0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0) {
            if (!regular && (!take_s(&r->in, &later) || (int64_t)step + later < 1))
                return fault_set(fault, ST_REJECT, "time of sample %zu does not rise", i);
            t_ms += (int64_t)step + later;
        }
        if (!in_range(t_ms))
            return fault_set(fault, ST_REJECT, "time of sample %zu is beyond 2^53 - 1", i);
        r->t->samples[i].t_ms = t_ms;
    }
    return ST_OK;
}

/* ---- columns ---- */

/* Where the values of a column go. */
struct run {
    struct reading *to;
    size_t apart, m; /* one behind the other, or one a sample */
    uint16_t signal;
};

/* A difference; most are of one byte, nearly all others of two. */
static inline bool take_delta(struct in *in, int64_t *out)
{
    const unsigned char *at = in->at;
    unsigned z;

    if (at == in->end)
        return false;
    if ((z = at[0]) & 0x80) {
        if (in->end - at < 2 || at[1] == 0 || at[1] & 0x80)
            return take_s(in, out);
        z = (z & 0x7f) | (unsigned)at[1] << 7;
        in->at++;
    }
    in->at++;
    *out = (int64_t)(z >> 1) ^ -(int64_t)(z & 1);
    return true;
}

static bool take_deltas(struct in *in, unsigned decimals, struct run run,
                        struct columnar_extent *extent)
{
    double tens = columnar_tens[decimals];
    struct in local = *in;
    int64_t k = 0, delta, least = INT64_MAX, most = INT64_MIN;

    for (; run.m > 0; run.m--, run.to += run.apart) {
        if (!take_delta(&local, &delta))
            return false;
        k += delta;
        if (!in_range(k))
            return false;
        least = k < least ? k : least;
        most = k > most ? k : most;
        *run.to = (struct reading){run.signal, (double)k / tens};
    }
    *in = local;
    *extent = columnar_extent(least, most, decimals);
    return true;
}

static bool take_line(struct in *in, bool rises, unsigned decimals, struct run run,
                      struct columnar_extent *extent)
{
    double value, tens = columnar_tens[decimals];
    int64_t k, step = 0, last;

    if (!take_s(in, &k) || (rises && !take_s(in, &step)))
        return false;
    last = k + (int64_t)(run.m - 1) * step; /* 1000 x 2^53 still is an int64 */
    if (!in_range(last))
        return false;
    *extent = columnar_extent(k < last ? k : last, k < last ? last : k, decimals);
    value = (double)k / tens;
    for (; run.m > 0; run.m--, run.to += run.apart) {
        *run.to = (struct reading){run.signal, value};
        if (rises)
            value = (double)(k += step) / tens;
    }
    return true;
}

static bool take_doubles(struct in *in, struct run run, struct columnar_extent *extent)
{
    double value;

    *extent = (struct columnar_extent){INFINITY, -INFINITY, COLUMNAR_TEXT_MAX};
    if ((size_t)(in->end - in->at) / sizeof value < run.m)
        return false;
    for (; run.m > 0; run.m--, run.to += run.apart, in->at += sizeof value) {
        uint64_t bits;

        memcpy(&bits, in->at, sizeof bits);
        bits = le64toh(bits);
        memcpy(&value, &bits, sizeof bits);
        if (!isfinite(value))
            return false;
        extent->least = fmin(extent->least, value);
        extent->most = fmax(extent->most, value);
        *run.to = (struct reading){run.signal, value == 0 ? 0.0 : value};
    }
    return true;
}

/* Where the next bytes name a column of the same name as one before?  Minimal varints: equal names
 * are equal bytes. */
static bool is_stranger_again(const struct reader *r, const unsigned char *name, size_t len)
{
    for (size_t i = 0; i < r->strangers; i++)
        if ((size_t)(name - r->stranger[i]) > len && memcmp(r->stranger[i], name, len) == 0)
            return true;
    return false;
}

static bool is_signal_again(struct reader *r, uint16_t signal)
{
    uint64_t bit = UINT64_C(1) << signal % 64;

    if (r->seen & bit)
        for (size_t k = 0; k < r->known; k++)
            if (r->t->readings[k].signal == signal)
                return true;
    r->seen |= bit;
    return false;
}

static enum status read_name(struct reader *r, struct column *c, struct fault *fault)
{
    const unsigned char *name = r->in.at;
    uint64_t id, len;

    c->signal = SIGNAL_NONE;
    if (!take_within(&r->in, 0, COLUMNAR_LIMIT - 1, &id))
        return fault_set(fault, ST_REJECT, "the id of a column is cut short or no id");
    if (id == 0) {
        if (!take_within(&r->in, 1, SIGNAL_PATH_MAX, &len) || len > (size_t)(r->in.end - r->in.at))
            return fault_set(fault, ST_REJECT, "the path of a column is not within 1 .. %d bytes",
                             SIGNAL_PATH_MAX);
        c->signal = signal_find((const char *)r->in.at, len);
        r->in.at += len;
    } else if (id <= UINT16_MAX && signal_row((uint16_t)id)) {
        c->signal = (uint16_t)id;
    }
    if (c->signal != SIGNAL_NONE ? is_signal_again(r, c->signal)
                                 : is_stranger_again(r, name, (size_t)(r->in.at - name)))
        return fault_set(fault, ST_REJECT, "a signal has two columns");
    if (c->signal == SIGNAL_NONE)
        r->stranger[r->strangers++] = name;
    return ST_OK;
}

static enum status read_bitmap(struct reader *r, struct column *c, struct fault *fault)
{
    size_t bytes = (r->n + 7) / 8;

    if (bytes > (size_t)(r->in.end - r->in.at))
        return fault_set(fault, ST_REJECT, "a bitmap is cut short");
    c->present = r->in.at;
    c->m = 0;
    for (size_t i = 0; i < bytes; i++)
        c->m += (size_t)__builtin_popcount(c->present[i]);
    if (c->m == 0 || (r->n % 8 && c->present[bytes - 1] >> r->n % 8))
        return fault_set(fault, ST_REJECT, "a bitmap is empty or has bits to spare");
    r->in.at += bytes;
    return ST_OK;
}

/* Put the values into the column's places: readings[sample x columns + known]. */
static void place(struct reader *r, const struct column *c)
{
    struct reading *to = r->t->readings + r->known;
    const struct reading *value = r->values;

    for (size_t i = 0; i < r->n; i++, to += r->columns)
        *to = c->present[i / 8] >> i % 8 & 1 ? *value++ : (struct reading){c->signal, NAN};
}

/* They lie where they belong, unless some are missing, or nobody wants them. */
static struct run run_of(struct reader *r, const struct column *c)
{
    if (c->present || c->signal == SIGNAL_NONE)
        return (struct run){r->values, 1, c->m, c->signal};
    return (struct run){r->t->readings + r->known, r->columns, c->m, c->signal};
}

static bool take_values(struct reader *r, unsigned mode, unsigned exponent, const struct column *c,
                        struct columnar_extent *extent)
{
    struct run run = run_of(r, c);

    if (mode == COLUMNAR_RAW)
        return take_doubles(&r->in, run, extent);
    if (mode == COLUMNAR_DELTA)
        return take_deltas(&r->in, exponent, run, extent);
    return take_line(&r->in, mode == COLUMNAR_LINE, exponent, run, extent);
}

static enum status read_column(struct reader *r, struct fault *fault)
{
    struct column c = {.m = r->n};
    struct columnar_extent extent UNFILLED;
    unsigned mode, exponent;
    enum status st;

    if ((st = read_name(r, &c, fault)) != ST_OK)
        return st;
    if (r->in.at == r->in.end)
        return fault_set(fault, ST_REJECT, "a column is cut short");
    mode = *r->in.at & COLUMNAR_MODE;
    exponent = *r->in.at >> COLUMNAR_EXPONENT_SHIFT;
    if (mode > COLUMNAR_RAW || exponent > (mode == COLUMNAR_RAW ? 0 : COLUMNAR_EXPONENT_MAX))
        return fault_set(fault, ST_REJECT, "the head 0x%02x of a column is not known", *r->in.at);
    if (*r->in.at++ & COLUMNAR_SPARSE && (st = read_bitmap(r, &c, fault)) != ST_OK)
        return st;
    if (!take_values(r, mode, exponent, &c, &extent))
        return fault_set(fault, ST_REJECT, "the values of a column are cut short or out of range");
    if (c.signal == SIGNAL_NONE) {
        r->t->unknown_signals += c.m;
        return ST_OK;
    }
    r->t->value_bytes += c.m * extent.text;
    if (r->spans)
        r->spans[r->known] = (struct columnar_span){c.signal, extent.least, extent.most};
    if (c.present)
        place(r, &c);
    r->has_gaps |= c.present != NULL;
    r->known++;
    return ST_OK;
}

/* ---- rows ---- */

/* Every place is taken: the readings lie as they shall. */
static void cut_rows(struct reader *r)
{
    for (size_t i = 0; i < r->n; i++) {
        r->t->samples[i].first = (uint32_t)(i * r->columns);
        r->t->samples[i].count = (uint32_t)r->columns;
    }
    r->t->sample_count = r->n;
    r->t->reading_count = r->n * r->columns;
    r->t->alike = true;
}

/* Move the readings over the empty places; a sample that has none is left out. */
static void close_gaps(struct reader *r)
{
    struct telemetry *t = r->t;
    size_t to = 0;

    for (size_t i = 0; i < r->n; i++) {
        const struct reading *from = t->readings + i * r->columns;
        size_t first = to;

        for (size_t k = 0; k < r->known; k++)
            if (!isnan(from[k].value))
                t->readings[to++] = from[k];
        if (to > first)
            t->samples[t->sample_count++] =
                (struct sample){t->samples[i].t_ms, (uint32_t)first, (uint32_t)(to - first)};
    }
    t->reading_count = to;
}

static enum status read_body(struct reader *r, bool regular, struct fault *fault)
{
    enum status st = read_times(r, regular, fault);
    uint64_t columns;

    if (st != ST_OK)
        return st;
    if (!take_within(&r->in, 1, COLUMNAR_COLUMNS_MAX, &columns) ||
        r->n * columns > TELEMETRY_READINGS_MAX)
        return fault_set(fault, ST_REJECT, "a record has 1 .. %d columns and %d places in them",
                         COLUMNAR_COLUMNS_MAX, TELEMETRY_READINGS_MAX);
    if ((size_t)(r->in.end - r->in.at) <
        columns * 3) /* id, head, value: before asking for memory */
        return fault_set(fault, ST_REJECT, "the columns are cut short");
    r->columns = columns;
    st = reserve(r->t, r->n, r->n * columns, fault);
    for (uint64_t i = 0; i < columns && st == ST_OK; i++)
        st = read_column(r, fault);
    if (st != ST_OK)
        return st;
    if (r->in.at != r->in.end)
        return fault_set(fault, ST_REJECT, "bytes behind the last column");
    if (r->has_gaps || r->known < r->columns)
        close_gaps(r);
    else
        cut_rows(r);
    return ST_OK;
}

enum status columnar_read(struct telemetry *out, const char *bytes, size_t len, struct fault *fault)
{
    return columnar_read_spans(out, bytes, len, NULL, NULL, fault);
}

enum status columnar_read_spans(struct telemetry *out, const char *bytes, size_t len,
                                struct columnar_span spans[COLUMNAR_COLUMNS_MAX], size_t *n,
                                struct fault *fault)
{
    const unsigned char *at = (const unsigned char *)bytes;
    struct reader r UNFILLED;
    unsigned flags;
    enum status st;

    telemetry_clear(out);
    r.in = (struct in){at, at + len};
    r.t = out;
    r.n = r.columns = r.known = r.strangers = 0;
    r.seen = 0;
    r.spans = spans;
    r.has_gaps = false;
    st = read_head(&out->head, &r.in, &flags, fault);
    if (st == ST_OK)
        st = read_body(&r, flags & COLUMNAR_REGULAR, fault);
    if (st != ST_OK)
        out->sample_count = out->reading_count = out->unknown_signals = 0; /* half is none */
    else if (n)
        *n = r.known;
    return st;
}
