/* tests/unit/drive/test_fix.c - good fixes and jumps. */
#include "capture.h"

#include "lib/drive/fix.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accuracy_up_to_50_m_is_good_and_unknown_counts_as_15),
        cmocka_unit_test(no_place_and_no_newer_time_change_nothing),
        cmocka_unit_test(a_step_beyond_one_and_a_half_the_speed_and_10_m_s_is_a_jump),
        cmocka_unit_test(the_larger_speed_of_both_ends_counts_and_70_m_s_when_neither_knows),
        cmocka_unit_test(a_jump_of_200_m_with_2_m_accuracy_is_passed_over),
        cmocka_unit_test(three_jumps_that_agree_are_the_new_truth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
