/* services/ingest/facts/late.c - which segments late samples touch. */
#include "late.h"

#define DAY_MS ((int64_t)86400000)
#define HOUR_MS ((int64_t)3600000)
#define RUN_UP_MS (2 * HOUR_MS)
#define RUN_UP_ROWS 4 /* a trip and the stop after it, held; the open one; what may have begun */

const struct late_settings late_defaults = {
    .patience_ms = 600000,
    .longest_ms = 60 * DAY_MS,
};

int64_t late_history_ms(int keep_days)
{
    int64_t kept_ms = keep_days * DAY_MS - HOUR_MS;

    return keep_days > 0 && kept_ms < late_defaults.longest_ms ? kept_ms : late_defaults.longest_ms;
}

static bool lies_over(const struct segment *s)
{
    return s->kind == SEGMENT_IDLE || s->kind == SEGMENT_LAPSE;
}

bool late_window(const struct late *l, const struct late_settings *set, const struct segment *rows,
                 size_t n, int64_t now_ms, int64_t *from_ms, int64_t *to_ms)
{
    int64_t oldest_ms = now_ms - set->longest_ms;
    int64_t from = l->earliest_ms, to = l->latest_ms;
    int64_t before_ms = 0, here_ms = 0; /* starts of the last two segments up to the earliest */
    bool past = false;

    if (l->earliest_ms == 0 || l->latest_ms < oldest_ms)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (lies_over(&rows[i]))
            continue;
        if (rows[i].start_ms <= l->earliest_ms) {
            before_ms = here_ms > 0 ? here_ms : rows[i].start_ms;
            here_ms = rows[i].start_ms;
        }
        if (rows[i].end_ms <= l->latest_ms || past)
            continue;
        to = rows[i].end_ms; /* the one it lies in, then the one after */
        past = rows[i].start_ms > l->latest_ms;
    }
    from = before_ms > 0 ? before_ms : from;
    *from_ms = from > oldest_ms ? from : oldest_ms;
    *to_ms = to;
    return true;
}

int64_t late_run_up(const struct segment *rows, size_t n, int64_t before_ms, int64_t reach_ms)
{
    int64_t back_ms = reach_ms > RUN_UP_MS ? reach_ms : RUN_UP_MS;
    int behind = 0; /* rows that began between it and before_ms: some of them are not settled */

    for (size_t i = n; i-- > 0;) {
        if (lies_over(&rows[i]) || rows[i].start_ms > before_ms)
            continue;
        if (rows[i].kind == SEGMENT_STOP && behind >= RUN_UP_ROWS &&
            rows[i].start_ms <= before_ms - back_ms)
            return rows[i].start_ms;
        behind++;
    }
    return 0;
}
