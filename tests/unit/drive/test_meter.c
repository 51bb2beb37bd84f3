/* tests/unit/drive/test_meter.c - the trip meter. */
#include "capture.h"

#include "lib/drive/meter.h"

#define LAT 48.5286
#define LON 7.7116
#define DEGREES(m) ((m) / 111195.08) /* of latitude */

static struct fix at(int64_t t_s, double north_m, double kmh, double accuracy_m)
{
    return (struct fix){t_s * 1000, LAT + DEGREES(north_m), LON, accuracy_m, kmh, 0};
}

static void meter(struct meter *m, int64_t t_s, double kmh, double north_m)
{
    struct fix fix = at(t_s, north_m, kmh, 5);
    struct meter_input in = {t_s * 1000, kmh > 3, kmh, isfinite(north_m) ? &fix : NULL, false};

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

static void leave(struct meter *m, int64_t t_s, double kmh, double north_m)
{
    struct fix fix = at(t_s, north_m, kmh, 5);
    struct meter_input in = {t_s * 1000, false, kmh, isfinite(north_m) ? &fix : NULL, true};

    meter_step(m, &meter_defaults, &in);
}

static void the_way_on_which_it_leaves_counts_once_it_moves(void **state)
{
    static const double kmh[] = {36, NOT_MEASURED, 36}, north[] = {1, 1, NOT_MEASURED};

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct meter m = {0};

        meter(&m, 1, 0 * kmh[i], 0 * north[i]);
        leave(&m, 11, kmh[i], 50 * north[i]);
        NEAR(metres(&m), 0, 0);
        leave(&m, 21, kmh[i], 150 * north[i]);
        NEAR(metres(&m), 0, 0);
        meter(&m, 31, 36, 250 * north[i]);
        NEAR(metres(&m), 250, 0.1);
        NEAR(m.estimated_m, 0, 0);
    }
}

static void the_way_on_which_it_leaves_counts_though_it_moved_since_the_last_fix(void **state)
{
    struct meter m = {0};

    (void)state;
    meter(&m, 1, 36, 0);
    meter(&m, 11, 36, NOT_MEASURED);
    meter(&m, 16, 0, NOT_MEASURED);
    leave(&m, 21, 36, NOT_MEASURED);
    leave(&m, 26, 36, 200);
    NEAR(metres(&m), 125, 0.1);
    meter(&m, 31, 36, 250);
    NEAR(metres(&m), 250, 0.1);
    NEAR(m.estimated_m, 0, 0);
}

static void a_hole_in_which_it_leaves_is_a_straight_line_told_apart(void **state)
{
    static const double kmh[] = {36, NOT_MEASURED};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct meter m = {0};

        meter(&m, 1, 0 * kmh[i], 0);
        leave(&m, 61, kmh[i], 300);
        NEAR(metres(&m), 0, 0);
        meter(&m, 121, 36, 900);
        NEAR(metres(&m), 900, 0.1);
        NEAR(m.estimated_m, 900, 0.1);
    }
}

static void a_hole_after_which_it_stands_or_whose_fix_is_old_adds_no_metre(void **state)
{
    struct meter m = {0};

    (void)state;
    for (int64_t t_s = 1; t_s < 6000; t_s += 120) {
        meter(&m, t_s, 0, 0);
        leave(&m, t_s + 60, 36, 300);
    }
    meter(&m, 6001, 0, 0);
    for (int64_t t_s = 6060; t_s < 7200; t_s += 60)
        meter(&m, t_s, 0, NOT_MEASURED);
    leave(&m, 7200, 36, 9000);
    meter(&m, 7210, 36, 9100);
    NEAR(metres(&m), 100, 0.1);
}

static void what_did_not_leave_adds_no_metre(void **state)
{
    struct meter m = {0};

    (void)state;
    for (int64_t t_s = 1; t_s < 1000; t_s += 2) {
        meter(&m, t_s, 0, 0);
        leave(&m, t_s + 1, 5, 15);
    }
    for (int64_t t_s = 1000; t_s < 1100; t_s += 2) {
        meter(&m, t_s, 0, NOT_MEASURED);
        leave(&m, t_s + 1, 5, NOT_MEASURED);
    }
    meter(&m, 1101, 0, 0);
    meter(&m, 1102, 36, 10);
    NEAR(metres(&m), 10, 0.1);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standing_adds_no_metre),
        cmocka_unit_test(the_way_on_which_it_leaves_counts_once_it_moves),
        cmocka_unit_test(the_way_on_which_it_leaves_counts_though_it_moved_since_the_last_fix),
        cmocka_unit_test(a_hole_in_which_it_leaves_is_a_straight_line_told_apart),
        cmocka_unit_test(a_hole_after_which_it_stands_or_whose_fix_is_old_adds_no_metre),
        cmocka_unit_test(what_did_not_leave_adds_no_metre),
        cmocka_unit_test(a_tunnel_is_the_integral_of_the_speed),
        cmocka_unit_test(a_hole_is_a_straight_line_told_apart),
        cmocka_unit_test(without_any_fix_the_speed_is_integrated_up_to_15_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
