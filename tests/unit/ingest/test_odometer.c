/* Kilometres and engine hours. */
#include "services/ingest/facts/odometer.h"
#include "tests/unit/ingest/drives.h"

static enum odometer_fact step(struct odometer *o, int64_t t_s, double odometer_m, double way_m,
                               double rpm, double run_time_s)
{
    struct moment m;
    struct seen seen = {.t_ms = MONDAY + t_s * SECOND,
                        .motion = MOTION_STANDING,
                        .running = rpm >= 300 ? KNOWN_YES : KNOWN_NO};

    moment_init(&m, seen.t_ms);
    m.v[MOMENT_ODOMETER] = odometer_m;
    m.v[MOMENT_RPM] = rpm;
    m.v[MOMENT_RUN_TIME] = run_time_s;
    return odometer_step(o, &odometer_defaults, &m, &seen, way_m);
}

static double now(const struct odometer *o)
{
    enum odometer_source source;

    return odometer_m(o, &source);
}

#define NONE NOT_MEASURED
static void the_cars_own_meter_counts(void **state)
{
    struct odometer o = {0};
    enum odometer_source source;

    (void)state;
    assert_true(isnan(odometer_m(&o, &source)));
    odometer_enter(&o, &odometer_defaults, 0, 5000);
    (void)step(&o, 1, NONE, 100, 800, NONE);
    NEAR(odometer_m(&o, &source), 5100, 0);
    assert_int_equal(source, ODOMETER_ESTIMATED);
    (void)step(&o, 2, 123456700, 100, 800, NONE);
    NEAR(odometer_m(&o, &source), 123456700, 0);
    assert_int_equal(source, ODOMETER_CAR);
}

static void a_fall_or_an_impossible_rise_is_refused_until_read_three_times(void **state)
{
    struct odometer o = {0};

    (void)state;
    (void)step(&o, 1, 100000000, 0, 800, NONE);
    assert_int_equal(step(&o, 10, 5000, 0, 800, NONE), ODOMETER_NONE);
    assert_int_equal(step(&o, 20, 100000500, 0, 800, NONE), ODOMETER_NONE); /* it was a slip */
    NEAR(now(&o), 100000500, 0);
    assert_int_equal(step(&o, 30, 5000, 0, 800, NONE), ODOMETER_NONE);
    assert_int_equal(step(&o, 40, 5100, 0, 800, NONE), ODOMETER_NONE);
    NEAR(now(&o), 100000500, 0);
    assert_int_equal(step(&o, 50, 5200, 0, 800, NONE), ODOMETER_RESET);
    NEAR(now(&o), 5200, 0);
    NEAR(o.before_m, 100000500, 0);
    assert_int_equal(step(&o, 60, 7200, 0, 800, NONE), ODOMETER_NONE); /* 2 km in 10 s */
    NEAR(now(&o), 5200, 0);
}

static void a_second_entry_teaches_the_factor(void **state)
{
    struct odometer o = {0};

    (void)state;
    odometer_enter(&o, &odometer_defaults, 0, 1000000);
    (void)step(&o, 1, NONE, 100000, 800, NONE);
    odometer_enter(&o, &odometer_defaults, 0, 1103000);
    NEAR(o.factor, 1.03, 1e-9);
    (void)step(&o, 2, NONE, 100000, 800, NONE);
    NEAR(now(&o), 1206000, 0.001);
    odometer_enter(&o, &odometer_defaults, 0, 2000000); /* somebody mistyped, or a trailer ride */
    NEAR(o.factor, 1.05, 1e-9);
}

static void what_is_read_today_is_not_raised_by_what_was_driven_before(void **state)
{
    struct odometer o = {0};

    (void)state;
    for (int i = 1; i <= 3601; i++)
        (void)step(&o, i, NONE, 10, 800, NONE);
    odometer_enter(&o, &odometer_defaults, MONDAY + 10000 * SECOND, 80000000);
    odometer_enter_hours(&o, MONDAY + 10000 * SECOND, 1200);
    NEAR(odometer_engine_h(&o), 1200, 1e-9); /* the hour before is in it */
    for (int i = 3602; i <= 10000; i++)      /* what it had kept while it had no link */
        (void)step(&o, i, NONE, 20, 800, NONE);
    NEAR(now(&o), 80000000, 0);
    NEAR(odometer_engine_h(&o), 1200, 1e-9);
    for (int i = 10001; i <= 13600; i++)
        (void)step(&o, i, NONE, 20, 800, NONE);
    NEAR(now(&o), 80072000, 0.001);
    NEAR(odometer_engine_h(&o), 1201, 1e-9);
    odometer_enter(&o, &odometer_defaults, MONDAY, 80080000); /* as of the newest sample */
    assert_int_equal(o.entered_ms, MONDAY + 13600 * SECOND);
}

static void a_reading_is_taken_as_the_next_step_would(void **state)
{
    struct odometer o = {0};
    const int64_t at_ms = MONDAY + 30 * SECOND;

    (void)state;
    assert_true(odometer_takes(&o, &odometer_defaults, at_ms, 100000000));
    (void)step(&o, 1, 100000000, 0, 800, NONE);
    assert_true(odometer_takes(&o, &odometer_defaults, at_ms, 100002000));
    assert_false(odometer_takes(&o, &odometer_defaults, at_ms, 429496729500));
    assert_false(odometer_takes(&o, &odometer_defaults, at_ms, 5000));
    (void)step(&o, 10, 5000, 0, 800, NONE);
    (void)step(&o, 20, 5000, 0, 800, NONE);
    assert_true(odometer_takes(&o, &odometer_defaults, at_ms, 5000)); /* another cluster */
    NEAR(now(&o), 100000000, 0);                                      /* asking changes nothing */
}

static void engine_hours_are_time_with_the_engine_on_at_both_ends(void **state)
{
    struct odometer o = {0};

    (void)state;
    odometer_enter_hours(&o, 0, 1000);
    for (int i = 1; i <= 3601; i++)
        (void)step(&o, i, NONE, 0, 800, NONE);
    NEAR(odometer_engine_h(&o), 1001, 1e-9);
    NEAR(o.idle_h, 1, 1e-9);
    for (int i = 3602; i <= 7000; i++)
        (void)step(&o, i, NONE, 0, 0, NONE);
    NEAR(odometer_engine_h(&o), 1001, 1e-9);
}

static void over_a_hole_the_engines_own_clock_counts_unless_it_was_started_anew(void **state)
{
    struct odometer o = {0};

    (void)state;
    (void)step(&o, 1, NONE, 0, 800, 100);
    (void)step(&o, 1801, NONE, 0, 800, 1900);
    NEAR(odometer_engine_h(&o), 0.5, 1e-9);
    (void)step(&o, 3601, NONE, 0, 800, 60); /* a new start */
    NEAR(odometer_engine_h(&o), 0.5, 1e-9);
    (void)step(&o, 7300, NONE, 0, 800, 3760); /* more than an hour */
    NEAR(odometer_engine_h(&o), 0.5, 1e-9);
    (void)step(&o, 9100, NONE, 0, 800, 9160); /* a clock that runs too fast: half an hour passed */
    NEAR(odometer_engine_h(&o), 1, 1e-9);
    (void)step(&o, 7300, NONE, 1000, 800, 3760); /* not after */
    NEAR(o.computed_m, 0, 0);
}

static void what_was_shown_of_a_lost_state_goes_on(void **state)
{
    struct odometer o = {.computed_m = 7, .refused = 2};
    struct odometer_shown shown = {ODOMETER_ESTIMATED, 80000000, 1200, 300, MONDAY, 0};
    enum odometer_source source;

    (void)state;
    odometer_resume(&o, &shown);
    (void)step(&o, 1, NONE, 100, 800, NONE);
    (void)step(&o, 2, NONE, 100, 800, NONE);
    NEAR(odometer_m(&o, &source), 80000200, 0);
    assert_int_equal(source, ODOMETER_ESTIMATED);
    NEAR(odometer_engine_h(&o), 1200 + 1.0 / 3600, 1e-9);
    NEAR(o.idle_h, 300 + 1.0 / 3600, 1e-9);
    shown.factor = 1.04;
    odometer_resume(&o, &shown);
    (void)step(&o, 1, NONE, 100, 800, NONE);
    NEAR(odometer_m(&o, &source), 80000104, 1e-6);
    shown.source = ODOMETER_CAR;
    odometer_resume(&o, &shown);
    (void)step(&o, 2, 5000, 0, 800, NONE); /* a slip is still one */
    NEAR(odometer_m(&o, &source), 80000000, 0);
    assert_int_equal(source, ODOMETER_CAR);
    shown = (struct odometer_shown){ODOMETER_UNKNOWN, NONE, NONE, NONE, 0, NONE};
    odometer_resume(&o, &shown);
    assert_true(isnan(odometer_m(&o, &source)));
    assert_int_equal(source, ODOMETER_UNKNOWN);
    NEAR(odometer_engine_h(&o), 0, 0);
}

static void what_was_stepped_from_anywhere_goes_on_as_what_was_shown(void **state)
{
    struct odometer o = {0}, was = {0};
    struct odometer_shown shown = {ODOMETER_ESTIMATED, 80000000, 1200, 300, MONDAY + 1000, 1.04};
    enum odometer_source source;

    (void)state;
    (void)step(&o, 0, NONE, 0, 800, NONE);
    (void)step(&o, 1, NONE, 500, 800, NONE);
    odometer_resume(&was, &shown);
    assert_int_equal(was.t_ms, MONDAY + 1000);
    odometer_go_on(&o, &was);
    NEAR(odometer_m(&o, &source), 80000000, 0);
    (void)step(&o, 2, NONE, 100, 800, NONE); /* it ran before, and runs on */
    NEAR(odometer_m(&o, &source), 80000104, 1e-6);
    NEAR(odometer_engine_h(&o), 1200 + 1.0 / 3600, 1e-9);
}

static void what_was_entered_is_entered_again_where_it_was(void **state)
{
    struct odometer now = {0}, again = {0};

    (void)state;
    odometer_enter(&now, &odometer_defaults, 0, 1000000); /* before its first sample */
    for (int i = 1; i <= 60; i++) {
        if (i == 31) {
            odometer_enter(&now, &odometer_defaults, 0, 2000000);
            odometer_enter_hours(&now, 0, 500);
        }
        if (i % 10 != 5)
            (void)step(&now, i, NONE, i % 10 == 6 ? 240 : 120, 800, NONE);
    }
    for (int i = 1; i <= 60; i++) { /* with what came late: the way is another, and the time */
        odometer_enter_again(&again, &now, MONDAY + i * 1000);
        (void)step(&again, i, NONE, 130, 800, NONE);
    }
    NEAR(again.base_m, 2000000, 0);
    NEAR(again.computed_m, 30 * 130, 1e-9);
    NEAR(odometer_engine_h(&again), 500 + 30.0 / 3600, 1e-9);
    NEAR(again.factor, now.factor, 0);
    assert_true(odometer_knows_more(&again, &now));
    odometer_enter_again(&again, &now, MONDAY + 70000); /* it has it */
    NEAR(again.computed_m, 30 * 130, 1e-9);
}

static void stepped_again_counts_only_if_it_knows_all_that_is_known(void **state)
{
    struct odometer now = {0}, again = {0};

    (void)state;
    for (int i = 1; i <= 10; i++) {
        (void)step(&again, i, NONE, 20, 800, NONE);
        if (i != 5)
            (void)step(&now, i, NONE, i == 6 ? 30 : 20, 800, NONE);
    }
    assert_true(odometer_knows_more(&again, &now)); /* a late sample in between */
    assert_true(odometer_knows_more(&now, &again)); /* which may take a little away */
    assert_true(odometer_knows_more(&now, &now));
    now.computed_m += 1100;
    assert_false(odometer_knows_more(&again, &now));
    now = again;
    now.idle_h += 0.2;
    assert_false(odometer_knows_more(&again, &now));
    now = again;
    odometer_enter(&now, &odometer_defaults, 0, 5000); /* meanwhile */
    assert_false(odometer_knows_more(&again, &now));
    now = again;
    odometer_enter_hours(&now, 0, 1000);
    assert_false(odometer_knows_more(&again, &now));
    now = again;
    now.read = true; /* and the history has it no more */
    assert_false(odometer_knows_more(&again, &now));
    now = again;
    now.engine_h += 1;
    assert_false(odometer_knows_more(&again, &now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cars_own_meter_counts),
        cmocka_unit_test(a_fall_or_an_impossible_rise_is_refused_until_read_three_times),
        cmocka_unit_test(a_second_entry_teaches_the_factor),
        cmocka_unit_test(what_is_read_today_is_not_raised_by_what_was_driven_before),
        cmocka_unit_test(a_reading_is_taken_as_the_next_step_would),
        cmocka_unit_test(engine_hours_are_time_with_the_engine_on_at_both_ends),
        cmocka_unit_test(over_a_hole_the_engines_own_clock_counts_unless_it_was_started_anew),
        cmocka_unit_test(what_was_shown_of_a_lost_state_goes_on),
        cmocka_unit_test(what_was_stepped_from_anywhere_goes_on_as_what_was_shown),
        cmocka_unit_test(what_was_entered_is_entered_again_where_it_was),
        cmocka_unit_test(stepped_again_counts_only_if_it_knows_all_that_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
