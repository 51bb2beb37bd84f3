/* Fixes and rounds become samples: times, facts, rounding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "vehicle/sampler.h"

#define T0 1795248000000

static struct sampler s;

static struct fix fix_at(int64_t t_ms, double speed_kmh)
{
    return (struct fix){.t_ms = t_ms,
                        .received_ms = t_ms + 80,
                        .lat = 48.5286001 + (double)((t_ms - T0) / 1000) * 0.0001,
                        .lon = 7.7116,
                        .altitude_m = NAN,
                        .heading_deg = NAN,
                        .speed_kmh = speed_kmh,
                        .accuracy_m = 3.24,
                        .vertical_accuracy_m = NAN};
}

static void add_fix(int64_t t_ms, double speed_kmh)
{
    struct fix fix = fix_at(t_ms, speed_kmh);

    sampler_fix(&s, &fix);
}

static void add_round(int64_t t_ms, double speed_kmh, double rpm)
{
    struct round round = {.t_ms = t_ms,
                          .answering = true,
                          .count = 2,
                          .readings = {{SIGNAL_SPEED, speed_kmh}, {SIGNAL_ENGINE_SPEED, rpm}}};

    sampler_round(&s, &round);
}

static double value(size_t i, uint16_t signal)
{
    assert_true(i < s.count);
    for (uint16_t k = 0; k < s.pending[i].count; k++)
        if (s.pending[i].readings[k].signal == signal)
            return s.pending[i].readings[k].value;
    return NAN;
}

/* As told last, up to sample i. */
static double known(size_t i, uint16_t signal)
{
    while (i > 0 && isnan(value(i, signal)))
        i--;
    return value(i, signal);
}

static int begin(void **state)
{
    (void)state;
    sampler_init(&s, 0);
    return 0;
}

static void samples_come_out_in_the_order_of_their_times(void **state)
{
    (void)state;
    add_round(T0 + 150, 50, 1800);
    add_fix(T0, 50); /* the receiver is a little late */
    add_round(T0 + 1150, 51, 1800);
    assert_int_equal(sampler_settle(&s, T0 + 1200, false), 2);
    assert_int_equal(s.pending[0].t_ms, T0);
    assert_int_equal(s.pending[1].t_ms, T0 + 150);
    sampler_forget(&s, 2);
    assert_int_equal(sampler_settle(&s, T0 + 1200, true), 1);
    assert_int_equal(s.pending[0].t_ms, T0 + 1150);
}

static void equal_times_cost_the_later_one_a_millisecond(void **state)
{
    (void)state;
    add_round(T0, 50, 1800);
    add_fix(T0, 50);
    assert_int_equal(sampler_settle(&s, T0 + 5000, true), 2);
    assert_int_equal(s.pending[0].t_ms, T0);
    assert_int_equal(s.pending[1].t_ms, T0 + 1);
}

static void a_sample_that_comes_after_its_turn_still_gets_a_later_time(void **state)
{
    (void)state;
    add_round(T0 + 500, 50, 1800);
    assert_int_equal(sampler_settle(&s, T0 + 5000, false), 1);
    add_fix(T0, 50);
    assert_int_equal(sampler_settle(&s, T0 + 5000, false), 2);
    assert_int_equal(s.pending[1].t_ms, T0 + 501);
}

static void times_go_on_after_a_restart(void **state)
{
    (void)state;
    sampler_init(&s, T0 + 700);
    add_fix(T0, 50);
    assert_int_equal(sampler_settle(&s, T0 + 5000, true), 1);
    assert_int_equal(s.pending[0].t_ms, T0 + 701);
}

static void a_clock_set_back_begins_a_new_order(void **state)
{
    (void)state;
    sampler_init(&s, T0 + 86400000);
    add_fix(T0, 50);
    assert_int_equal(sampler_settle(&s, T0 + 5000, true), 1);
    assert_int_equal(s.pending[0].t_ms, T0);
}

static void a_receivers_time_is_taken_only_when_plausible(void **state)
{
    struct fix fix = fix_at(T0, 0);

    (void)state;
    assert_int_equal(sampler_fix_time(&fix), T0);
    fix.received_ms = T0 + SAMPLER_GPS_TRUST_MS + 1;
    assert_int_equal(sampler_fix_time(&fix), fix.received_ms);
    fix.received_ms = T0 + 7168LL * 86400000; /* 1024 weeks */
    assert_int_equal(sampler_fix_time(&fix), fix.received_ms);
    fix.t_ms = 0;
    assert_int_equal(sampler_fix_time(&fix), fix.received_ms);
}

static void the_cars_own_speed_keeps_the_receivers_out(void **state)
{
    (void)state;
    add_fix(T0, 40);
    assert_true(value(0, SIGNAL_SPEED) == 40);
    add_round(T0 + 500, 41, 1800);
    add_fix(T0 + 1000, 42);
    assert_true(isnan(value(2, SIGNAL_SPEED)));
    assert_true(value(2, SIGNAL_LATITUDE) == signal_round(SIGNAL_LATITUDE, 48.5287));
    add_fix(T0 + 5000, 43); /* the car has not spoken for long */
    assert_true(value(3, SIGNAL_SPEED) == 43);
}

static void what_was_not_measured_is_absent(void **state)
{
    (void)state;
    add_fix(T0, NAN);
    assert_true(isnan(value(0, SIGNAL_SPEED)));
    assert_true(isnan(value(0, SIGNAL_HEADING)));
    assert_true(isnan(value(0, SIGNAL_ALTITUDE)));
    assert_true(isnan(value(0, SIGNAL_IS_MOVING)));
}

static void values_are_rounded_before_they_are_kept(void **state)
{
    struct round round = {.t_ms = T0,
                          .answering = true,
                          .count = 1,
                          .readings = {{SIGNAL_BATTERY_VOLTAGE, 12.34567}}};

    (void)state;
    add_fix(T0, 40);
    assert_true(value(0, SIGNAL_HORIZONTAL_ACCURACY) == 3.2);
    sampler_round(&s, &round);
    assert_true(value(1, SIGNAL_BATTERY_VOLTAGE) == signal_round(SIGNAL_BATTERY_VOLTAGE, 12.34567));
}

static void moving_has_hysteresis_and_needs_two_samples(void **state)
{
    static const struct {
        double speed;
        double moving;
    } rows[] = {{0, 0}, {2, 0}, {4, 0}, {2, 0}, {4, 0}, {5, 1}, {2, 1}, {1, 1}, {0.5, 0}, {2, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        add_round(T0 + (int64_t)i * 1000, rows[i].speed, 900);
        assert_true(known(i, SIGNAL_IS_MOVING) == rows[i].moving);
    }
}

static void cranking_is_not_running(void **state)
{
    (void)state;
    add_round(T0, 0, 250);
    add_round(T0 + 1000, 0, 770);
    add_round(T0 + 2000, 0, 0);
    assert_true(value(0, SIGNAL_ENGINE_RUNNING) == 0);
    assert_true(value(1, SIGNAL_ENGINE_RUNNING) == 1);
    assert_true(value(2, SIGNAL_ENGINE_RUNNING) == 0);
    assert_true(known(2, SIGNAL_LOW_VOLTAGE_STATE) ==
                4); /* stop-start: the engine is off, the car is not */
}

static void a_sleeping_bus_means_off_unless_the_car_moves(void **state)
{
    struct round asleep = {.t_ms = T0, .answering = false};

    (void)state;
    sampler_round(&s, &asleep);
    assert_true(value(0, SIGNAL_LOW_VOLTAGE_STATE) == 2);
    assert_true(value(0, SIGNAL_ENGINE_RUNNING) == 0);
    assert_true(isnan(value(0, SIGNAL_SPEED)));
    add_fix(T0 + 1000, 30);
    asleep.t_ms = T0 + 2000;
    sampler_round(&s, &asleep);
    assert_true(value(2, SIGNAL_LOW_VOLTAGE_STATE) == 0); /* unplugged: unknown */
    assert_true(isnan(value(2, SIGNAL_ENGINE_RUNNING)));
}

static void the_same_report_twice_is_one_sample(void **state)
{
    (void)state;
    add_fix(T0, 40);
    add_fix(T0, 40);
    assert_int_equal(s.count, 1);
}

static void what_says_nothing_new_is_no_sample(void **state)
{
    struct round round = {
        .t_ms = T0, .answering = true, .count = 1, .readings = {{SIGNAL_BATTERY_VOLTAGE, 12.6}}};

    (void)state;
    sampler_round(&s, &round);
    round.t_ms += 1000;
    round.readings[0].value = 12.62;
    sampler_round(&s, &round);
    assert_int_equal(s.count, 1);
    round.t_ms += 1000;
    round.readings[0].value = 12.8;
    sampler_round(&s, &round);
    assert_int_equal(s.count, 2);
    sampler_clock_set(&s);
    round.t_ms += 1000;
    sampler_round(&s, &round);
    assert_int_equal(s.count, 3);
}

static void a_standing_car_tells_where_it_is_so_often_and_a_moving_one_always(void **state)
{
    (void)state;
    sampler_pace(&s, 60000);
    for (int i = 0; i < 120; i++)
        add_fix(T0 + i * 1000, 0);
    assert_int_equal(s.count, 2);
    sampler_beat(&s);
    add_fix(T0 + 120000, 0);
    assert_int_equal(s.count, 3);
    add_fix(T0 + 121000, SAMPLER_MOVING_GPS_KMH); /* it is towed */
    add_fix(T0 + 122000, 20);
    assert_int_equal(s.count, 5);
    sampler_pace(&s, INT64_MAX);
    add_fix(T0 + 123000, 20);
    assert_int_equal(s.count, 5);
    sampler_pace(&s, 0);
    add_fix(T0 + 124000, 0);
    assert_int_equal(s.count, 6);
}

static void what_the_receiver_dated_stays_where_it_is(void **state)
{
    struct fix fix = {.t_ms = T0,
                      .received_ms = T0 - 300000,
                      .lat = 48.5,
                      .lon = 7.7,
                      .altitude_m = NAN,
                      .heading_deg = NAN,
                      .speed_kmh = NAN,
                      .accuracy_m = NAN,
                      .vertical_accuracy_m = NAN};

    (void)state;
    sampler_fix(&s, &fix);
    fix.t_ms = 0; /* this one has no date of its own */
    sampler_fix(&s, &fix);
    assert_int_equal(s.count, 2);
    sampler_shift(&s, 300000);
    assert_int_equal(s.pending[0].t_ms, T0);
    assert_int_equal(s.pending[1].t_ms, T0);
}

static void what_waits_for_its_time_is_moved_to_it(void **state)
{
    (void)state;
    add_round(T0 - 3600000, 50, 1800);
    add_round(T0 - 3599000, 51, 1800);
    sampler_shift(&s, 3600000);
    sampler_clock_set(&s);
    add_round(T0 + 2000, 52, 1800);
    assert_int_equal(sampler_settle(&s, T0 + 5000, false), 3);
    assert_int_equal(s.pending[0].t_ms, T0);
    assert_int_equal(s.pending[1].t_ms, T0 + 1000);
    assert_int_equal(s.pending[2].t_ms, T0 + 2000);
}

static void memory_is_bounded_and_the_oldest_go(void **state)
{
    (void)state;
    for (int64_t i = 0; i < SAMPLER_PENDING_MAX + 5; i++)
        add_round(T0 + i * 1000, 50, 1800);
    assert_int_equal(s.count, SAMPLER_PENDING_MAX);
    assert_int_equal(s.dropped, 5);
    assert_int_equal(s.pending[0].t_ms, T0 + 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(samples_come_out_in_the_order_of_their_times, begin),
        cmocka_unit_test_setup(equal_times_cost_the_later_one_a_millisecond, begin),
        cmocka_unit_test_setup(a_sample_that_comes_after_its_turn_still_gets_a_later_time, begin),
        cmocka_unit_test_setup(times_go_on_after_a_restart, begin),
        cmocka_unit_test_setup(a_clock_set_back_begins_a_new_order, begin),
        cmocka_unit_test_setup(a_receivers_time_is_taken_only_when_plausible, begin),
        cmocka_unit_test_setup(the_cars_own_speed_keeps_the_receivers_out, begin),
        cmocka_unit_test_setup(what_was_not_measured_is_absent, begin),
        cmocka_unit_test_setup(values_are_rounded_before_they_are_kept, begin),
        cmocka_unit_test_setup(moving_has_hysteresis_and_needs_two_samples, begin),
        cmocka_unit_test_setup(cranking_is_not_running, begin),
        cmocka_unit_test_setup(a_sleeping_bus_means_off_unless_the_car_moves, begin),
        cmocka_unit_test_setup(the_same_report_twice_is_one_sample, begin),
        cmocka_unit_test_setup(what_says_nothing_new_is_no_sample, begin),
        cmocka_unit_test_setup(a_standing_car_tells_where_it_is_so_often_and_a_moving_one_always,
                               begin),
        cmocka_unit_test_setup(what_the_receiver_dated_stays_where_it_is, begin),
        cmocka_unit_test_setup(what_waits_for_its_time_is_moved_to_it, begin),
        cmocka_unit_test_setup(memory_is_bounded_and_the_oldest_go, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
