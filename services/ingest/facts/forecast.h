/* services/ingest/facts/forecast.h - what is due, and when: service by km, hours and date, and a
 * contract's mileage.  Pure. */
#ifndef INGEST_FORECAST_H
#define INGEST_FORECAST_H

#include <stddef.h>
#include <stdint.h>

#define FORECAST_DAYS_MAX 90
#define FORECAST_NEVER INT64_MAX

struct forecast_settings {
    double soon_share;                 /* 0.9 of the interval, or ... */
    double soon_km, soon_h, soon_days; /* ... 1,000 km, 25 h, 30 days left */
    double overdue_share;              /* more than 1.1 of the interval */
    double cap_share;                  /* forecast above 1.02 of the cap */
    double used_share;                 /* or 0.95 of the cap used */
    double used_back_share; /* ... and not so any more below (ours: a meter is corrected) */
};
extern const struct forecast_settings forecast_defaults;

enum due_stage { DUE_NOT = 0, DUE_SOON, DUE_NOW, DUE_OVER };
enum due_by { DUE_BY_NOTHING = 0, DUE_BY_KM, DUE_BY_HOURS, DUE_BY_DATE };

struct service_plan {
    double every_km, every_h, every_days; /* NaN: not so */
    double last_km, last_h;               /* at the last service, NaN: not known */
    int64_t last_ms;                      /* 0: not known; before 1970 it is negative */
};

struct usage {
    int64_t now_ms;
    double km, hours;         /* as the meter of the last service would read now; NaN: not known */
    double km_day, hours_day; /* median of the last 28 days, NaN: not known */
};

struct due {
    enum due_stage stage;
    enum due_by by; /* what comes first */
    int64_t due_ms; /* when it is or was due, FORECAST_NEVER: nobody can tell */
    double left;    /* km, h or days of `by`, negative: over */
};

/* The most urgent of the plan's intervals. */
struct due forecast_service(const struct service_plan *plan, const struct forecast_settings *set,
                            const struct usage *now);
const char *due_severity(enum due_stage stage); /* "", "info", "minor", "major" */

/* Median of up to 90 days, days without a drive too; NaN without one. */
double forecast_median(const double *days, size_t n);

enum mileage_stage { MILEAGE_FINE = 0, MILEAGE_OVER_SOON, MILEAGE_NEARLY_USED };
struct contract_span {
    int64_t start_ms, end_ms;
    double start_km, cap_km;
};
struct mileage {
    enum mileage_stage stage; /* "", warning, major */
    double used_km;
    double end_km;  /* expected at the end, of the contract's km; NaN: no rate */
    int64_t cap_ms; /* when the cap is reached at this rate */
};

/* `before` is the stage of the last look: between the two limits it stays. */
struct mileage forecast_mileage(const struct contract_span *c, const struct forecast_settings *set,
                                int64_t now_ms, double km, double km_day_90,
                                enum mileage_stage before);

#endif
