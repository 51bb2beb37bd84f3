/* vehicle/deadband.c - see deadband.h. */
#include "deadband.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

struct deadband_row {
    double band;        /* VSS unit; below 0: every reading is told */
    int32_t silence_ms; /* told again after so long */
    int group;          /* 0: none */
};

#include "deadband_table.inc"

#define BAND_SLACK 1e-9 /* 0.3 - 0.2 is a hair more than 0.1 */

void deadband_init(struct deadband *d)
{
    memset(d, 0, sizeof *d);
}

static const struct deadband_row *row_of(uint16_t signal)
{
    if (signal < DEADBAND_ROWS && deadband_rows[signal].silence_ms > 0)
        return &deadband_rows[signal];
    return &deadband_rows[0];
}

static bool is_news(const struct deadband_signal *s, const struct deadband_row *row, int64_t t_ms,
                    double value)
{
    if (s->told_ms == 0 || t_ms <= s->told_ms || t_ms - s->seen_ms > DEADBAND_GAP_MS)
        return true;
    return fabs(value - s->told) > row->band + BAND_SLACK || t_ms - s->told_ms >= row->silence_ms;
}

size_t deadband_pass(struct deadband *d, int64_t t_ms, struct reading *readings, size_t n)
{
    uint32_t groups = 0; /* of which a member is news */
    uint64_t news = 0;   /* of the readings */
    size_t kept = 0;

    assert(n <= 64);

    for (size_t i = 0; i < n; i++) {
        const struct deadband_row *row = row_of(readings[i].signal);

        if (readings[i].signal < DEADBAND_SIGNALS &&
            !is_news(&d->signals[readings[i].signal], row, t_ms, readings[i].value))
            continue;
        news |= UINT64_C(1) << i;
        if (row->group > 0)
            groups |= 1U << row->group;
    }
    for (size_t i = 0; i < n; i++) {
        const struct reading r = readings[i];
        struct deadband_signal *s = r.signal < DEADBAND_SIGNALS ? &d->signals[r.signal] : NULL;

        if (s != NULL)
            s->seen_ms = t_ms;
        if ((news >> i & 1) == 0 && (groups & 1U << row_of(r.signal)->group) == 0)
            continue;
        if (s != NULL)
            s->told_ms = t_ms, s->told = r.value;
        readings[kept++] = r;
    }
    return kept;
}
