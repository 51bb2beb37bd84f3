/* Samples as line protocol, byte for byte; that InfluxDB reads them is for test_influx.c. */
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/store/line.h"
#include "proto/json.h"

#define VIN "WVWZZZ1KZAW000001"

struct fixture {
    struct telemetry t;
    struct text out;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    telemetry_init(&f->t);
    text_init(&f->out);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    telemetry_done(&f->t);
    text_done(&f->out);
    free(f);
    return 0;
}

static void sample(struct fixture *f, int64_t t_ms)
{
    assert_int_equal(telemetry_sample(&f->t, t_ms, NULL), ST_OK);
}

static void reading(struct fixture *f, uint16_t signal, double value)
{
    assert_int_equal(telemetry_reading(&f->t, signal, value, NULL), ST_OK);
}

static void a_sample_is_one_line_of_floats(void **state)
{
    struct fixture *f = *state;

    sample(f, 1795248000000);
    reading(f, SIGNAL_SPEED, 50);
    reading(f, SIGNAL_LATITUDE, 48.5286);
    assert_int_equal(line_add(&f->out, VIN, &f->t, 0, 1), 1);
    assert_string_equal(f->out.bytes, "telemetry,vin=" VIN " Vehicle.Speed=50,"
                                      "Vehicle.CurrentLocation.Latitude=48.5286 1795248000000\n");
}

static void samples_without_readings_are_left_out(void **state)
{
    struct fixture *f = *state;

    sample(f, 1);
    sample(f, 2);
    reading(f, SIGNAL_SPEED, 1.5);
    sample(f, 3);
    assert_int_equal(line_add(&f->out, VIN, &f->t, 0, 3), 1);
    assert_string_equal(f->out.bytes, "telemetry,vin=" VIN " Vehicle.Speed=1.5 2\n");
}

static void the_range_decides_and_never_reaches_past_the_end(void **state)
{
    struct fixture *f = *state;

    for (int i = 1; i <= 4; i++) {
        sample(f, i);
        reading(f, SIGNAL_SPEED, i);
    }
    assert_int_equal(line_add(&f->out, VIN, &f->t, 1, 2), 2);
    assert_string_equal(f->out.bytes, "telemetry,vin=" VIN " Vehicle.Speed=2 2\n"
                                      "telemetry,vin=" VIN " Vehicle.Speed=3 3\n");
    text_clear(&f->out);
    assert_int_equal(line_add(&f->out, VIN, &f->t, 3, 99), 1);
    assert_int_equal(line_add(&f->out, VIN, &f->t, 4, 1), 0);
    assert_int_equal(line_add(&f->out, VIN, &f->t, 99, 1), 0);
    assert_string_equal(f->out.bytes, "telemetry,vin=" VIN " Vehicle.Speed=4 4\n");
}

/* telemetry_reading refuses what follows, so it is put in behind its back. */
static void what_is_no_number_or_no_signal_is_left_out(void **state)
{
    struct fixture *f = *state;

    sample(f, 7);
    for (uint16_t id = SIGNAL_SPEED; id <= SIGNAL_ALTITUDE; id++)
        reading(f, id, 1);
    f->t.readings[0].value = (double)NAN;
    f->t.readings[1].value = (double)INFINITY;
    f->t.readings[2].signal = UINT16_MAX;
    assert_int_equal(line_add(&f->out, VIN, &f->t, 0, 1), 1);
    assert_string_equal(f->out.bytes,
                        "telemetry,vin=" VIN " Vehicle.CurrentLocation.Altitude=1 7\n");
    f->t.readings[3].signal = SIGNAL_NONE;
    assert_int_equal(line_add(&f->out, VIN, &f->t, 0, 1), 0);
    assert_string_equal(f->out.bytes,
                        "telemetry,vin=" VIN " Vehicle.CurrentLocation.Altitude=1 7\n");
}

static void a_vin_that_is_none_writes_nothing(void **state)
{
    static const char *const bad[] = {"",
                                      "WVWZZZ1KZAW00000",
                                      "WVWZZZ1KZAW0000011",
                                      "WVWZZZ1KZAW00000\n",
                                      "wvwzzz1kzaw000001",
                                      "WVWZZZ1KZAW00000I",
                                      "A,vin=B C=1 2\nXXXX"};
    struct fixture *f = *state;

    sample(f, 7);
    reading(f, SIGNAL_SPEED, 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(line_add(&f->out, bad[i], &f->t, 0, 1), 0);
    assert_int_equal(f->out.len, 0);
}

static void every_value_reads_back_to_the_same_double(void **state)
{
    static const double values[] = {
        0.1, -273.15, 1e-7, 5e-324, 1.7976931348623157e308, 83.13725490196079, 16383.75};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const char *at;

        telemetry_clear(&f->t);
        text_clear(&f->out);
        sample(f, 1);
        reading(f, SIGNAL_SPEED, values[i]);
        assert_int_equal(line_add(&f->out, VIN, &f->t, 0, 1), 1);
        at = strstr(f->out.bytes, "Speed=");
        assert_non_null(at);
        assert_true(strtod(at + 6, NULL) == values[i]);
    }
}

/* The quick way of printing a number against the plain one, over every length and every end. */
static void a_number_is_printed_as_json_prints_it(void **state)
{
    struct fixture *f = *state;
    uint64_t random = 88172645463325252;
    char expected[40], *value;

    for (int i = 0; i < 200000; i++) {
        uint16_t id = (uint16_t)(1 + i % (int)signal_count());
        const struct signal_row *row = signal_row(id);
        int64_t number;
        size_t len;

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        number = (int64_t)(random >> (12 + random % 52)); /* of any size, short ones too */
        if (i % 3 == 0)
            number = number / 1000 * 1000; /* with zeros at its end */
        double v = (i % 2 ? -1.0 : 1.0) * (double)number / pow(10, i / 7 % (row->decimals + 2));

        telemetry_clear(&f->t);
        text_clear(&f->out);
        sample(f, 1);
        reading(f, id, v);
        assert_int_equal(line_add(&f->out, VIN, &f->t, 0, 1), 1);
        len = json_print_double(expected, v);
        value = strchr(f->out.bytes + sizeof "telemetry,vin=", '=') + 1;
        assert_memory_equal(value, expected, len);
        assert_string_equal(value + len, " 1\n");
    }
}

static void no_name_in_the_table_needs_escaping(void **state)
{
    (void)state;
    for (size_t id = 1; id <= signal_count(); id++) {
        const char *path = signal_row((uint16_t)id)->path;

        assert_true(strlen(path) <= SIGNAL_PATH_MAX);
        if (strpbrk(path, " ,=\"\\\n\r\t") || strcmp(path, "time") == 0)
            fail_msg("%s is no field key", path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_sample_is_one_line_of_floats, set_up, tear_down),
        cmocka_unit_test_setup_teardown(samples_without_readings_are_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_range_decides_and_never_reaches_past_the_end, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_number_or_no_signal_is_left_out, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_vin_that_is_none_writes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_value_reads_back_to_the_same_double, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_number_is_printed_as_json_prints_it, set_up, tear_down),
        cmocka_unit_test(no_name_in_the_table_needs_escaping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
