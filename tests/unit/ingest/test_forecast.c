/* Service and mileage: what is due, and when. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "services/ingest/facts/forecast.h"

#define NOW ((int64_t)1795420800000)
#define DAY ((int64_t)86400000)
#define NONE ((double)NAN)

static struct due by_km(double used_km, double km_day)
{
    const struct service_plan plan = {
        .every_km = 20000, .every_h = NONE, .every_days = NONE, .last_km = 100000, .last_h = NONE};
    const struct usage now = {
        .now_ms = NOW, .km = 100000 + used_km, .hours = NONE, .km_day = km_day, .hours_day = NONE};

    return forecast_service(&plan, &forecast_defaults, &now);
}

static void service_by_km_is_soon_due_and_overdue(void **state)
{
    (void)state;
    assert_int_equal(by_km(17999, 50).stage, DUE_NOT);
    assert_int_equal(by_km(18000, 50).stage, DUE_SOON);
    assert_int_equal(by_km(20000, 50).stage, DUE_NOW);
    assert_int_equal(by_km(22000, 50).stage, DUE_NOW);
    assert_int_equal(by_km(22001, 50).stage, DUE_OVER);
    assert_string_equal(due_severity(DUE_OVER), "major");
    assert_int_equal(by_km(10000, 50).due_ms, NOW + 200 * DAY);
    assert_int_equal(by_km(10000, NONE).due_ms, FORECAST_NEVER);
    assert_int_equal(by_km(10000, 0).due_ms, FORECAST_NEVER);
    assert_int_equal(by_km(NONE, 50).by, DUE_BY_NOTHING);
}

static void a_short_interval_is_soon_by_what_is_left(void **state)
{
    const struct service_plan plan = {
        .every_km = 5000, .every_h = NONE, .every_days = NONE, .last_km = 0, .last_h = NONE};
    struct usage now = {.now_ms = NOW, .km = 3999, .hours = NONE, .km_day = 10, .hours_day = NONE};

    (void)state;
    assert_int_equal(forecast_service(&plan, &forecast_defaults, &now).stage, DUE_NOT);
    now.km = 4000;
    assert_int_equal(forecast_service(&plan, &forecast_defaults, &now).stage, DUE_SOON);
}

static void a_service_before_1970_was_one_too(void **state)
{
    const struct service_plan plan = {.every_km = NONE,
                                      .every_h = NONE,
                                      .every_days = 365,
                                      .last_km = NONE,
                                      .last_h = NONE,
                                      .last_ms = -1000 * DAY};
    const struct usage now = {
        .now_ms = NOW, .km = NONE, .hours = NONE, .km_day = NONE, .hours_day = NONE};
    struct due due = forecast_service(&plan, &forecast_defaults, &now);

    (void)state;
    assert_int_equal(due.by, DUE_BY_DATE);
    assert_int_equal(due.stage, DUE_OVER);
}

static void the_most_urgent_interval_counts(void **state)
{
    const struct service_plan plan = {.every_km = 30000,
                                      .every_h = 500,
                                      .every_days = 365,
                                      .last_km = 0,
                                      .last_h = 0,
                                      .last_ms = NOW - 100 * DAY};
    struct usage now = {.now_ms = NOW, .km = 10000, .hours = 100, .km_day = 100, .hours_day = 1};
    struct due due = forecast_service(&plan, &forecast_defaults, &now);

    (void)state;
    assert_int_equal(due.by, DUE_BY_KM);
    assert_int_equal(due.due_ms, NOW + 200 * DAY);
    now.hours = 480;
    due = forecast_service(&plan, &forecast_defaults, &now);
    assert_int_equal(due.by, DUE_BY_HOURS);
    assert_int_equal(due.stage, DUE_SOON);
    now.hours = 100;
    now.now_ms = NOW + 236 * DAY;
    due = forecast_service(&plan, &forecast_defaults, &now);
    assert_int_equal(due.by, DUE_BY_DATE);
    assert_int_equal(due.stage, DUE_SOON);
    assert_int_equal(due.due_ms, NOW + 265 * DAY);
}

static void the_median_counts_days_without_a_drive(void **state)
{
    const double week[] = {50, 60, 0, 0, 55, 40, 300, NONE};

    (void)state;
    assert_true(forecast_median(week, 8) == 50);
    assert_true(forecast_median(week, 2) == 55);
    assert_true(isnan(forecast_median(week, 0)));
}

static void a_contract_is_told_before_its_cap_is_passed(void **state)
{
    const struct contract_span c = {NOW - 265 * DAY, NOW + 100 * DAY, 10000, 30000};
    struct mileage m =
        forecast_mileage(&c, &forecast_defaults, NOW, 30000, 106, MILEAGE_FINE); /* 30,600 */

    (void)state;
    assert_int_equal(m.stage, MILEAGE_FINE);
    m = forecast_mileage(&c, &forecast_defaults, NOW, 30000, 106.1, MILEAGE_FINE);
    assert_int_equal(m.stage, MILEAGE_OVER_SOON);
    assert_true(fabs(m.end_km - 30610) < 0.001);
    m = forecast_mileage(&c, &forecast_defaults, NOW, 30000, 101, MILEAGE_OVER_SOON);
    assert_int_equal(m.stage, MILEAGE_OVER_SOON); /* until the forecast is below the cap */
    m = forecast_mileage(&c, &forecast_defaults, NOW, 30000, 99, MILEAGE_OVER_SOON);
    assert_int_equal(m.stage, MILEAGE_FINE);
    m = forecast_mileage(&c, &forecast_defaults, NOW, 38500, 0, MILEAGE_FINE);
    assert_int_equal(m.stage, MILEAGE_NEARLY_USED);
    m = forecast_mileage(&c, &forecast_defaults, NOW, 38300, 0, MILEAGE_NEARLY_USED); /* 94.3 % */
    assert_int_equal(m.stage, MILEAGE_NEARLY_USED); /* a meter that is corrected a little */
    m = forecast_mileage(&c, &forecast_defaults, NOW, 38300, 0, MILEAGE_FINE);
    assert_int_equal(m.stage, MILEAGE_FINE);
    m = forecast_mileage(&c, &forecast_defaults, NOW, 38100, 0, MILEAGE_NEARLY_USED);
    assert_int_equal(m.stage, MILEAGE_FINE);
    m = forecast_mileage(&c, &forecast_defaults, NOW, NONE, 10, MILEAGE_FINE);
    assert_int_equal(m.stage, MILEAGE_FINE);
}

static void without_a_rate_only_what_is_used_counts(void **state)
{
    const struct contract_span c = {NOW - 265 * DAY, NOW + 100 * DAY, 10000, 30000};
    struct mileage m = forecast_mileage(&c, &forecast_defaults, NOW, 38000, NONE, MILEAGE_FINE);

    (void)state;
    assert_int_equal(m.stage, MILEAGE_FINE);
    assert_true(isnan(m.end_km));
    assert_int_equal(m.cap_ms, FORECAST_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(service_by_km_is_soon_due_and_overdue),
        cmocka_unit_test(a_short_interval_is_soon_by_what_is_left),
        cmocka_unit_test(a_service_before_1970_was_one_too),
        cmocka_unit_test(the_most_urgent_interval_counts),
        cmocka_unit_test(the_median_counts_days_without_a_drive),
        cmocka_unit_test(a_contract_is_told_before_its_cap_is_passed),
        cmocka_unit_test(without_a_rate_only_what_is_used_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
