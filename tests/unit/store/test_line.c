/* Samples as line protocol, byte for byte; that InfluxDB reads them is for test_influx.c. */
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
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

static uint64_t next_random(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random >> 20;
}

/* Samples that share most of their values with the one before, some of their signals, or nothing;
 * now and then with what cannot be written. */
static void fill_alike(struct fixture *f, uint64_t *random)
{
    size_t samples = 1 + next_random(random) % 12, signals = 1 + next_random(random) % 90;
    unsigned change = (unsigned)(next_random(random) % 8);
    bool steady = next_random(random) % 2;

    telemetry_clear(&f->t);
    for (size_t i = 0; i < samples; i++) {
        sample(f, (int64_t)(next_random(random) * 257));
        for (size_t k = 0; k < signals; k++) {
            bool other = !steady && next_random(random) % 16 == 0;
            uint16_t id = (uint16_t)(1 + (k + other) % signal_count());
            double v = next_random(random) % 8 < change
                           ? (double)(next_random(random) % 100000) / 100
                           : (double)id;

            reading(f, id, next_random(random) % 2 ? v : -v);
        }
    }
    for (size_t i = 0; i < f->t.reading_count; i++) {
        if (next_random(random) % 64 == 0)
            f->t.readings[i].value = NAN;
        if (!steady && next_random(random) % 64 == 0)
            f->t.readings[i].signal = next_random(random) % 2 ? SIGNAL_NONE : UINT16_MAX;
    }
}

/* As record.c says it. */
static bool are_alike(const struct telemetry *t)
{
    for (size_t i = 0; i < t->sample_count; i++) {
        if (t->samples[i].count != t->samples[0].count)
            return false;
        for (size_t k = 0; k < t->samples[i].count; k++)
            if (t->readings[t->samples[i].first + k].signal != t->readings[k].signal)
                return false;
    }
    return true;
}

/* What stays the same from sample to sample is taken over; that must not show, nor where a buffer
 * ends. */
static void a_line_is_the_same_whatever_stands_before_it(void **state)
{
    struct fixture *f = *state;
    uint64_t random = 88172645463325252;
    struct text alone;
    char piece[LINE_ROOM(91) + 700];
    int alike = 0;

    text_init(&alone);
    for (int round = 0; round < 4000; round++) {
        size_t lines = 0, next = 0, counted = 0, at = 0;

        fill_alike(f, &random);
        f->t.alike = are_alike(&f->t);
        alike += f->t.alike;
        text_clear(&f->out);
        text_clear(&alone);
        for (size_t i = 0; i < f->t.sample_count; i++)
            lines += line_add(&alone, VIN, &f->t, i, 1);
        assert_int_equal(line_add(&f->out, VIN, &f->t, 0, f->t.sample_count), lines);
        assert_string_equal(f->out.bytes, alone.bytes);
        while (next < f->t.sample_count) {
            size_t len = line_fill(piece, sizeof piece, VIN, &f->t, &next, &counted);

            assert_true(at + len <= alone.len);
            assert_memory_equal(piece, alone.bytes + at, len);
            at += len;
        }
        assert_int_equal(at, alone.len);
        assert_int_equal(counted, lines);
    }
    assert_in_range(alike, 1000, 3000); /* both ways were taken */
    text_done(&alone);
}

/* The double InfluxDB makes of the text is the one that was measured, with as many digits as it
 * takes: of values as cars send them, of the ends of each way of printing, of any bits at all. */
static double any_value(uint64_t *random, int decimals)
{
    static const double edges[] = {0,     1,          9999,
                                   10000, 99999998,   99999999,
                                   1e8,   2147483647, 2147483648.0,
                                   1e15,  1e15 - 1,   9007199254740992.0,
                                   -0.0,  5e-324,     1.7976931348623157e308};
    uint64_t bits = next_random(random) ^ next_random(random) << 32;
    double value, ten = pow(10, decimals);

    switch (next_random(random) % 4) {
    case 0:
        value = edges[next_random(random) % (sizeof edges / sizeof *edges)] / ten;
        break;
    case 1:
        memcpy(&value, &bits, sizeof value);
        break;
    case 2: /* beside a number of so many decimals */
        value = nextafter((double)(bits % 200000000) / ten, bits & 1 ? 1e9 : -1e9);
        break;
    default:
        value = (double)(int64_t)(bits % 400000000 - 200000000) / ten;
    }
    return isfinite(value) ? value : 1;
}

static void a_column_of_any_values_reads_back_to_the_bit(void **state)
{
    struct fixture *f = *state;
    uint64_t random = 88172645463325252;
    char expected[40];

    for (int round = 0; round < 20000; round++) {
        uint16_t id = (uint16_t)(1 + round % (int)signal_count());
        char *at;

        telemetry_clear(&f->t);
        text_clear(&f->out);
        for (int i = 0; i < 6; i++) {
            sample(f, 99999990 + i * 4); /* its eight digits become nine */
            reading(f, id, any_value(&random, signal_row(id)->decimals));
        }
        f->t.alike = true;
        assert_int_equal(line_add(&f->out, VIN, &f->t, 0, 6), 6);
        at = f->out.bytes;
        for (int i = 0; i < 6; i++) {
            double value = f->t.readings[i].value;
            size_t len = json_print_double(expected, value);

            at = strchr(at + sizeof "telemetry,vin=", '=') + 1;
            assert_memory_equal(at, expected, len);
            assert_int_equal(at[len], ' ');
            assert_true(strtod(at, &at) == value);
            assert_int_equal(strtol(at, &at, 10), f->t.samples[i].t_ms);
            assert_int_equal(*at++, '\n');
        }
        assert_int_equal(*at, '\0');
    }
}

static void a_time_has_all_its_digits(void **state)
{
    static const int64_t times[] = {
        0, 1, 99999999, 100000000, 1795248000000, 1000000000000, 123456789012345, 9007199254740992};
    struct fixture *f = *state;
    char expected[40];

    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        telemetry_clear(&f->t);
        text_clear(&f->out);
        sample(f, times[i]);
        reading(f, SIGNAL_SPEED, 5);
        assert_int_equal(line_add(&f->out, VIN, &f->t, 0, 1), 1);
        snprintf(expected, sizeof expected, "=5 %lld\n", (long long)times[i]);
        assert_string_equal(strstr(f->out.bytes, "=5"), expected);
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
        cmocka_unit_test_setup_teardown(a_line_is_the_same_whatever_stands_before_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_column_of_any_values_reads_back_to_the_bit, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_time_has_all_its_digits, set_up, tear_down),
        cmocka_unit_test(no_name_in_the_table_needs_escaping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
