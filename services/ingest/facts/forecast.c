/* services/ingest/facts/forecast.c - rates into dates. */
#include "forecast.h"

#include <math.h>
#include <stdbool.h>

#define DAY_MS 86400000.0

const struct forecast_settings forecast_defaults = {
    .soon_share = 0.9,
    .soon_km = 1000,
    .soon_h = 25,
    .soon_days = 30,
    .overdue_share = 1.1,
    .cap_share = 1.02,
    .used_share = 0.95,
    .used_back_share = 0.94,
};

const char *due_severity(enum due_stage stage)
{
    static const char *const word[] = {"", "info", "minor", "major"};

    return word[stage];
}

double forecast_median(const double *days, size_t n)
{
    double sorted[FORECAST_DAYS_MAX];
    size_t kept = 0;

    for (size_t i = 0; i < n && kept < FORECAST_DAYS_MAX; i++) {
        size_t at = kept;

        if (!isfinite(days[i]))
            continue;
        for (; at > 0 && sorted[at - 1] > days[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = days[i];
        kept++;
    }
    return kept > 0 ? (sorted[(kept - 1) / 2] + sorted[kept / 2]) / 2 : (double)NAN;
}

static int64_t after_days(int64_t now_ms, double days)
{
    return isfinite(days) && fabs(days) < 36500 ? now_ms + llround(days * DAY_MS) : FORECAST_NEVER;
}

static struct due of_interval(const struct forecast_settings *set, enum due_by by, double every,
                              double used, double soon, double a_day, int64_t now_ms)
{
    struct due due = {.by = by, .left = every - used};

    due.due_ms = after_days(now_ms, a_day > 0 || due.left == 0 ? due.left / a_day : (double)NAN);
    if (used > every * set->overdue_share)
        due.stage = DUE_OVER;
    else if (used >= every)
        due.stage = DUE_NOW;
    else if (used >= every * set->soon_share || due.left <= soon)
        due.stage = DUE_SOON;
    return due;
}

static void more_urgent(struct due *worst, struct due due)
{
    if (worst->by == DUE_BY_NOTHING || due.stage > worst->stage ||
        (due.stage == worst->stage && due.due_ms < worst->due_ms))
        *worst = due;
}

struct due forecast_service(const struct service_plan *plan, const struct forecast_settings *set,
                            const struct usage *now)
{
    struct due worst = {.due_ms = FORECAST_NEVER, .left = (double)NAN};
    double km = now->km - plan->last_km, hours = now->hours - plan->last_h;
    double days = (double)(now->now_ms - plan->last_ms) / DAY_MS;

    if (plan->every_km > 0 && isfinite(km))
        more_urgent(&worst, of_interval(set, DUE_BY_KM, plan->every_km, km, set->soon_km,
                                        now->km_day, now->now_ms));
    if (plan->every_h > 0 && isfinite(hours))
        more_urgent(&worst, of_interval(set, DUE_BY_HOURS, plan->every_h, hours, set->soon_h,
                                        now->hours_day, now->now_ms));
    if (plan->every_days > 0 && plan->last_ms != 0)
        more_urgent(&worst, of_interval(set, DUE_BY_DATE, plan->every_days, days, set->soon_days, 1,
                                        now->now_ms));
    return worst;
}

struct mileage forecast_mileage(const struct contract_span *c, const struct forecast_settings *set,
                                int64_t now_ms, double km, double km_day_90,
                                enum mileage_stage before)
{
    struct mileage m = {
        .used_km = km - c->start_km, .end_km = (double)NAN, .cap_ms = FORECAST_NEVER};
    double left_days = fmax(0, (double)(c->end_ms - now_ms) / DAY_MS);
    double nearly = before == MILEAGE_NEARLY_USED ? set->used_back_share : set->used_share;
    bool over;

    if (!isfinite(m.used_km) || !(c->cap_km > 0) || now_ms < c->start_ms)
        return m;
    if (km_day_90 >= 0) {
        m.end_km = m.used_km + km_day_90 * left_days;
        m.cap_ms = after_days(now_ms, (c->cap_km - m.used_km) / km_day_90);
    }
    over = m.end_km > c->cap_km * (before == MILEAGE_FINE ? set->cap_share : 1) ||
           (before != MILEAGE_FINE && m.end_km == c->cap_km);
    if (m.used_km >= c->cap_km * nearly)
        m.stage = MILEAGE_NEARLY_USED;
    else if (over)
        m.stage = MILEAGE_OVER_SOON;
    return m;
}
