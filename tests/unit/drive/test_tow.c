/* tests/unit/drive/test_tow.c - towed cars, anchors, the meter, lost receivers and adapters. */
#include "capture.h"

#include "lib/drive/adapter.h"
#include "lib/drive/anchor.h"
#include "lib/drive/gps_lost.h"
#include "lib/drive/meter.h"
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

static void an_anchor_is_the_median_of_the_first_60_fixes(void **state)
{
    struct anchor a = {0};
    double lat, lon;

    (void)state;
    assert_false(anchor_place(&a, &lat, &lon));
    anchor_add(&a, 0, 0);
    anchor_add(&a, NOT_MEASURED, 7);
    assert_false(anchor_place(&a, &lat, &lon));
    for (int i = 0; i < 60; i++) /* a third of them 300 m away */
        anchor_add(&a, LAT + (i % 3 == 0 ? DEGREES(300) : 0), LON);
    for (int i = 0; i < 100; i++)
        anchor_add(&a, 10, 10);
    assert_true(anchor_place(&a, &lat, &lon));
    NEAR(lat, LAT, 1e-7);
    NEAR(lon, LON, 1e-7);
}

static void meter(struct meter *m, int64_t t_s, double kmh, double north_m)
{
    struct fix fix = at(t_s, north_m, kmh, 5);
    struct meter_input in = {t_s * 1000, kmh > 3, kmh, isfinite(north_m) ? &fix : NULL};

    meter_step(m, &meter_defaults, &in);
}

static double metres(const struct meter *m)
{
    return meter_distance_m(m, &meter_defaults);
}

static void standing_adds_no_metre(void **state)
{
    struct meter m = {0};

    (void)state;
    for (int64_t t_s = 1; t_s < 1000; t_s++)
        meter(&m, t_s, 0, t_s % 2 ? 0 : 15);
    NEAR(metres(&m), 0, 0);
}

static void a_tunnel_is_the_integral_of_the_speed(void **state)
{
    struct meter m = {0};

    (void)state;
    for (int64_t t_s = 0; t_s <= 10; t_s++)
        meter(&m, 1 + t_s, 36, (double)t_s * 10);
    NEAR(metres(&m), 100, 0.1);
    for (int64_t t_s = 11; t_s < 110; t_s++)
        meter(&m, 1 + t_s, 36, NOT_MEASURED);
    NEAR(metres(&m), 1090, 1);
    meter(&m, 111, 36, 700); /* the road bends: 600 m as the crow flies */
    NEAR(metres(&m), 1100, 1);
    NEAR(m.estimated_m, 0, 0);
    NEAR(meter_coverage(&m), 1, 0);
}

static void a_hole_is_a_straight_line_told_apart(void **state)
{
    struct meter m = {0};

    (void)state;
    meter(&m, 1, 36, 0);
    meter(&m, 16, 36, 150); /* 15 s: a leg */
    NEAR(m.settled_m, 150, 0.1);
    meter(&m, 116, 36, 1150);
    NEAR(m.settled_m, 150, 0.1);
    NEAR(m.estimated_m, 1000, 0.5);
    NEAR(meter_coverage(&m), 15.0 / 115, 1e-9);
    meter(&m, 116, 36, 9999);
    meter(&m, 100, 36, 9999);
    NEAR(metres(&m), 1150, 1);
}

static void without_any_fix_the_speed_is_integrated_up_to_15_s(void **state)
{
    struct meter m = {0};

    (void)state;
    meter(&m, 1, 36, NOT_MEASURED);
    meter(&m, 16, 72, NOT_MEASURED);
    NEAR(metres(&m), 225, 1e-9);
    meter(&m, 32, 72, NOT_MEASURED);
    NEAR(metres(&m), 225, 1e-9);
}

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

static enum adapter_fact plug(struct adapter *a, int64_t t_s, bool there, bool ecu, double kmh)
{
    return adapter_step(a, &adapter_defaults, t_s * 1000, there, ecu, kmh);
}

static void an_adapter_away_for_10_s_is_unplugged_and_back_when_it_answers(void **state)
{
    struct adapter a = {0};

    (void)state;
    for (int64_t t_s = 1; t_s < 100; t_s++) /* never there: absent, not unplugged */
        assert_int_equal(plug(&a, t_s, false, false, 50), ADAPTER_NONE);
    plug(&a, 100, true, false, 0);
    for (int64_t t_s = 101; t_s < 111; t_s++)
        assert_int_equal(plug(&a, t_s, false, false, NOT_MEASURED), ADAPTER_NONE);
    assert_int_equal(plug(&a, 111, false, false, NOT_MEASURED), ADAPTER_UNPLUGGED);
    assert_int_equal(a.since_ms, 101000);
    assert_int_equal(plug(&a, 112, false, false, NOT_MEASURED), ADAPTER_NONE);
    assert_int_equal(plug(&a, 112, true, true, NOT_MEASURED), ADAPTER_NONE);
    assert_int_equal(plug(&a, 113, true, false, NOT_MEASURED), ADAPTER_BACK);
}

static void an_ecu_silent_on_the_road_for_10_s_is_unplugged_until_it_answers(void **state)
{
    struct adapter a = {0};

    (void)state;
    plug(&a, 1, true, true, 50);
    for (int64_t t_s = 2; t_s < 12; t_s++)
        assert_int_equal(plug(&a, t_s, true, false, t_s % 2 ? NOT_MEASURED : 8), ADAPTER_NONE);
    assert_int_equal(plug(&a, 12, true, false, 8), ADAPTER_UNPLUGGED);
    assert_true(a.silent);
    assert_int_equal(plug(&a, 13, true, false, 0), ADAPTER_NONE);
    assert_int_equal(plug(&a, 14, true, true, 0), ADAPTER_BACK);
    for (int64_t t_s = 15; t_s < 100; t_s++) /* asleep in a park */
        assert_int_equal(plug(&a, t_s, true, false, 7.9), ADAPTER_NONE);
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
        cmocka_unit_test(an_anchor_is_the_median_of_the_first_60_fixes),
        cmocka_unit_test(standing_adds_no_metre),
        cmocka_unit_test(a_tunnel_is_the_integral_of_the_speed),
        cmocka_unit_test(a_hole_is_a_straight_line_told_apart),
        cmocka_unit_test(without_any_fix_the_speed_is_integrated_up_to_15_s),
        cmocka_unit_test(gps_is_lost_after_600_s_of_driving_and_back_with_2_fixes),
        cmocka_unit_test(a_night_in_the_garage_is_no_lost_gps),
        cmocka_unit_test(an_adapter_away_for_10_s_is_unplugged_and_back_when_it_answers),
        cmocka_unit_test(an_ecu_silent_on_the_road_for_10_s_is_unplugged_until_it_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
