/* tests/unit/drive/test_engine.c - engine running and ignition. */
#include "capture.h"

#include "lib/drive/engine.h"

static unsigned run(struct engine *e, int64_t t_ms, double rpm, bool adapter, double gps_kmh)
{
    struct engine_input in = {t_ms, rpm, false, adapter, gps_kmh, KNOWN_NOT};

    return engine_step(e, &engine_defaults, &in);
}

static void an_engine_runs_from_300_rpm(void **state)
{
    struct engine e = {0};

    (void)state;
    assert_int_equal(run(&e, 1000, 299.75, true, NOT_MEASURED), IGNITION_ON);
    assert_int_equal(e.running, KNOWN_NO);
    assert_int_equal(run(&e, 2000, 300, true, NOT_MEASURED), ENGINE_STARTED);
    assert_int_equal(run(&e, 3000, 0, true, NOT_MEASURED), ENGINE_STOPPED); /* a stop-start */
    assert_int_equal(e.ignition, KNOWN_YES);
    assert_int_equal(run(&e, 4000, -1, true, NOT_MEASURED), 0);
    assert_int_equal(e.rpm_ms, 3000);
}

static void ten_seconds_of_silence_behind_a_working_adapter_are_off(void **state)
{
    struct engine e = {0};
    unsigned facts = 0;

    (void)state;
    run(&e, 1000, 800, true, NOT_MEASURED);
    for (int64_t t = 2000; t <= 11000; t += 1000)
        facts |= run(&e, t, NOT_MEASURED, true, NOT_MEASURED);
    assert_int_equal(facts, 0);
    assert_int_equal(e.running, KNOWN_YES); /* what was read is 10 s old */
    facts = run(&e, 12000, NOT_MEASURED, true, NOT_MEASURED);
    assert_int_equal(e.running, KNOWN_NOT);
    facts |= run(&e, 13000, NOT_MEASURED, true, NOT_MEASURED);
    assert_int_equal(e.ignition, KNOWN_NO);
    assert_int_equal(facts, IGNITION_UNKNOWN | IGNITION_OFF | ENGINE_STOPPED);
}

static void silence_without_an_adapter_is_unknown(void **state)
{
    struct engine e = {0};

    (void)state;
    run(&e, 1000, 800, true, NOT_MEASURED);
    for (int64_t t = 2000; t <= 100000; t += 1000)
        run(&e, t, NOT_MEASURED, false, NOT_MEASURED);
    assert_int_equal(e.ignition, KNOWN_NOT);
    assert_int_equal(e.running, KNOWN_NOT);
}

static void silence_on_the_road_is_unknown_and_a_red_light_does_not_make_it_off(void **state)
{
    struct engine e = {0};

    (void)state;
    run(&e, 1000, 800, true, 50);
    for (int64_t t = 2000; t <= 60000; t += 1000)
        run(&e, t, NOT_MEASURED, true, 8);
    assert_int_equal(e.ignition, KNOWN_NOT);
    for (int64_t t = 61000; t <= 360000; t += 1000)
        run(&e, t, NOT_MEASURED, true, 7.9);
    assert_int_equal(e.ignition, KNOWN_NOT);
    run(&e, 361000, NOT_MEASURED, true, 0);
    assert_int_equal(e.ignition, KNOWN_NO);
}

static void a_car_that_is_off_stays_off_when_it_is_towed(void **state)
{
    struct engine e = {0};

    (void)state;
    for (int64_t t = 1000; t <= 20000; t += 1000)
        run(&e, t, NOT_MEASURED, true, 0);
    assert_int_equal(e.ignition, KNOWN_NO);
    for (int64_t t = 21000; t <= 60000; t += 1000)
        run(&e, t, NOT_MEASURED, true, 30);
    assert_int_equal(e.ignition, KNOWN_NO);
    run(&e, 61000, 0, true, 30);
    assert_int_equal(e.ignition, KNOWN_YES);
}

static void a_measured_ignition_goes_before_what_the_ecu_lets_guess(void **state)
{
    struct engine e = {0};
    struct engine_input in = {1000, 800, true, true, NOT_MEASURED, KNOWN_NO};

    (void)state;
    assert_int_equal(engine_step(&e, &engine_defaults, &in), IGNITION_OFF | ENGINE_STARTED);
    in = (struct engine_input){2000, NOT_MEASURED, false, true, NOT_MEASURED, KNOWN_NO};
    assert_int_equal(engine_step(&e, &engine_defaults, &in), ENGINE_STOPPED);
    in.t_ms = 3000;
    in.measured = KNOWN_YES;
    assert_int_equal(engine_step(&e, &engine_defaults, &in), IGNITION_ON);
    assert_int_equal(e.ignition_since_ms, 3000);
}

static void an_old_moment_changes_no_engine(void **state)
{
    struct engine e = {0}, before;

    (void)state;
    run(&e, 5000, 800, true, NOT_MEASURED);
    before = e;
    assert_int_equal(run(&e, 5000, 0, true, 0), 0);
    assert_int_equal(run(&e, 1000, 0, false, 0), 0);
    assert_memory_equal(&e, &before, sizeof e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_engine_runs_from_300_rpm),
        cmocka_unit_test(ten_seconds_of_silence_behind_a_working_adapter_are_off),
        cmocka_unit_test(silence_without_an_adapter_is_unknown),
        cmocka_unit_test(silence_on_the_road_is_unknown_and_a_red_light_does_not_make_it_off),
        cmocka_unit_test(a_car_that_is_off_stays_off_when_it_is_towed),
        cmocka_unit_test(a_measured_ignition_goes_before_what_the_ecu_lets_guess),
        cmocka_unit_test(an_old_moment_changes_no_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
