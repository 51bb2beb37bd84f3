/* Which readings are worth telling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "vehicle/deadband.h"

#define T0 1795248000000
#define SIGNAL_COOLANT                                                                             \
    signal_find("Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature", 61)

static struct deadband d;

static int begin(void **state)
{
    (void)state;
    deadband_init(&d);
    return 0;
}

static bool told(int64_t t_ms, uint16_t signal, double value)
{
    struct reading r = {signal, value};
    size_t n = deadband_pass(&d, t_ms, &r, 1);

    if (n > 0) { /* always what was measured, never what was told before */
        assert_int_equal(r.signal, signal);
        assert_true(r.value == value);
    }
    return n > 0;
}

static void a_value_within_its_band_is_told_once(void **state)
{
    (void)state;
    assert_true(told(T0, SIGNAL_BATTERY_VOLTAGE, 12.6));
    assert_false(told(T0 + 1000, SIGNAL_BATTERY_VOLTAGE, 12.62));
    assert_false(told(T0 + 2000, SIGNAL_BATTERY_VOLTAGE, 12.65)); /* the edge belongs to it */
    assert_true(told(T0 + 3000, SIGNAL_BATTERY_VOLTAGE, 12.66));
    assert_false(told(T0 + 4000, SIGNAL_BATTERY_VOLTAGE, 12.61)); /* around what was told last */
}

static void a_slow_drift_is_told_when_it_has_added_up(void **state)
{
    int n = 0;

    (void)state;
    for (int i = 0; i <= 8; i++)
        n += told(T0 + i * 1000, SIGNAL_BATTERY_VOLTAGE, 12.6 + i * 0.02);
    assert_int_equal(n, 3); /* 12.60, 12.66, 12.72 */
}

static void a_constant_value_is_told_again_after_its_silence(void **state)
{
    int n = 0;

    (void)state;
    for (int i = 0; i < 60; i++)
        n += told(T0 + i * 1000, SIGNAL_BATTERY_VOLTAGE, 12.6);
    assert_int_equal(n, 7); /* 0, 9, 18 .. 54 s */
}

static void the_first_value_after_a_gap_is_told(void **state)
{
    uint16_t standards = signal_find("Vehicle.OBD.OBDStandards", 24);

    (void)state;
    assert_true(told(T0, standards, 6));
    assert_false(told(T0 + 20000, standards, 6));
    assert_true(told(T0 + 20000 + DEADBAND_GAP_MS + 1, standards, 6)); /* its silence is 60 s */
}

static void every_speed_is_told_with_its_engine_speed(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct reading r[] = {
            {SIGNAL_SPEED, 0}, {SIGNAL_ENGINE_SPEED, 780}, {SIGNAL_LOW_VOLTAGE_STATE, 4}};
        size_t n = deadband_pass(&d, T0 + i * 1000, r, 3);

        assert_int_equal(n, i % 5 == 0 ? 3 : 2);
        assert_int_equal(r[0].signal, SIGNAL_SPEED);
        assert_int_equal(r[1].signal, SIGNAL_ENGINE_SPEED);
    }
}

static size_t fix(int64_t t_ms, double lat, double lon, double accuracy)
{
    struct reading r[] = {
        {SIGNAL_LATITUDE, lat}, {SIGNAL_LONGITUDE, lon}, {SIGNAL_HORIZONTAL_ACCURACY, accuracy}};

    return deadband_pass(&d, t_ms, r, 3);
}

static void a_position_is_told_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_int_equal(fix(T0, 48.5, 7.7, 3), 3);
    assert_int_equal(fix(T0 + 1000, 48.500005, 7.699995, 3), 0);
    assert_int_equal(fix(T0 + 2000, 48.500005, 7.7, 9), 0); /* accuracy alone is no position */
    assert_int_equal(fix(T0 + 3000, 48.5, 7.70002, 3), 3);  /* half of it moved */
    assert_int_equal(fix(T0 + 8000, 48.5, 7.70002, 3), 3);  /* a car that stands is still here */
}

static void a_walking_pace_is_told_every_second(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) /* 5 km/h to the east at 48.5 degrees: 0.0000188 degrees */
        assert_int_equal(fix(T0 + i * 1000, 48.5, 7.7 + i * 0.0000188, 3), 3);
}

static void a_signal_without_a_row_is_told_on_every_change(void **state)
{
    (void)state;
    assert_true(told(T0, SIGNAL_COOLANT, 90));
    assert_false(told(T0 + 1000, SIGNAL_COOLANT, 90));
    assert_true(told(T0 + 2000, SIGNAL_COOLANT, 91));
    assert_true(told(T0 + 11000, SIGNAL_COOLANT, 91));
}

static void a_clock_that_went_back_withholds_nothing(void **state)
{
    (void)state;
    assert_true(told(T0, SIGNAL_COOLANT, 90));
    assert_true(told(T0 - 3600000, SIGNAL_COOLANT, 90));
    assert_false(told(T0 - 3599000, SIGNAL_COOLANT, 90));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_value_within_its_band_is_told_once, begin),
        cmocka_unit_test_setup(a_slow_drift_is_told_when_it_has_added_up, begin),
        cmocka_unit_test_setup(a_constant_value_is_told_again_after_its_silence, begin),
        cmocka_unit_test_setup(the_first_value_after_a_gap_is_told, begin),
        cmocka_unit_test_setup(every_speed_is_told_with_its_engine_speed, begin),
        cmocka_unit_test_setup(a_position_is_told_whole_or_not_at_all, begin),
        cmocka_unit_test_setup(a_walking_pace_is_told_every_second, begin),
        cmocka_unit_test_setup(a_signal_without_a_row_is_told_on_every_change, begin),
        cmocka_unit_test_setup(a_clock_that_went_back_withholds_nothing, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
