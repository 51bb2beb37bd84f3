/* tests/unit/drive/test_motion.c - standing and moving. */
#include "capture.h"

#include "lib/drive/motion.h"

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
    assert_int_equal(m.state, MOTION_STANDING);
    assert_int_equal(m.t_ms - m.since_ms, 8000);
}

static void a_hole_between_two_standing_samples_is_standing(void **state)
{
    struct motion m = {0};

    (void)state;
    move(&m, 1000, SPEED_OBD, 0);
    assert_int_equal(move(&m, 4000000, SPEED_OBD, 0), MOTION_SAME);
    assert_int_equal(m.t_ms, 4000000);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standing_begins_below_the_stop_speed_at_once),
        cmocka_unit_test(moving_needs_two_samples_running_and_is_stamped_at_the_first),
        cmocka_unit_test(gps_has_to_be_faster_because_it_wanders),
        cmocka_unit_test(ignition_known_off_is_standing_whatever_gps_says),
        cmocka_unit_test(a_hole_between_two_standing_samples_is_standing),
        cmocka_unit_test(time_that_does_not_advance_moves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
