/* tests/unit/drive/test_battery.c - voltages, heartbeats, power; and coolant. */
#include "capture.h"

#include "lib/drive/battery.h"
#include "lib/drive/heat.h"
#include "lib/drive/power.h"

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
    assert_int_equal(battery_heartbeat_ms(&x.b, &battery_defaults), 3600000);
    assert_string_equal(battery_severity(BATTERY_LOW), "minor");
}

static void before_10_minutes_without_the_engine_nothing_is_low(void **state)
{
    struct bench x = {.t_ms = 1000};

    (void)state;
    hold_volts(&x, KNOWN_NO, 11.0, 600000, 1000);
    assert_int_equal(x.all, 0);
    assert_int_equal(battery_heartbeat_ms(&x.b, &battery_defaults), 600000);
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

static void power(struct power *p, int64_t t_s, enum known ignition, bool sent, bool empty)
{
    struct power_input in = {t_s * 1000, ignition, sent, empty, 600000};

    (void)power_step(p, &power_defaults, &in);
}

static void ignition_off_empties_the_outbox_at_most_15_minutes_and_then_beats(void **state)
{
    struct power p = {0};
    int beats = 0;

    (void)state;
    power(&p, 1, KNOWN_NOT, true, false);
    assert_int_equal(p.mode, POWER_AWAKE);
    power(&p, 10, KNOWN_NO, false, false);
    assert_int_equal(p.mode, POWER_DRAINING);
    power(&p, 909, KNOWN_NO, false, false);
    assert_int_equal(p.mode, POWER_DRAINING);
    power(&p, 910, KNOWN_NO, false, false);
    assert_int_equal(p.mode, POWER_BEATING);
    for (int64_t t_s = 911; t_s <= 910 + 1800; t_s++) {
        struct power_input in = {t_s * 1000, KNOWN_NO, false, false, 600000};

        beats += power_step(&p, &power_defaults, &in);
    }
    assert_int_equal(beats, 3);
    power(&p, 9000, KNOWN_YES, false, false);
    assert_int_equal(p.mode, POWER_AWAKE);
    power(&p, 9001, KNOWN_NO, true, false);
    assert_int_equal(p.mode, POWER_BEATING);
}

static void an_empty_battery_gets_10_s_of_grace_and_ignition_takes_it_back(void **state)
{
    struct power p = {0};

    (void)state;
    power(&p, 10, KNOWN_NO, true, true);
    assert_int_equal(p.mode, POWER_GRACE);
    power(&p, 19, KNOWN_NO, true, true);
    assert_int_equal(p.mode, POWER_GRACE);
    power(&p, 15, KNOWN_YES, true, true); /* old: no effect */
    assert_int_equal(p.mode, POWER_GRACE);
    power(&p, 20, KNOWN_NO, true, true);
    assert_int_equal(p.mode, POWER_DOWN);
    power(&p, 21, KNOWN_NO, true, false);
    assert_int_equal(p.mode, POWER_DOWN);
    power(&p, 22, KNOWN_YES, true, true);
    assert_int_equal(p.mode, POWER_AWAKE);
}

static enum heat_fact warm(struct heat *h, int64_t *t_ms, double celsius, int64_t ms)
{
    enum heat_fact fact = HEAT_NONE;

    for (int64_t end_ms = *t_ms + ms; *t_ms < end_ms;) {
        enum heat_fact now = heat_step(h, &heat_defaults, *t_ms += 1000, celsius);

        fact = now == HEAT_NONE ? fact : now;
    }
    return fact;
}

static void coolant_of_110_for_30_s_is_major_and_of_118_for_10_s_critical(void **state)
{
    struct heat h = {0};
    int64_t t = 1000;

    (void)state;
    assert_int_equal(warm(&h, &t, 100, 10000), HEAT_NONE);
    assert_int_equal(warm(&h, &t, 109.9, 100000), HEAT_NONE);
    assert_int_equal(warm(&h, &t, 110, 30000), HEAT_NONE);
    assert_int_equal(warm(&h, &t, 110, 1000), HEAT_MAJOR);
    assert_int_equal(h.since_ms, t - 30000);
    assert_int_equal(warm(&h, &t, 118, 10000), HEAT_NONE);
    assert_int_equal(warm(&h, &t, 118, 1000), HEAT_CRITICAL);
    assert_int_equal(warm(&h, &t, 105, 100000), HEAT_NONE);
    assert_int_equal(warm(&h, &t, 104.9, 60000), HEAT_NONE);
    assert_int_equal(warm(&h, &t, 104.9, 1000), HEAT_CLEARED);
    NEAR(h.peak_celsius, 118, 0);
    assert_int_equal(warm(&h, &t, 104.9, 200000), HEAT_NONE);
}

static void minus_40_and_215_and_a_step_of_more_than_20_are_the_sensor(void **state)
{
    struct heat h = {0};
    int64_t t = 1000;

    (void)state;
    warm(&h, &t, 90, 5000);
    assert_int_equal(warm(&h, &t, 215, 60000), HEAT_NONE);
    assert_int_equal(warm(&h, &t, 150, 60000), HEAT_NONE);
    assert_int_equal(warm(&h, &t, -40, 5000), HEAT_NONE);
    assert_true(h.doubted);
    assert_int_equal(warm(&h, &t, 91, 5000), HEAT_NONE);
    assert_false(h.doubted);
    assert_int_equal(warm(&h, &t, 111, 29000), HEAT_NONE); /* 20 degrees are believed */
    assert_int_equal(warm(&h, &t, 111, 3000), HEAT_MAJOR);
    assert_int_equal(warm(&h, &t, -40, 200000), HEAT_NONE); /* nor does a broken wire cool */
}

static void readings_a_long_time_apart_do_not_add_up_to_heat(void **state)
{
    struct heat h = {0};

    (void)state;
    assert_int_equal(heat_step(&h, &heat_defaults, 1000, 111), HEAT_NONE);
    assert_int_equal(heat_step(&h, &heat_defaults, 100000, 111), HEAT_NONE);
    assert_int_equal(heat_step(&h, &heat_defaults, 100000, 119), HEAT_NONE);
    assert_int_equal(heat_step(&h, &heat_defaults, 101000, NOT_MEASURED), HEAT_NONE);
    assert_int_equal(h.t_ms, 100000);
    assert_int_equal(heat_step(&h, &heat_defaults, 130000, 111), HEAT_MAJOR);
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
        cmocka_unit_test(ignition_off_empties_the_outbox_at_most_15_minutes_and_then_beats),
        cmocka_unit_test(an_empty_battery_gets_10_s_of_grace_and_ignition_takes_it_back),
        cmocka_unit_test(coolant_of_110_for_30_s_is_major_and_of_118_for_10_s_critical),
        cmocka_unit_test(minus_40_and_215_and_a_step_of_more_than_20_are_the_sensor),
        cmocka_unit_test(readings_a_long_time_apart_do_not_add_up_to_heat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
