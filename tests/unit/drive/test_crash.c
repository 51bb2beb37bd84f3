/* tests/unit/drive/test_crash.c - impacts, falls and their witnesses. */
#include "capture.h"

#include "lib/drive/crash.h"

static enum crash_fact step(struct crash *c, int64_t t_ms, double kmh, bool lost,
                            enum known running)
{
    struct crash_input in = {t_ms,   isfinite(kmh) ? SPEED_OBD : SPEED_NONE, kmh, lost, false,
                             running};

    return crash_step(c, &crash_defaults, &in);
}

/* Cruise, then `to` 0 within ms; returns what the stop says, at 10,000 + ms. */
static enum crash_fact fall(struct crash *c, double kmh, int64_t ms)
{
    for (int64_t t = 1000; t <= 10000; t += 1000)
        assert_int_equal(step(c, t, kmh, false, KNOWN_YES), CRASH_NONE);
    return step(c, 10000 + ms, 0, false, KNOWN_YES);
}

static void from_30_at_a_mean_of_0_8_g_is_pending(void **state)
{
    struct crash c = {0};

    (void)state; /* 30 km/h at 0.8 g take 1,062.2 ms */
    assert_int_equal(fall(&c, 30, 1062), CRASH_PENDING);
    assert_true(c.pending);
    NEAR(c.from_kmh, 30, 0);
    c = (struct crash){0};
    assert_int_equal(fall(&c, 30, 1063), CRASH_NONE);
    c = (struct crash){0};
    assert_int_equal(fall(&c, 29.9, 500), CRASH_NONE);
    c = (struct crash){0};
    assert_int_equal(fall(&c, 80, 500), CRASH_PENDING); /* 4.5 g: no glitch limit here */
}

static void a_lost_ecu_within_10_s_makes_it_a_crash(void **state)
{
    struct crash c = {0};

    (void)state;
    assert_int_equal(fall(&c, 60, 1000), CRASH_PENDING);
    assert_int_equal(step(&c, 12000, NOT_MEASURED, false, KNOWN_YES), CRASH_NONE);
    assert_int_equal(step(&c, 21000, NOT_MEASURED, true, KNOWN_NOT), CRASH_RAISED);
    assert_int_equal(c.t_ms, 11000);
    c = (struct crash){0};
    fall(&c, 60, 1000);
    assert_int_equal(step(&c, 21001, NOT_MEASURED, true, KNOWN_NOT), CRASH_DROPPED);
}

static void a_lost_supply_does_too(void **state)
{
    struct crash c = {0};
    struct crash_input in = {.t_ms = 12000, .supply_lost = true};

    (void)state;
    fall(&c, 60, 1000);
    assert_int_equal(crash_step(&c, &crash_defaults, &in), CRASH_RAISED);
}

static void an_engine_that_stops_and_no_move_for_60_s_does_too(void **state)
{
    struct crash c = {0};

    (void)state;
    fall(&c, 60, 1000);
    for (int64_t t = 12000; t < 71000; t += 1000)
        assert_int_equal(step(&c, t, 0, false, KNOWN_NO), CRASH_NONE);
    assert_int_equal(step(&c, 71000, 0, false, KNOWN_NO), CRASH_RAISED);
}

static void a_stop_start_moves_on_and_is_none(void **state)
{
    struct crash c = {0};

    (void)state;
    fall(&c, 60, 1000);
    for (int64_t t = 12000; t < 30000; t += 1000)
        assert_int_equal(step(&c, t, 0, false, KNOWN_NO), CRASH_NONE);
    assert_int_equal(step(&c, 30000, 3, false, KNOWN_YES), CRASH_DROPPED);
    assert_false(c.pending);
}

static void a_speed_alone_is_never_a_crash(void **state)
{
    struct crash c = {0};
    int dropped = 0;

    (void)state;
    fall(&c, 120, 1000);
    for (int64_t t = 12000; t < 200000; t += 1000) {
        enum crash_fact fact = step(&c, t, 0, false, KNOWN_YES);

        assert_true(fact == CRASH_NONE || fact == CRASH_DROPPED);
        dropped += fact == CRASH_DROPPED;
    }
    assert_int_equal(dropped, 1);
}

static void ten_km_h_within_15_s_corrects_it(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct crash c = {0};
        struct crash_input in = {late ? 26001 : 26000, SPEED_GPS, 10, true, false, KNOWN_NOT};

        fall(&c, 60, 1000);
        assert_int_equal(step(&c, 12000, NOT_MEASURED, true, KNOWN_NOT), CRASH_RAISED);
        assert_int_equal(step(&c, 13000, 9.9, true, KNOWN_NOT), CRASH_NONE);
        assert_int_equal(crash_step(&c, &crash_defaults, &in), late ? CRASH_NONE : CRASH_CORRECTED);
    }
}

static void a_dongle_that_was_out_long_before_is_no_witness(void **state)
{
    struct crash c = {0};
    enum crash_fact fact = CRASH_NONE;

    (void)state;
    for (int64_t t = 1000; t <= 30000; t += 1000) {
        struct crash_input in = {t, SPEED_GPS, t < 20000 ? 60 : 0, true, false, KNOWN_NOT};
        enum crash_fact now = crash_step(&c, &crash_defaults, &in);

        assert_int_not_equal(now, CRASH_RAISED);
        fact = now == CRASH_NONE ? fact : now;
    }
    assert_int_equal(fact, CRASH_PENDING);
}

static void an_ecu_that_dies_in_the_impact_is_a_witness_before_gps_stands(void **state)
{
    struct crash c = {0};
    enum crash_fact fact = CRASH_NONE;

    (void)state;
    for (int64_t t = 1000; t <= 10000; t += 500) {
        struct crash_input in = {t, SPEED_GPS, t <= 9000 ? 60 : 0, t > 9000, false, KNOWN_NOT};

        fact = crash_step(&c, &crash_defaults, &in);
        if (fact != CRASH_NONE)
            break;
    }
    assert_int_equal(fact, CRASH_RAISED);
    assert_int_equal(c.t_ms, 9500);
}

/* Feel g for ms at 100 Hz, `after_ms` after 60 km/h were read. */
static int impacts(struct crash *c, double g, int64_t ms, double kmh, int64_t after_ms)
{
    int raised = 0;

    step(c, 10000, kmh, false, KNOWN_YES);
    for (int64_t t = 10000 + after_ms; t <= 10000 + after_ms + ms; t += 10)
        raised += crash_imu(c, &crash_defaults, t, g * DRIVE_G_MS2) == CRASH_RAISED;
    (void)crash_imu(c, &crash_defaults, 10000 + after_ms + ms + 10, 0);
    return raised;
}

static void an_imu_needs_2_5_g_for_20_ms_at_15_km_h_within_5_s(void **state)
{
    struct crash c[6] = {{0}};

    (void)state;
    assert_int_equal(impacts(&c[0], 2.5, 20, 15, 5000), 1);
    assert_int_equal(c[0].t_ms, 15000);
    NEAR(c[0].peak_g, 2.5, 1e-9);
    assert_int_equal(impacts(&c[1], 2.49, 100, 60, 100), 0);
    assert_int_equal(impacts(&c[2], 5, 10, 60, 100), 0);
    assert_int_equal(impacts(&c[3], 5, 100, 14.9, 100), 0);
    assert_int_equal(impacts(&c[4], 5, 100, 60, 5001), 0);
    assert_int_equal(impacts(&c[5], 5, 500, 60, 100), 1);
}

static void further_impacts_within_a_minute_are_the_same_crash(void **state)
{
    struct crash c = {0};

    (void)state;
    assert_int_equal(impacts(&c, 3, 50, 60, 100), 1);
    for (int64_t t = 12000; t < 13000; t += 10)
        assert_int_equal(crash_imu(&c, &crash_defaults, t, 60), CRASH_NONE);
    NEAR(c.peak_g, 60 / DRIVE_G_MS2, 1e-9);
}

static void what_is_invalid_or_old_has_no_effect(void **state)
{
    struct crash c = {0}, before;

    (void)state;
    step(&c, 5000, 60, false, KNOWN_YES);
    (void)crash_imu(&c, &crash_defaults, 5000, 1);
    before = c;
    assert_int_equal(step(&c, 5000, 0, true, KNOWN_NO), CRASH_NONE);
    assert_int_equal(step(&c, 4000, 0, true, KNOWN_NO), CRASH_NONE);
    assert_int_equal(crash_imu(&c, &crash_defaults, 5000, 100), CRASH_NONE);
    assert_int_equal(crash_imu(&c, &crash_defaults, 6000, NOT_MEASURED), CRASH_NONE);
    assert_int_equal(crash_imu(&c, &crash_defaults, 6000, -1), CRASH_NONE);
    assert_memory_equal(&c, &before, sizeof c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_30_at_a_mean_of_0_8_g_is_pending),
        cmocka_unit_test(a_lost_ecu_within_10_s_makes_it_a_crash),
        cmocka_unit_test(a_lost_supply_does_too),
        cmocka_unit_test(an_engine_that_stops_and_no_move_for_60_s_does_too),
        cmocka_unit_test(a_stop_start_moves_on_and_is_none),
        cmocka_unit_test(a_speed_alone_is_never_a_crash),
        cmocka_unit_test(ten_km_h_within_15_s_corrects_it),
        cmocka_unit_test(a_dongle_that_was_out_long_before_is_no_witness),
        cmocka_unit_test(an_ecu_that_dies_in_the_impact_is_a_witness_before_gps_stands),
        cmocka_unit_test(an_imu_needs_2_5_g_for_20_ms_at_15_km_h_within_5_s),
        cmocka_unit_test(further_impacts_within_a_minute_are_the_same_crash),
        cmocka_unit_test(what_is_invalid_or_old_has_no_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
