/* proto/scanner.c - one pass over the bytes; each step knows what must come next. */
#include "proto/scanner.h"

#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 15 /* an integer that long, divided by a power of ten, is the nearest double */
#define WORDS 8       /* of 64 signals: ids beyond are left to the general reader */

static const double tens[DIGITS_MAX + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                            1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

/* The name that was last met at a place of a sample, of this record or of the one before: the next
 * sample has most likely the same there.  A guess that is held against the bytes. */
#define PLACES 64
struct place {
    const char *path; /* NULL: nothing was here yet */
    size_t len;
    uint16_t signal;
};
static _Thread_local struct place places[PLACES];

struct scan {
    const char *at, *end;
    struct telemetry *t;
    uint64_t seen[WORDS]; /* signals of this sample */
};

static inline bool skip(struct scan *s, const char *literal, size_t len)
{
    if ((size_t)(s->end - s->at) < len || memcmp(s->at, literal, len) != 0)
        return false;
    s->at += len;
    return true;
}
#define SKIP(s, literal) skip(s, literal, sizeof literal - 1)

/* ---- numbers */

static inline size_t take_digits(struct scan *s, uint64_t *value)
{
    const char *from = s->at;
    unsigned digit;

    while (s->at < s->end && (digit = (unsigned)*s->at - '0') < 10) {
        *value = *value * 10 + digit;
        s->at++;
    }
    return (size_t)(s->at - from);
}

static bool take_integer(struct scan *s, int64_t *out)
{
    const char *from = s->at;
    uint64_t value = 0;
    size_t digits = take_digits(s, &value);

    if (digits == 0 || digits > DIGITS_MAX || (*from == '0' && digits > 1))
        return false;
    *out = (int64_t)value;
    return true;
}

static inline bool take_number(struct scan *s, double *out)
{
    bool negative = s->at < s->end && *s->at == '-';
    const char *from = s->at += negative;
    size_t whole, decimals = 0;
    uint64_t value = 0;

    whole = take_digits(s, &value);
    if (whole == 0 || (*from == '0' && whole > 1))
        return false;
    if (s->at < s->end && *s->at == '.') {
        s->at++;
        if ((decimals = take_digits(s, &value)) == 0)
            return false;
    }
    if (whole + decimals > DIGITS_MAX)
        return false;
    *out = decimals ? (double)value / tens[decimals] : (double)value;
    if (negative && value)
        *out = -*out;
    return true;
}

/* ---- room */

static bool grow(void **rows, size_t *room, size_t size)
{
    size_t wanted = *room ? *room * 2 : 64;
    void *more = realloc(*rows, wanted * size);

    if (!more)
        return false;
    *rows = more;
    *room = wanted;
    return true;
}

static bool room_for_reading(struct telemetry *t)
{
    void *rows = t->readings;
    bool fits;

    if (t->reading_count < t->reading_room)
        return true;
    if (t->reading_count >= TELEMETRY_READINGS_MAX)
        return false;
    fits = grow(&rows, &t->reading_room, sizeof *t->readings);
    t->readings = rows;
    return fits;
}

static bool room_for_sample(struct telemetry *t)
{
    void *rows = t->samples;
    bool fits;

    if (t->sample_count >= TELEMETRY_SAMPLES_MAX)
        return false;
    if (t->sample_count < t->sample_room)
        return true;
    fits = grow(&rows, &t->sample_room, sizeof *t->samples);
    t->samples = rows;
    return fits;
}

/* ---- names */

/* Behind the opening quote: does this very path and its closing quote stand here? */
static inline bool take_path(struct scan *s, const struct place *p)
{
    if ((size_t)(s->end - s->at) < p->len + 2 || memcmp(s->at, p->path, p->len) != 0 ||
        s->at[p->len] != '"' || s->at[p->len + 1] != ':')
        return false;
    s->at += p->len + 2;
    return true;
}

static bool look_up(struct scan *s, struct place *out)
{
    const char *quote = memchr(s->at, '"', (size_t)(s->end - s->at));
    uint16_t signal = quote ? signal_find(s->at, (size_t)(quote - s->at)) : SIGNAL_NONE;

    if (signal == SIGNAL_NONE)
        return false;
    *out = (struct place){signal_row(signal)->path, (size_t)(quote - s->at), signal};
    return take_path(s, out);
}

static inline uint16_t take_name(struct scan *s, uint32_t nth)
{
    struct place beyond, *place = nth < PLACES ? &places[nth] : &beyond;

    if (nth < PLACES && place->path && take_path(s, place))
        return place->signal;
    return look_up(s, place) ? place->signal : SIGNAL_NONE;
}

/* ---- a sample */

static inline bool take_reading(struct scan *s, uint32_t nth)
{
    struct telemetry *t = s->t;
    const char *number;
    uint64_t bit;
    uint16_t signal;

    if (!SKIP(s, "\"") || (signal = take_name(s, nth)) == SIGNAL_NONE || signal >= WORDS * 64)
        return false;
    bit = UINT64_C(1) << signal % 64;
    if (s->seen[signal / 64] & bit || !room_for_reading(t))
        return false;
    s->seen[signal / 64] |= bit;
    t->readings[t->reading_count].signal = signal;
    number = s->at;
    if (!take_number(s, &t->readings[t->reading_count].value))
        return false;
    t->value_bytes += (size_t)(s->at - number);
    t->reading_count++;
    return true;
}

static bool take_sample(struct scan *s)
{
    struct telemetry *t = s->t;
    uint32_t first = (uint32_t)t->reading_count, n = 0;
    int64_t t_ms;

    if (!SKIP(s, "{\"t\":") || !take_integer(s, &t_ms) || !SKIP(s, ",\"s\":{") ||
        !room_for_sample(t) ||
        (t->sample_count > 0 && t->samples[t->sample_count - 1].t_ms >= t_ms))
        return false;
    memset(s->seen, 0, sizeof s->seen);
    do {
        if (!take_reading(s, n++))
            return false;
    } while (SKIP(s, ","));
    t->samples[t->sample_count++] = (struct sample){t_ms, first, n};
    return SKIP(s, "}}");
}

/* ---- the record */

static bool take_clock(struct scan *s, enum clock_source *out)
{
    for (enum clock_source clock = CLOCK_NONE; clock <= CLOCK_GPS; clock++) {
        const char *name = clock_name(clock);

        if (skip(s, name, strlen(name))) {
            *out = clock;
            return true;
        }
    }
    return false;
}

static bool take_head(struct scan *s, struct envelope *head)
{
    if (!SKIP(s, "{\"schema\":\"telemetry/1\",\"stream\":\"") || s->end - s->at < UUID_TEXT ||
        !uuid_is_valid(s->at, UUID_TEXT))
        return false;
    *head = (struct envelope){.schema = "telemetry/1"};
    memcpy(head->stream, s->at, UUID_TEXT);
    s->at += UUID_TEXT;
    return SKIP(s, "\",\"seq\":") && take_integer(s, &head->seq) && head->seq > 0 &&
           SKIP(s, ",\"clock\":\"") && take_clock(s, &head->clock) && SKIP(s, "\",\"samples\":[");
}

bool scanner_head(struct envelope *out, const char *bytes, size_t len)
{
    struct scan s = {.at = bytes, .end = bytes + len};

    return len <= JSON_MAX_BYTES && take_head(&s, out);
}

bool scanner_read(struct telemetry *out, const char *bytes, size_t len)
{
    struct scan s = {.at = bytes, .end = bytes + len, .t = out};

    telemetry_clear(out);
    if (len > JSON_MAX_BYTES || !take_head(&s, &out->head))
        return false;
    do {
        if (!take_sample(&s))
            return false;
    } while (SKIP(&s, ","));
    return SKIP(&s, "]}") && s.at == s.end;
}
