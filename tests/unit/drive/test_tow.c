/* tests/unit/drive/test_tow.c - cars that move with the ignition off. */
#include "capture.h"

#include "lib/drive/tow.h"

#define LAT 48.5286
#define LON 7.7116
#define DEGREES(m) ((m) / 111195.08) /* of latitude */

static struct fix at(int64_t t_s, double north_m, double kmh, double accuracy_m)
{
    return (struct fix){t_s * 1000, LAT + DEGREES(north_m), LON, accuracy_m, kmh, 0};
}

static enum tow_fact tow(struct tow *t, int64_t t_s, enum known ignition, double north_m,
                         double kmh)
{
    struct fix fix = at(t_s, north_m, kmh, 5);

    return tow_step(t, &tow_defaults, t_s * 1000, ignition, &fix);
}

static struct tow parked(void)
{
    struct tow t = {0};

    for (int64_t t_s = 1; t_s <= 60; t_s++)
        assert_int_equal(tow(&t, t_s, t_s < 10 ? KNOWN_YES : KNOWN_NO, 0, 0), TOW_NONE);
    return t;
}

static void two_fixes_10_s_apart_beyond_200_m_and_their_accuracy_are_a_tow(void **state)
{
    struct tow t = parked();

    (void)state;
    assert_int_equal(tow(&t, 100, KNOWN_NO, 206, 0), TOW_NONE);
    assert_int_equal(tow(&t, 109, KNOWN_NO, 206, 0), TOW_NONE);
    assert_int_equal(tow(&t, 110, KNOWN_NO, 206, 0), TOW_BEGAN);
    assert_int_equal(t.since_ms, 100000);
    t = parked();
    for (int64_t t_s = 100; t_s < 200; t_s++)
        assert_int_equal(tow(&t, t_s, KNOWN_NO, 204, 0), TOW_NONE); /* less 5 m of accuracy */
    t = parked();
    for (int64_t t_s = 100; t_s < 200; t_s += 9) /* one nearer between begins anew */
        assert_int_equal(tow(&t, t_s, KNOWN_NO, t_s % 2 ? 0 : 300, 0), TOW_NONE);
}

static void gps_at_10_km_h_for_30_s_is_a_tow(void **state)
{
    struct tow t = parked();
    enum tow_fact fact = TOW_NONE;

    (void)state;
    for (int64_t t_s = 100; t_s < 130; t_s++)
        assert_int_equal(tow(&t, t_s, KNOWN_NO, 0, 10), TOW_NONE);
    fact = tow(&t, 130, KNOWN_NO, 0, 10);
    assert_int_equal(fact, TOW_BEGAN);
    t = parked();
    for (int64_t t_s = 100; t_s < 200; t_s++)
        assert_int_equal(tow(&t, t_s, KNOWN_NO, 0, 9.9), TOW_NONE);
}

static void with_the_ignition_on_or_unknown_nothing_is_a_tow(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct tow t = parked();

        for (int64_t t_s = 100; t_s < 300; t_s++)
            assert_int_equal(tow(&t, t_s, on ? KNOWN_YES : KNOWN_NOT, (double)(t_s - 100) * 10, 36),
                             TOW_NONE);
    }
}

static void a_tow_tells_its_position_every_minute_and_ends_with_the_ignition(void **state)
{
    struct tow t = parked();
    int told = 0;

    (void)state;
    for (int64_t t_s = 100; t_s <= 130; t_s++)
        tow(&t, t_s, KNOWN_NO, (double)(t_s - 100) * 10, 36);
    assert_true(t.open);
    for (int64_t t_s = 131; t_s <= 430; t_s++)
        told += tow(&t, t_s, KNOWN_NO, (double)(t_s - 100) * 10, 36) == TOW_POSITION;
    assert_in_range(told, 4, 5);
    assert_int_equal(tow_step(&t, &tow_defaults, 431000, KNOWN_YES, NULL), TOW_ENDED);
    assert_false(t.open);
}

static void standing_15_minutes_arrives_and_the_next_move_is_a_new_tow(void **state)
{
    struct tow t = parked();
    enum tow_fact fact = TOW_NONE;
    int64_t t_s = 100;

    (void)state;
    for (; t_s <= 130; t_s++)
        tow(&t, t_s, KNOWN_NO, 5000, 36);
    for (; fact != TOW_STOOD; t_s++)
        fact = tow(&t, t_s, KNOWN_NO, 5000, 0);
    assert_int_equal(t_s - 1, 131 + 900);
    for (int64_t end_s = t_s + 100; t_s < end_s; t_s++)
        assert_int_equal(tow(&t, t_s, KNOWN_NO, 5000, 0), TOW_NONE);
    tow(&t, t_s, KNOWN_NO, 5300, 0);
    assert_int_equal(tow(&t, t_s + 10, KNOWN_NO, 5300, 0), TOW_BEGAN);
}

static void an_old_moment_is_no_tow(void **state)
{
    struct tow t = parked(), before = t;

    (void)state;
    assert_int_equal(tow(&t, 60, KNOWN_YES, 900, 90), TOW_NONE);
    assert_int_equal(tow(&t, 1, KNOWN_YES, 900, 90), TOW_NONE);
    assert_memory_equal(&t, &before, sizeof t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_fixes_10_s_apart_beyond_200_m_and_their_accuracy_are_a_tow),
        cmocka_unit_test(gps_at_10_km_h_for_30_s_is_a_tow),
        cmocka_unit_test(with_the_ignition_on_or_unknown_nothing_is_a_tow),
        cmocka_unit_test(a_tow_tells_its_position_every_minute_and_ends_with_the_ignition),
        cmocka_unit_test(standing_15_minutes_arrives_and_the_next_move_is_a_new_tow),
        cmocka_unit_test(an_old_moment_is_no_tow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
