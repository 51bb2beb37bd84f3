/* tests/unit/drive/test_gps_lost.c - driving without a position. */
#include "capture.h"

#include "lib/drive/gps_lost.h"

static enum gps_lost_fact lost(struct gps_lost *g, int64_t t_s, double kmh, bool fix)
{
    return gps_lost_step(g, &gps_lost_defaults, t_s * 1000, kmh, fix);
}

static void gps_is_lost_after_600_s_of_driving_and_back_with_2_fixes(void **state)
{
    struct gps_lost g = {0};

    (void)state;
    lost(&g, 1, 50, true);
    for (int64_t t_s = 2; t_s < 602; t_s++) /* a red light in it */
        assert_int_equal(lost(&g, t_s, t_s > 300 && t_s < 360 ? 0 : 10, false), GPS_LOST_NONE);
    assert_int_equal(lost(&g, 602, 9.9, false), GPS_LOST_NONE);
    assert_int_equal(lost(&g, 603, 10, false), GPS_LOST_RAISED);
    assert_int_equal(g.since_ms, 2000);
    assert_int_equal(lost(&g, 604, 10, false), GPS_LOST_NONE);
    assert_int_equal(lost(&g, 605, 10, true), GPS_LOST_NONE);
    assert_int_equal(lost(&g, 606, 10, true), GPS_LOST_CLEARED);
    assert_int_equal(lost(&g, 606, 10, false), GPS_LOST_NONE);
}

static void a_night_in_the_garage_is_no_lost_gps(void **state)
{
    struct gps_lost g = {0};

    (void)state;
    lost(&g, 1, 50, true);
    lost(&g, 2, 50, false);
    assert_int_equal(lost(&g, 36000, 30, false), GPS_LOST_NONE);
    assert_int_equal(lost(&g, 36060, 30, false), GPS_LOST_NONE);
    assert_int_equal(lost(&g, 36061, 30, true), GPS_LOST_NONE);
    for (int64_t t_s = 36062; t_s < 40000; t_s++) /* standing without a fix */
        assert_int_equal(lost(&g, t_s, NOT_MEASURED, false), GPS_LOST_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gps_is_lost_after_600_s_of_driving_and_back_with_2_fixes),
        cmocka_unit_test(a_night_in_the_garage_is_no_lost_gps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
