/* tests/unit/drive/test_battery.c - voltages and heartbeats. */
#include "capture.h"

#include "lib/drive/battery.h"

struct bench {
    struct battery b;
    int64_t t_ms;
    unsigned all;
};

/* `volts` every `every_ms` for `ms`; returns the facts. */
static unsigned hold_volts(struct bench *x, enum known running, double volts, int64_t ms,
                           int64_t every_ms)
{
    unsigned facts = 0;

    for (int64_t end_ms = x->t_ms + ms; x->t_ms < end_ms;) {
        struct battery_input in = {x->t_ms += every_ms, volts, running, false};

        facts |= battery_step(&x->b, &battery_defaults, &in);
    }
    x->all |= facts;
    return facts;
}

static struct bench rested(double volts)
{
    struct bench x = {.t_ms = 1000};

    assert_int_equal(hold_volts(&x, KNOWN_NO, volts, 601000, 1000), 0);
    return x;
}

static void at_rest_12_2_for_180_s_is_low_and_12_21_is_not(void **state)
{
    struct bench x = rested(12.6);

    (void)state;
    assert_int_equal(hold_volts(&x, KNOWN_NO, 12.21, 400000, 1000), 0);
    assert_int_equal(hold_volts(&x, KNOWN_NO, 12.2, 180000, 1000), 0); /* 179 s since the first */
    assert_int_equal(hold_volts(&x, KNOWN_NO, 12.2, 1000, 1000), BATTERY_RAISED(BATTERY_LOW));
    assert_int_equal(x.b.since_ms[BATTERY_LOW], x.t_ms - 180000);
    assert_int_equal(battery_heartbeat_ms(&x.b, &battery_defaults, 600000), 3600000);
    assert_int_equal(battery_heartbeat_ms(&x.b, &battery_defaults, 7200000), 7200000);
    assert_string_equal(battery_severity(BATTERY_LOW), "minor");
}

static void before_10_minutes_without_the_engine_nothing_is_low(void **state)
{
    struct bench x = {.t_ms = 1000};

    (void)state;
    hold_volts(&x, KNOWN_NO, 11.0, 600000, 1000);
    assert_int_equal(x.all, 0);
    assert_int_equal(battery_heartbeat_ms(&x.b, &battery_defaults, 600000), 600000);
    x = (struct bench){.t_ms = 1000};
    hold_volts(&x, KNOWN_NOT, 11.0, 2000000, 1000);
    assert_int_equal(x.all, 0);
}

static void empty_is_11_8_twice_60_s_apart(void **state)
{
    struct bench x = rested(12.6);

    (void)state;
    assert_int_equal(hold_volts(&x, KNOWN_NO, 11.8, 1000, 1000), 0);
    assert_int_equal(hold_volts(&x, KNOWN_NO, 11.8, 59000, 59000), 0);
    assert_int_equal(hold_volts(&x, KNOWN_NO, 11.8, 1000, 1000), BATTERY_RAISED(BATTERY_EMPTY));
    x = rested(12.6);
    hold_volts(&x, KNOWN_NO, 11.81, 100000, 1000);
    assert_int_equal(x.all, 0);
}

static void heartbeats_find_a_low_battery_too(void **state)
{
    struct bench x = rested(12.6);

    (void)state;
    assert_int_equal(hold_volts(&x, KNOWN_NO, 12.1, 600000, 600000), 0);
    assert_int_equal(hold_volts(&x, KNOWN_NO, 12.1, 600000, 600000), BATTERY_RAISED(BATTERY_LOW));
}

static void cranking_is_no_reading(void **state)
{
    struct bench x = rested(12.6);

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct battery_input in = {x.t_ms += 60000, 9.5, KNOWN_NO, true};

        assert_int_equal(battery_step(&x.b, &battery_defaults, &in), 0);
    }
}

static void not_charging_needs_a_minute_of_running_and_300_s_below_12_8(void **state)
{
    struct bench x = rested(12.6);

    (void)state;
    assert_int_equal(hold_volts(&x, KNOWN_YES, 12.79, 360000, 1000), 0);
    assert_int_equal(hold_volts(&x, KNOWN_YES, 12.79, 2000, 1000),
                     BATTERY_RAISED(BATTERY_CHARGING));
    assert_string_equal(battery_word(BATTERY_CHARGING), "charging");
    assert_string_equal(battery_severity(BATTERY_CHARGING), "major");
    x = rested(12.6);
    for (int i = 0; i < 20; i++) { /* a regulated alternator dips */
        hold_volts(&x, KNOWN_YES, 12.3, 200000, 1000);
        hold_volts(&x, KNOWN_YES, 12.8, 10000, 1000);
    }
    assert_int_equal(x.all, 0);
}

static void more_than_15_for_10_s_is_too_much(void **state)
{
    struct bench x = rested(12.6);

    (void)state;
    assert_int_equal(hold_volts(&x, KNOWN_YES, 15.0, 100000, 1000), 0);
    assert_int_equal(hold_volts(&x, KNOWN_YES, 15.01, 10000, 1000), 0);
    assert_int_equal(hold_volts(&x, KNOWN_YES, 15.01, 1000, 1000), BATTERY_RAISED(BATTERY_OVER));
    assert_int_equal(hold_volts(&x, KNOWN_YES, 15.5, 500000, 1000), 0); /* is no good charge */
    assert_int_equal(hold_volts(&x, KNOWN_YES, 14.2, 200000, 1000), BATTERY_CLEARED(BATTERY_OVER));
}

static void low_clears_at_rest_after_600_s_or_running_after_120_s(void **state)
{
    (void)state;
    for (int running = 0; running < 2; running++) {
        struct bench x = rested(12.6);
        enum known how = running ? KNOWN_YES : KNOWN_NO;
        int64_t needed_ms = running ? 120000 : 600000;

        hold_volts(&x, KNOWN_NO, 12.0, 200000, 1000);
        assert_true(x.b.open[BATTERY_LOW]);
        hold_volts(&x, how, running ? 13.19 : 12.49, 2 * needed_ms, 1000);
        assert_true(x.b.open[BATTERY_LOW]);
        assert_int_equal(hold_volts(&x, how, running ? 13.2 : 12.5, needed_ms, 1000), 0);
        assert_int_equal(hold_volts(&x, how, running ? 13.2 : 12.5, 1000, 1000),
                         BATTERY_CLEARED(BATTERY_LOW));
    }
}

static void a_dip_shorter_than_10_s_does_not_keep_it_from_clearing(void **state)
{
    (void)state;
    for (int64_t dip_ms = 9000; dip_ms <= 11000; dip_ms += 2000) {
        struct bench x = rested(12.6);

        hold_volts(&x, KNOWN_NO, 12.0, 200000, 1000);
        hold_volts(&x, KNOWN_YES, 13.5, 100000, 1000);
        hold_volts(&x, KNOWN_YES, 12.0, dip_ms, 1000);
        hold_volts(&x, KNOWN_YES, 13.5, 30000, 1000);
        assert_int_equal(x.b.open[BATTERY_LOW], dip_ms == 11000);
    }
}

static void a_rested_battery_proves_no_alternator(void **state)
{
    struct bench x = rested(12.6);

    (void)state;
    hold_volts(&x, KNOWN_YES, 12.5, 400000, 1000);
    assert_true(x.b.open[BATTERY_CHARGING]);
    assert_int_equal(hold_volts(&x, KNOWN_NO, 12.7, 3000000, 1000), 0);
    assert_int_equal(hold_volts(&x, KNOWN_YES, 14.0, 130000, 1000),
                     BATTERY_CLEARED(BATTERY_CHARGING));
}

static void twenty_four_volts_have_double_thresholds(void **state)
{
    struct bench x = rested(25.2);
    struct battery_settings told = battery_defaults;

    (void)state;
    assert_true(battery_is_24v(&x.b, &battery_defaults));
    assert_int_equal(hold_volts(&x, KNOWN_NO, 24.42, 300000, 1000), 0);
    assert_int_equal(hold_volts(&x, KNOWN_NO, 24.4, 182000, 1000), BATTERY_RAISED(BATTERY_LOW));
    hold_volts(&x, KNOWN_YES, 28, 400000, 1000);
    assert_false(x.b.open[BATTERY_LOW] || x.b.open[BATTERY_OVER]);
    x = (struct bench){.t_ms = 1000};
    assert_int_equal(hold_volts(&x, KNOWN_YES, 28, 400000, 1000), 0); /* before any rest */
    told.nominal_v = 12;
    assert_false(battery_is_24v(&x.b, &told));
    x = (struct bench){.t_ms = 1000};
    hold_volts(&x, KNOWN_NO, 18.0, 700000, 1000); /* the median must be above */
    assert_false(battery_is_24v(&x.b, &battery_defaults));
}

static void a_voltage_that_is_none_or_old_has_no_effect(void **state)
{
    struct bench x = rested(12.6);
    struct battery before;
    struct battery_input in = {x.t_ms, 9, KNOWN_NO, false};

    (void)state;
    before = x.b;
    assert_int_equal(battery_step(&x.b, &battery_defaults, &in), 0);
    in.t_ms = 5;
    assert_int_equal(battery_step(&x.b, &battery_defaults, &in), 0);
    assert_memory_equal(&x.b, &before, sizeof before);
    in.t_ms = x.t_ms + 1000;
    for (int i = 0; i < 4; i++, in.t_ms += 100000) {
        in.volts = ((const double[]){NOT_MEASURED, 0, -5, 60.1})[i];
        assert_int_equal(battery_step(&x.b, &battery_defaults, &in), 0);
        NEAR(x.b.volts, 12.6, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_rest_12_2_for_180_s_is_low_and_12_21_is_not),
        cmocka_unit_test(before_10_minutes_without_the_engine_nothing_is_low),
        cmocka_unit_test(empty_is_11_8_twice_60_s_apart),
        cmocka_unit_test(heartbeats_find_a_low_battery_too),
        cmocka_unit_test(cranking_is_no_reading),
        cmocka_unit_test(not_charging_needs_a_minute_of_running_and_300_s_below_12_8),
        cmocka_unit_test(more_than_15_for_10_s_is_too_much),
        cmocka_unit_test(low_clears_at_rest_after_600_s_or_running_after_120_s),
        cmocka_unit_test(a_dip_shorter_than_10_s_does_not_keep_it_from_clearing),
        cmocka_unit_test(a_rested_battery_proves_no_alternator),
        cmocka_unit_test(twenty_four_volts_have_double_thresholds),
        cmocka_unit_test(a_voltage_that_is_none_or_old_has_no_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
