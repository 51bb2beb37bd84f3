/* tests/unit/drive/test_speed.c - sources of a speed, true readings, slopes; and places. */
#include "capture.h"

#include "lib/drive/geo.h"
#include "lib/drive/hold.h"
#include "lib/drive/speed.h"

static void the_cars_own_speed_goes_before_gps_and_gps_before_legs(void **state)
{
    (void)state;
    assert_int_equal(speed_choose(0, 50, 60).source, SPEED_OBD);
    NEAR(speed_choose(0, 50, 60).kmh, 0, 0);
    assert_int_equal(speed_choose(NOT_MEASURED, 50, 60).source, SPEED_GPS);
    assert_int_equal(speed_choose(401, -1, 60).source, SPEED_LEG);
    assert_int_equal(speed_choose(NOT_MEASURED, (double)INFINITY, NOT_MEASURED).source, SPEED_NONE);
}

static void what_a_way_tells_was_not_measured(void **state)
{
    (void)state;
    assert_true(speed_measured(SPEED_OBD) && speed_measured(SPEED_GPS));
    assert_false(speed_measured(SPEED_LEG) || speed_measured(SPEED_NONE));
}

static void a_speed_without_engine_speed_is_taken_for_gps(void **state)
{
    (void)state;
    assert_int_equal(speed_of_sample(30, 0).source, SPEED_OBD);
    assert_int_equal(speed_of_sample(30, NOT_MEASURED).source, SPEED_GPS);
    assert_int_equal(speed_of_sample(NOT_MEASURED, 900).source, SPEED_NONE);
}

static void a_carried_repeat_is_no_reading_until_a_second_has_passed(void **state)
{
    struct readings r = {0};

    (void)state;
    assert_true(readings_add(&r, 1000, 50));
    assert_false(readings_add(&r, 1090, 50));
    assert_false(readings_add(&r, 1999, 50));
    assert_true(readings_add(&r, 2000, 50));
    assert_true(readings_add(&r, 2050, 51));
    assert_int_equal(r.n, 3);
}

static void what_is_invalid_or_not_newer_is_no_reading(void **state)
{
    struct readings r = {0};

    (void)state;
    assert_false(readings_add(&r, 0, 50));
    assert_true(readings_add(&r, 1000, 50));
    assert_false(readings_add(&r, 1000, 60));
    assert_false(readings_add(&r, 999, 60));
    assert_false(readings_add(&r, 1049, 60));
    assert_false(readings_add(&r, 3000, NOT_MEASURED));
    assert_false(readings_add(&r, 3000, -0.1));
    assert_false(readings_add(&r, 3000, 400.1));
    assert_int_equal(r.n, 1);
}

static bool told(double value)
{
    return isfinite(value);
}

static double slope_of(const int64_t *t_ms, const double *kmh, size_t n)
{
    struct readings r = {0};

    for (size_t i = 0; i < n; i++)
        assert_true(readings_add(&r, t_ms[i], kmh[i]));
    return readings_slope_g(&r, 1500, 2500, NULL);
}

static void a_slope_needs_three_readings_that_span_between_1_5_and_2_5_s(void **state)
{
    const double kmh[] = {0, 10, 20};

    (void)state;
    assert_false(told(slope_of((const int64_t[]){1000, 2600}, kmh, 2)));
    assert_false(told(slope_of((const int64_t[]){1000, 1700, 2499}, kmh, 3)));
    assert_true(told(slope_of((const int64_t[]){1000, 1700, 2500}, kmh, 3)));
    assert_true(told(slope_of((const int64_t[]){1000, 2000, 3500}, kmh, 3)));
    assert_false(told(slope_of((const int64_t[]){1000, 2000, 3501}, kmh, 3)));
}

static void a_straight_line_has_its_own_slope_at_any_rate(void **state)
{
    (void)state;
    for (int64_t every_ms = 50; every_ms <= 1200; every_ms += 50) {
        struct readings r = {0};

        for (int64_t t_ms = 0; t_ms <= 6000; t_ms += every_ms)
            (void)readings_add(&r, 1000 + t_ms, DRIVE_G_KMH_S * 0.3 * (double)t_ms / 1000);
        NEAR(readings_slope_g(&r, 1500, 2500, NULL), 0.3, 1e-9);
        NEAR(readings_peak_g(&r, 0, 800, 1, 1.2), 0.3, 1e-9);
        NEAR(readings_peak_g(&r, 0, 800, -1, 1.2), 0, 0);
    }
}

static void the_ring_keeps_the_latest(void **state)
{
    struct readings r = {0};

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_true(readings_add(&r, 1000 + i * 100, i));
    assert_int_equal(r.n, READINGS_MAX);
    NEAR(r.at[r.n - 1].kmh, 99, 0);
    NEAR(r.at[0].kmh, 100 - READINGS_MAX, 0);
}

static void distances_are_those_of_the_sphere(void **state)
{
    double degree_m = GEO_EARTH_M * 3.14159265358979323846 / 180;

    (void)state;
    NEAR(geo_distance_m(0, 0, 0, 1), degree_m, 1e-6);
    NEAR(geo_distance_m(48, 7, 49, 7), degree_m, 1e-6);
    NEAR(geo_distance_m(0, 179.5, 0, -179.5), degree_m, 1e-6);
    NEAR(geo_distance_m(0, 0, 0, 180), degree_m * 180, 1e-3);
    NEAR(geo_distance_m(48.5, 7.7, 48.5, 7.7), 0, 0);
    NEAR(geo_distance_m(48.5, 7.7, 48.6, 7.9), geo_distance_m(48.6, 7.9, 48.5, 7.7), 1e-9);
}

/* The quick way for places near each other against the formula as it is written. */
static void near_places_are_as_far_apart_as_far_ones_would_be(void **state)
{
    const double rad = 3.14159265358979323846 / 180;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        double lat = (i * 7919 % 17000) / 100.0 - 85, lon = (i * 104729 % 36000) / 100.0 - 180;
        double scale = pow(10, -2 - i % 7), up = scale * (i * 31 % 199 - 99) / 100,
               over = scale * (i * 37 % 199 - 99) / 100;
        double lat_b = lat + up, lon_b = lon + over, sin_up, sin_over, h, there;

        sin_up = sin((lat_b - lat) * rad / 2);
        sin_over = sin((lon_b - lon) * rad / 2);
        h = sin_up * sin_up + cos(lat * rad) * cos(lat_b * rad) * sin_over * sin_over;
        there = 2 * GEO_EARTH_M * asin(sqrt(h));
        NEAR(geo_distance_m(lat, lon, lat_b, lon_b), there, 1e-12 * there + 1e-15);
    }
}

static void a_turn_takes_the_short_way(void **state)
{
    (void)state;
    NEAR(geo_turn_deg(350, 10), 20, 1e-12);
    NEAR(geo_turn_deg(10, 350), -20, 1e-12);
    NEAR(geo_turn_deg(710, 10), 20, 1e-12);
    NEAR(fabs(geo_turn_deg(0, 180)), 180, 1e-12);
}

static void zero_zero_and_what_is_out_of_range_is_no_place(void **state)
{
    (void)state;
    assert_true(geo_valid(48.5, 7.7));
    assert_true(geo_valid(0, 0.1));
    assert_true(geo_valid(-90, 180));
    assert_false(geo_valid(0, 0));
    assert_false(geo_valid(90.1, 7));
    assert_false(geo_valid(48, -180.1));
    assert_false(geo_valid(NOT_MEASURED, 7));
    assert_false(geo_valid(48, (double)INFINITY));
}

static void a_hold_lasts_until_it_breaks_or_a_hole_is_too_long(void **state)
{
    struct hold h = {0};

    (void)state;
    assert_int_equal(hold_step(&h, false, 1000, 500), -1);
    assert_int_equal(hold_step(&h, true, 1100, 500), 0);
    assert_int_equal(hold_step(&h, true, 1600, 500), 500);
    assert_int_equal(hold_step(&h, true, 2101, 500), 0);
    assert_int_equal(hold_step(&h, true, 2200, 500), 99);
    assert_int_equal(hold_step(&h, false, 2300, 500), -1);
    assert_int_equal(h.since_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cars_own_speed_goes_before_gps_and_gps_before_legs),
        cmocka_unit_test(what_a_way_tells_was_not_measured),
        cmocka_unit_test(a_speed_without_engine_speed_is_taken_for_gps),
        cmocka_unit_test(a_carried_repeat_is_no_reading_until_a_second_has_passed),
        cmocka_unit_test(what_is_invalid_or_not_newer_is_no_reading),
        cmocka_unit_test(a_slope_needs_three_readings_that_span_between_1_5_and_2_5_s),
        cmocka_unit_test(a_straight_line_has_its_own_slope_at_any_rate),
        cmocka_unit_test(the_ring_keeps_the_latest),
        cmocka_unit_test(distances_are_those_of_the_sphere),
        cmocka_unit_test(near_places_are_as_far_apart_as_far_ones_would_be),
        cmocka_unit_test(a_turn_takes_the_short_way),
        cmocka_unit_test(zero_zero_and_what_is_out_of_range_is_no_place),
        cmocka_unit_test(a_hold_lasts_until_it_breaks_or_a_hole_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
