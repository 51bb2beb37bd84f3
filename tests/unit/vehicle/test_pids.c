/* Service 01 bytes to signals: the published vectors, the traps, and every row at its limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "proto/signals.h"
#include "vehicle/obd/pids.h"

static struct reading readings[PID_READINGS_MAX];

static double decoded(uint8_t pid, const char *path, const uint8_t *data, size_t len)
{
    uint16_t signal = signal_find(path, strlen(path));
    size_t n = pid_decode(pid, data, len, readings);

    assert_int_not_equal(signal, SIGNAL_NONE);
    for (size_t i = 0; i < n; i++)
        if (readings[i].signal == signal)
            return readings[i].value;
    return NAN;
}

#define DECODED(pid, path, ...)                                                                    \
    decoded(pid, path, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define ENGINE "Vehicle.Powertrain.CombustionEngine."

static void the_first_row_of_a_recorded_drive_is_read(void **state)
{
    (void)state;
    assert_true(DECODED(0x05, ENGINE "EngineCoolant.Temperature", 0x81) == 89);
    assert_true(DECODED(0x0B, ENGINE "MAP", 0x62) == 98);
    assert_true(DECODED(0x0C, ENGINE "Speed", 0x0C, 0x08) == 770);
    assert_true(DECODED(0x0D, "Vehicle.Speed", 0x00) == 0);
    assert_true(DECODED(0x0F, "Vehicle.OBD.IntakeTemp", 0x1B) == -13);
    assert_true(DECODED(0x10, ENGINE "MAF", 0x02, 0xA5) == 6.77);
    assert_true(fabs(DECODED(0x11, ENGINE "TPS", 0xD4) - 83.1372549) < 1e-6);
    assert_true(DECODED(0x46, "Vehicle.Exterior.AirTemperature", 0x27) == -1);
    assert_true(fabs(DECODED(0x49, "Vehicle.Chassis.Accelerator.PedalPosition", 0x24) - 14.117647) <
                1e-6);
    assert_true(fabs(DECODED(0x4A, "Vehicle.OBD.AcceleratorPositionE", 0x25) - 14.509804) < 1e-6);
}

static void the_traps_of_public_tables_are_avoided(void **state)
{
    (void)state;
    assert_true(DECODED(0x0C, ENGINE "Speed", 0x0C, 0xB1) == 812.25);
    assert_true(DECODED(0x06, "Vehicle.OBD.ShortTermFuelTrim1", 0x80) == 0);
    assert_true(DECODED(0x32, "Vehicle.OBD.EVAPVaporPressure", 0x80, 0x00) == -8192);
    assert_true(DECODED(0x32, "Vehicle.OBD.EVAPVaporPressure", 0xFF, 0xFC) == -1);
    assert_true(DECODED(0x34, "Vehicle.OBD.O2WR.Sensor1.Current", 0x80, 0, 0x81, 0) ==
                0.001); /* mA to A */
    assert_true(DECODED(0x5D, "Vehicle.OBD.FuelInjectionTiming", 0x69, 0x00) == 0);
    assert_true(DECODED(0xA6, "Vehicle.TraveledDistance", 0, 0, 0x03, 0xE8) ==
                100000); /* 100.0 km in m */
    assert_true(
        DECODED(0x7F, ENGINE "EngineHours", 0x01, 0, 0, 0x0E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0) == 1);
    assert_true(DECODED(0x24, "Vehicle.OBD.O2WR.Sensor1.Lambda", 0x80, 0, 0, 0) == 1);
    assert_true(DECODED(0x5E, "Vehicle.OBD.FuelRate", 0x00, 0x2A) == 2.1);
}

static void a_sensor_not_used_in_trim_says_nothing(void **state)
{
    (void)state;
    assert_true(isnan(DECODED(0x14, "Vehicle.OBD.O2.Sensor1.ShortTermFuelTrim", 0x5A, 0xFF)));
    assert_true(DECODED(0x14, "Vehicle.OBD.O2.Sensor1.Voltage", 0x5A, 0xFF) == 0.45);
    assert_true(DECODED(0x14, "Vehicle.OBD.O2.Sensor1.ShortTermFuelTrim", 0x5A, 0x80) == 0);
}

static void a_value_whose_bit_is_clear_is_absent(void **state)
{
    (void)state;
    assert_true(DECODED(0x66, ENGINE "MAF", 0x01, 0x00, 0x20, 0, 0) == 1);
    assert_true(isnan(DECODED(0x66, ENGINE "MAF", 0x02, 0x00, 0x20, 0, 0)));
    assert_true(DECODED(0x67, ENGINE "EngineCoolant.Temperature", 0x01, 0x81, 0) == 89);
    assert_true(isnan(DECODED(0x67, ENGINE "EngineCoolant.Temperature", 0x00, 0x81, 0)));
}

static void one_bank_may_be_missing_but_nothing_else(void **state)
{
    (void)state;
    assert_true(DECODED(0x55, "Vehicle.OBD.ShortTermO2Trim1", 0x80) == 0);
    assert_true(isnan(DECODED(0x55, "Vehicle.OBD.ShortTermO2Trim3", 0x80)));
    assert_true(DECODED(0x55, "Vehicle.OBD.ShortTermO2Trim3", 0x80, 0x80) == 0);
    assert_true(isnan(DECODED(0x0C, ENGINE "Speed", 0x0C)));
    assert_int_equal(pid_decode(0x0C, NULL, 0, readings), 0);
}

static void every_row_stays_within_its_signals_limits(void **state)
{
    static const uint8_t fills[] = {0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF};
    size_t rows = 0;

    (void)state;
    for (unsigned pid = 0; pid < 256; pid++)
        for (size_t f = 0; f < sizeof fills; f++) {
            uint8_t data[16];
            size_t n;

            memset(data, fills[f], sizeof data);
            n = pid_decode((uint8_t)pid, data, pid_byte_count((uint8_t)pid), readings);
            rows += n;
            for (size_t i = 0; i < n; i++) {
                const struct signal_row *row = signal_row(readings[i].signal);
                double kept = signal_round(readings[i].signal, readings[i].value);

                if (kept < row->lowest || kept > row->highest)
                    fail_msg("%02X %s = %g is not within %g .. %g", pid, row->path, kept,
                             row->lowest, row->highest);
            }
        }
    assert_true(rows > 700);
}

static unsigned pids_taken;
static uint8_t pids_seen[8];

static void take(void *self, uint8_t pid, const struct reading *r, size_t n)
{
    (void)self;
    (void)r;
    assert_true(n > 0);
    pids_seen[pids_taken++ % 8] = pid;
}

static size_t answer(const uint8_t *bytes, size_t len, const uint8_t *asked, size_t n)
{
    pids_taken = 0;
    return pid_decode_answer(bytes, len, asked, n, take, NULL);
}

static void a_batch_is_read_in_any_order(void **state)
{
    const uint8_t asked[] = {0x0C, 0x0D, 0x11},
                  bytes[] = {0x41, 0x11, 0xD4, 0x0C, 0x0C, 0x08, 0x0D, 0x3C};

    (void)state;
    assert_int_equal(answer(bytes, sizeof bytes, asked, 3), 3);
    assert_int_equal(pids_taken, 3);
    assert_int_equal(pids_seen[0], 0x11);
    assert_int_equal(pids_seen[2], 0x0D);
}

static void nothing_behind_an_unknown_or_unasked_pid_is_believed(void **state)
{
    const uint8_t asked[] = {0x0C, 0x54, 0x0D},
                  unknown[] = {0x41, 0x0C, 0x0C, 0x08, 0x54, 1, 2, 0x0D, 0x3C};
    const uint8_t two[] = {0x0C, 0x0D}, unasked[] = {0x41, 0x11, 0xD4, 0x0C, 0x0C, 0x08};

    (void)state;
    assert_int_equal(answer(unknown, sizeof unknown, asked, 3), 1);
    assert_int_equal(answer(unasked, sizeof unasked, two, 2), 0);
    assert_int_equal(pids_taken, 0);
}

static void a_short_tail_gives_nothing_and_a_long_one_is_cut(void **state)
{
    const uint8_t asked[] = {0x0D, 0x0C}, tail[] = {0x41, 0x0D, 0x3C, 0x0C, 0x0C},
                  padded[] = {0x41, 0x0D, 0x3C, 0xAA};

    (void)state;
    assert_int_equal(answer(tail, sizeof tail, asked, 2), 1);
    assert_int_equal(answer(padded, sizeof padded, asked, 1), 1);
    assert_int_equal(pids_taken, 1);
    assert_int_equal(answer(padded, 1, asked, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_row_of_a_recorded_drive_is_read),
        cmocka_unit_test(the_traps_of_public_tables_are_avoided),
        cmocka_unit_test(a_sensor_not_used_in_trim_says_nothing),
        cmocka_unit_test(a_value_whose_bit_is_clear_is_absent),
        cmocka_unit_test(one_bank_may_be_missing_but_nothing_else),
        cmocka_unit_test(every_row_stays_within_its_signals_limits),
        cmocka_unit_test(a_batch_is_read_in_any_order),
        cmocka_unit_test(nothing_behind_an_unknown_or_unasked_pid_is_believed),
        cmocka_unit_test(a_short_tail_gives_nothing_and_a_long_one_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
