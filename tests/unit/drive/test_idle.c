/* tests/unit/drive/test_idle.c - idling. */
#include "capture.h"

#include "lib/drive/idle.h"

static enum idle_fact step(struct idle *i, int64_t t_s, enum known running,
                           enum motion_state motion, double litres_h)
{
    struct idle_input in = {t_s * 1000, running, motion, KNOWN_NOT, litres_h, false};

    return idle_step(i, &idle_defaults, &in);
}

static enum idle_fact stand(struct idle *i, int64_t from_s, int64_t to_s)
{
    enum idle_fact fact = IDLE_NONE;

    for (int64_t t_s = from_s; t_s <= to_s && fact == IDLE_NONE; t_s++)
        fact = step(i, t_s, KNOWN_YES, MOTION_STANDING, 0.9);
    return fact;
}

static void it_begins_after_120_s_and_is_stamped_at_its_start(void **state)
{
    struct idle i = {0};

    (void)state;
    assert_int_equal(stand(&i, 100, 219), IDLE_NONE);
    assert_int_equal(step(&i, 220, KNOWN_YES, MOTION_STANDING, 0.9), IDLE_BEGAN);
    assert_int_equal(i.now.since_ms, 100000);
    assert_int_equal(stand(&i, 221, 400), IDLE_NONE);
    assert_int_equal(step(&i, 401, KNOWN_YES, MOTION_MOVING, 3), IDLE_ENDED);
    assert_int_equal(i.ended.since_ms, 100000);
    assert_int_equal(i.ended.last_ms, 400000);
    NEAR(i.ended.litres, 0.9 * 300 / 3600, 1e-9);
    assert_int_equal(i.ended.measured_ms, 300000);
    assert_int_equal(step(&i, 402, KNOWN_YES, MOTION_MOVING, 3), IDLE_NONE);
}

static enum idle_fact leave(struct idle *i, int64_t t_s)
{
    struct idle_input in = {t_s * 1000, KNOWN_YES, MOTION_STANDING, KNOWN_NOT, 0.9, true};

    return idle_step(i, &idle_defaults, &in);
}

static void it_ends_where_the_car_leaves_and_goes_on_where_it_does_not(void **state)
{
    struct idle i = {0};

    (void)state;
    assert_int_equal(stand(&i, 100, 219), IDLE_NONE);
    assert_int_equal(leave(&i, 220), IDLE_NONE);
    assert_int_equal(step(&i, 221, KNOWN_YES, MOTION_MOVING, 3), IDLE_NONE);
    assert_int_equal(stand(&i, 300, 400), IDLE_NONE);
    assert_int_equal(leave(&i, 401), IDLE_NONE);
    assert_int_equal(stand(&i, 402, 420), IDLE_BEGAN);
    assert_int_equal(leave(&i, 421), IDLE_NONE);
    assert_int_equal(step(&i, 422, KNOWN_YES, MOTION_MOVING, 3), IDLE_ENDED);
    assert_int_equal(i.ended.since_ms, 300000);
    assert_int_equal(i.ended.last_ms, 420000);
}

static void a_short_one_is_never_told(void **state)
{
    struct idle i = {0};

    (void)state;
    assert_int_equal(stand(&i, 100, 219), IDLE_NONE);
    assert_int_equal(step(&i, 220, KNOWN_YES, MOTION_MOVING, 3), IDLE_NONE);
    assert_int_equal(stand(&i, 221, 340), IDLE_NONE);
}

static void a_stop_start_ends_it_and_the_wait_begins_anew(void **state)
{
    struct idle i = {0};

    (void)state;
    assert_int_equal(stand(&i, 100, 300), IDLE_BEGAN);
    assert_int_equal(step(&i, 301, KNOWN_NO, MOTION_STANDING, 0), IDLE_ENDED);
    assert_int_equal(step(&i, 302, KNOWN_NO, MOTION_STANDING, 0), IDLE_NONE);
    assert_int_equal(stand(&i, 303, 422), IDLE_NONE);
    assert_int_equal(step(&i, 423, KNOWN_YES, MOTION_STANDING, 0.9), IDLE_BEGAN);
    assert_int_equal(i.now.since_ms, 303000);
}

static void an_unknown_engine_a_working_pto_and_unknown_motion_are_no_idling(void **state)
{
    struct idle i = {0};

    (void)state;
    for (int64_t t_s = 1; t_s < 1000; t_s++) {
        struct idle_input in = {t_s * 1000, KNOWN_YES, MOTION_STANDING, KNOWN_YES, 0.9, false};

        in.running = t_s % 3 == 0 ? KNOWN_NOT : KNOWN_YES;
        in.motion = t_s % 3 == 1 ? MOTION_UNKNOWN : MOTION_STANDING;
        in.pto = t_s % 3 == 2 ? KNOWN_YES : KNOWN_NO;
        assert_int_equal(idle_step(&i, &idle_defaults, &in), IDLE_NONE);
        assert_int_equal(i.now.since_ms, 0);
    }
}

static void without_a_rate_there_are_no_litres(void **state)
{
    struct idle i = {0};

    (void)state;
    for (int64_t t_s = 100; t_s <= 300; t_s++)
        step(&i, t_s, KNOWN_YES, MOTION_STANDING, t_s % 2 ? NOT_MEASURED : -1);
    step(&i, 301, KNOWN_NO, MOTION_STANDING, 0);
    assert_int_equal(i.ended.measured_ms, 0);
    NEAR(i.ended.litres, 0, 0);
}

static void litres_are_not_guessed_over_a_hole_and_a_long_one_ends_it(void **state)
{
    struct idle i = {0};

    (void)state;
    stand(&i, 100, 300);
    step(&i, 215, KNOWN_YES, MOTION_STANDING, 0.9); /* old: no effect */
    assert_int_equal(i.now.last_ms, 220000);
    step(&i, 236, KNOWN_YES, MOTION_STANDING, 0.9);
    assert_int_equal(i.now.measured_ms, 120000);
    assert_int_equal(i.now.last_ms, 236000);
    assert_int_equal(step(&i, 536, KNOWN_YES, MOTION_STANDING, 0.9), IDLE_NONE);
    assert_int_equal(step(&i, 837, KNOWN_YES, MOTION_STANDING, 0.9), IDLE_ENDED);
    assert_int_equal(i.ended.last_ms, 536000);
    assert_int_equal(i.now.since_ms, 837000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_begins_after_120_s_and_is_stamped_at_its_start),
        cmocka_unit_test(it_ends_where_the_car_leaves_and_goes_on_where_it_does_not),
        cmocka_unit_test(a_short_one_is_never_told),
        cmocka_unit_test(a_stop_start_ends_it_and_the_wait_begins_anew),
        cmocka_unit_test(an_unknown_engine_a_working_pto_and_unknown_motion_are_no_idling),
        cmocka_unit_test(without_a_rate_there_are_no_litres),
        cmocka_unit_test(litres_are_not_guessed_over_a_hole_and_a_long_one_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
