/* tests/unit/drive/test_motion.c - good fixes, standing and moving, engine and ignition. */
#include "capture.h"

#include "lib/drive/engine.h"
#include "lib/drive/fix.h"
#include "lib/drive/motion.h"

#define LAT 48.5286
#define LON 7.7116
#define DEGREES(m) ((m) / 111195.08) /* of latitude */

static struct fix at(int64_t t_ms, double north_m, double kmh)
{
    return (struct fix){t_ms, LAT + DEGREES(north_m), LON, 3, kmh, 0};
}

static enum fix_verdict judge(struct fix_filter *f, struct fix fix)
{
    return fix_step(f, &fix_defaults, &fix);
}

static void accuracy_up_to_50_m_is_good_and_unknown_counts_as_15(void **state)
{
    struct fix_filter f = {0};
    struct fix fix = at(1000, 0, 0);

    (void)state;
    fix.accuracy_m = NOT_MEASURED;
    NEAR(fix_accuracy_m(&fix_defaults, &fix), 15, 0);
    assert_int_equal(judge(&f, fix), FIX_GOOD);
    fix.t_ms += 1000;
    fix.accuracy_m = 50;
    assert_int_equal(judge(&f, fix), FIX_GOOD);
    fix.t_ms += 1000;
    fix.accuracy_m = 50.1;
    assert_int_equal(judge(&f, fix), FIX_COARSE);
    fix.accuracy_m = (double)INFINITY;
    assert_int_equal(judge(&f, fix), FIX_COARSE);
    fix.accuracy_m = -1;
    assert_int_equal(judge(&f, fix), FIX_INVALID);
    assert_int_equal(f.good.t_ms, 2000);
}

static void no_place_and_no_newer_time_change_nothing(void **state)
{
    struct fix_filter f = {0}, before;
    struct fix fix = at(1000, 0, 0);

    (void)state;
    assert_int_equal(judge(&f, fix), FIX_GOOD);
    before = f;
    assert_int_equal(judge(&f, fix), FIX_LATE);
    fix.t_ms = 500;
    assert_int_equal(judge(&f, fix), FIX_LATE);
    fix = (struct fix){2000, 0, 0, 3, 0, 0};
    assert_int_equal(judge(&f, fix), FIX_INVALID);
    fix.lat = NOT_MEASURED;
    assert_int_equal(judge(&f, fix), FIX_INVALID);
    assert_memory_equal(&f, &before, sizeof f);
}

static void a_step_beyond_one_and_a_half_the_speed_and_10_m_s_is_a_jump(void **state)
{
    struct fix_filter f = {0};

    (void)state; /* 36 km/h = 10 m/s: 25 m in a second is the limit */
    assert_int_equal(judge(&f, at(1000, 0, 36)), FIX_GOOD);
    assert_int_equal(judge(&f, at(2000, 25.1, 36)), FIX_JUMP);
    assert_int_equal(judge(&f, at(3000, 49.9, 18)), FIX_GOOD);
}

static void the_larger_speed_of_both_ends_counts_and_70_m_s_when_neither_knows(void **state)
{
    struct fix_filter f = {0};

    (void)state;
    assert_int_equal(judge(&f, at(1000, 0, 0)), FIX_GOOD);
    assert_int_equal(judge(&f, at(2000, 24.9, 36)), FIX_GOOD);
    f = (struct fix_filter){0};
    assert_int_equal(judge(&f, at(1000, 0, NOT_MEASURED)), FIX_GOOD);
    assert_int_equal(judge(&f, at(2000, 70.1, NOT_MEASURED)), FIX_JUMP);
    assert_int_equal(judge(&f, at(3000, 139.9, NOT_MEASURED)), FIX_GOOD);
}

static void a_jump_of_200_m_with_2_m_accuracy_is_passed_over(void **state)
{
    struct fix_filter f = {0};

    (void)state;
    assert_int_equal(judge(&f, at(1000, 0, 0)), FIX_GOOD);
    assert_int_equal(judge(&f, at(2000, 200, 0)), FIX_JUMP);
    assert_int_equal(judge(&f, at(3000, 1, 0)), FIX_GOOD);
    assert_int_equal(judge(&f, at(4000, 200, 0)), FIX_JUMP);
    assert_int_equal(f.rejected_n, 1);
}

static void three_jumps_that_agree_are_the_new_truth(void **state)
{
    struct fix_filter f = {0};

    (void)state;
    assert_int_equal(judge(&f, at(1000, 0, 0)), FIX_GOOD);
    assert_int_equal(judge(&f, at(2000, 2000, 0)), FIX_JUMP);
    assert_int_equal(judge(&f, at(3000, 2001, 0)), FIX_JUMP);
    assert_int_equal(judge(&f, at(4000, 2002, 0)), FIX_GOOD);
    assert_int_equal(judge(&f, at(5000, 0, 0)), FIX_JUMP);
    assert_int_equal(judge(&f, at(6000, -1000, 0)), FIX_JUMP);
    assert_int_equal(judge(&f, at(7000, 1000, 0)), FIX_JUMP);
    assert_int_equal(judge(&f, at(8000, 2003, 0)), FIX_GOOD);
}

static enum motion_fact move(struct motion *m, int64_t t_ms, enum speed_source source, double kmh)
{
    return motion_step(m, &motion_defaults, t_ms, (struct speed){kmh, source}, false);
}

static void standing_begins_below_the_stop_speed_at_once(void **state)
{
    struct motion m = {0};

    (void)state;
    assert_int_equal(move(&m, 1000, SPEED_OBD, 1), MOTION_SAME);
    assert_int_equal(m.state, MOTION_UNKNOWN);
    assert_int_equal(move(&m, 2000, SPEED_OBD, 0.99), MOTION_STOPPED);
    assert_int_equal(m.since_ms, 2000);
    m = (struct motion){0};
    assert_int_equal(move(&m, 1000, SPEED_GPS, 2), MOTION_SAME);
    assert_int_equal(move(&m, 2000, SPEED_GPS, 1.99), MOTION_STOPPED);
}

static void moving_needs_two_samples_running_and_is_stamped_at_the_first(void **state)
{
    struct motion m = {0};

    (void)state;
    assert_int_equal(move(&m, 1000, SPEED_OBD, 0), MOTION_STOPPED);
    assert_int_equal(move(&m, 2000, SPEED_OBD, 3), MOTION_SAME);
    assert_int_equal(move(&m, 3000, SPEED_OBD, 2.99), MOTION_SAME); /* breaks the run */
    assert_int_equal(move(&m, 4000, SPEED_OBD, 3), MOTION_SAME);
    assert_int_equal(move(&m, 5000, SPEED_OBD, 3), MOTION_STARTED);
    assert_int_equal(m.since_ms, 4000);
    assert_int_equal(move(&m, 6000, SPEED_OBD, 1), MOTION_SAME);
    assert_int_equal(m.state, MOTION_MOVING);
}

static void gps_has_to_be_faster_because_it_wanders(void **state)
{
    struct motion m = {0};

    (void)state;
    assert_int_equal(move(&m, 1000, SPEED_GPS, 0), MOTION_STOPPED);
    for (int i = 0; i < 10; i++)
        assert_int_equal(move(&m, 2000 + i, SPEED_GPS, 4.99), MOTION_SAME);
    assert_int_equal(move(&m, 3000, SPEED_LEG, 5), MOTION_SAME);
    assert_int_equal(move(&m, 4000, SPEED_GPS, 5), MOTION_STARTED);
    assert_int_equal(m.since_ms, 3000);
}

static void ignition_known_off_is_standing_whatever_gps_says(void **state)
{
    struct motion m = {0};

    (void)state;
    for (int64_t t = 1; t <= 5; t++) {
        motion_step(&m, &motion_defaults, t * 1000, (struct speed){40, SPEED_GPS}, true);
        assert_int_equal(m.state, MOTION_STANDING);
    }
    motion_step(&m, &motion_defaults, 9000, (struct speed){NOT_MEASURED, SPEED_NONE}, true);
    assert_int_equal(motion_stood_ms(&m), 8000);
}

static void a_hole_between_two_standing_samples_is_standing(void **state)
{
    struct motion m = {0};

    (void)state;
    move(&m, 1000, SPEED_OBD, 0);
    assert_int_equal(move(&m, 4000000, SPEED_OBD, 0), MOTION_SAME);
    assert_int_equal(motion_stood_ms(&m), 3999000);
    assert_int_equal(m.since_ms, 1000);
}

static void time_that_does_not_advance_moves_nothing(void **state)
{
    struct motion m = {0}, before;

    (void)state;
    move(&m, 5000, SPEED_OBD, 0);
    before = m;
    move(&m, 5000, SPEED_OBD, 50);
    move(&m, 4000, SPEED_OBD, 50);
    move(&m, 6000, SPEED_OBD, NOT_MEASURED);
    move(&m, 6000, SPEED_NONE, 50);
    assert_memory_equal(&m, &before, sizeof m);
}

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
    assert_true(ignition_on_for_trip(KNOWN_NOT));
    assert_false(ignition_on_for_idle(KNOWN_NOT));
    assert_false(ignition_on_for_trip(KNOWN_NO));
    assert_true(ignition_on_for_idle(KNOWN_YES));
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
        cmocka_unit_test(accuracy_up_to_50_m_is_good_and_unknown_counts_as_15),
        cmocka_unit_test(no_place_and_no_newer_time_change_nothing),
        cmocka_unit_test(a_step_beyond_one_and_a_half_the_speed_and_10_m_s_is_a_jump),
        cmocka_unit_test(the_larger_speed_of_both_ends_counts_and_70_m_s_when_neither_knows),
        cmocka_unit_test(a_jump_of_200_m_with_2_m_accuracy_is_passed_over),
        cmocka_unit_test(three_jumps_that_agree_are_the_new_truth),
        cmocka_unit_test(standing_begins_below_the_stop_speed_at_once),
        cmocka_unit_test(moving_needs_two_samples_running_and_is_stamped_at_the_first),
        cmocka_unit_test(gps_has_to_be_faster_because_it_wanders),
        cmocka_unit_test(ignition_known_off_is_standing_whatever_gps_says),
        cmocka_unit_test(a_hole_between_two_standing_samples_is_standing),
        cmocka_unit_test(time_that_does_not_advance_moves_nothing),
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
