/* telemetry/1: built, written, read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/telemetry.h"

#define STREAM "0197f3c2-5f0e-7abc-8def-0123456789ab"
#define TOP                                                                                        \
    "{\"schema\":\"telemetry/1\",\"stream\":\"" STREAM                                             \
    "\",\"seq\":42,\"clock\":\"gps\",\"samples\":["
#define END "]}"

static struct fault fault;

static enum status read_text(struct telemetry *t, const char *text)
{
    fault.text[0] = '\0';
    return telemetry_read(t, text, strlen(text), &fault);
}

static double value_of(const struct telemetry *t, size_t sample, uint16_t signal)
{
    const struct sample *s = &t->samples[sample];

    for (uint32_t i = 0; i < s->count; i++)
        if (t->readings[s->first + i].signal == signal)
            return t->readings[s->first + i].value;
    return NAN;
}

static void the_record_of_the_contract_is_read(void **state)
{
    struct telemetry t;

    (void)state;
    telemetry_init(&t);
    assert_int_equal(read_text(&t, TOP "{\"t\":1795248000000,\"s\":{\"Vehicle.Speed\":50.0,"
                                       "\"Vehicle.Powertrain.CombustionEngine.Speed\":1850,"
                                       "\"Vehicle.CurrentLocation.Latitude\":48.5286,\"Vehicle."
                                       "CurrentLocation.Longitude\":7.7116,"
                                       "\"Vehicle.CurrentLocation.HorizontalAccuracy\":3.2,"
                                       "\"Vehicle.CurrentLocation.Heading\":271.0}}" END),
                     ST_OK);
    assert_string_equal(t.head.schema, "telemetry/1");
    assert_string_equal(t.head.stream, STREAM);
    assert_int_equal(t.head.seq, 42);
    assert_int_equal(t.head.clock, CLOCK_GPS);
    assert_int_equal(t.sample_count, 1);
    assert_true(t.samples[0].t_ms == INT64_C(1795248000000));
    assert_int_equal(t.samples[0].count, 6);
    assert_true(value_of(&t, 0, SIGNAL_SPEED) == 50);
    assert_true(value_of(&t, 0, SIGNAL_ENGINE_SPEED) == 1850);
    assert_true(value_of(&t, 0, SIGNAL_LATITUDE) == 48.5286);
    assert_int_equal(t.unknown_signals, 0);
    telemetry_done(&t);
}

static void an_unknown_signal_is_counted_and_the_rest_kept(void **state)
{
    struct telemetry t;

    (void)state;
    telemetry_init(&t);
    assert_int_equal(read_text(&t,
                               TOP "{\"t\":5,\"s\":{\"Vehicle.No.Such\":1,\"Vehicle.Speed\":7}},"
                                   "{\"t\":6,\"s\":{\"\":1}},{\"t\":7,\"s\":{}}" END),
                     ST_OK);
    assert_int_equal(t.unknown_signals, 2);
    assert_int_equal(t.sample_count, 1); /* of the other two nothing is left */
    assert_true(value_of(&t, 0, SIGNAL_SPEED) == 7);
    telemetry_done(&t);
}

/* We would not know what to expect there; a value that we know has to be a number. */
static void whatever_an_unknown_signal_says_costs_nothing_else(void **state)
{
    static const char *const values[] = {"\"hot\"", "null", "true", "[1,\"a\"]", "{\"v\":1}"};
    char text[512];
    struct telemetry t;

    (void)state;
    telemetry_init(&t);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        snprintf(text, sizeof text,
                 TOP "{\"t\":5,\"s\":{\"Vehicle.No.Such\":%s,\"Vehicle.Speed\":7}}" END, values[i]);
        assert_int_equal(read_text(&t, text), ST_OK);
        assert_int_equal(t.unknown_signals, 1);
        assert_true(value_of(&t, 0, SIGNAL_SPEED) == 7);
        snprintf(text, sizeof text, TOP "{\"t\":5,\"s\":{\"Vehicle.Speed\":%s}}" END, values[i]);
        assert_int_equal(read_text(&t, text), ST_REJECT);
    }
    telemetry_done(&t);
}

static void samples_are_sorted_and_equal_times_merged(void **state)
{
    struct telemetry t;

    (void)state;
    telemetry_init(&t);
    assert_int_equal(read_text(&t,
                               TOP "{\"t\":30,\"s\":{\"Vehicle.Speed\":3}},"
                                   "{\"t\":10,\"s\":{\"Vehicle.Speed\":1,\"Vehicle.IsMoving\":1}},"
                                   "{\"t\":30,\"s\":{\"Vehicle.Speed\":4,\"Vehicle.IsMoving\":0}},"
                                   "{\"t\":10,\"s\":{\"Vehicle.Speed\":2}}" END),
                     ST_OK);
    assert_int_equal(t.sample_count, 2);
    assert_int_equal(t.samples[0].t_ms, 10);
    assert_int_equal(t.samples[0].count, 2);
    assert_true(value_of(&t, 0, SIGNAL_SPEED) == 2);
    assert_true(value_of(&t, 0, SIGNAL_IS_MOVING) == 1);
    assert_int_equal(t.samples[1].t_ms, 30);
    assert_true(value_of(&t, 1, SIGNAL_SPEED) == 4);
    assert_true(value_of(&t, 1, SIGNAL_IS_MOVING) == 0);
    assert_int_equal(t.reading_count, 4);
    assert_int_equal(t.contradicted, 2); /* the speed, twice; nothing else was said twice */
    assert_string_equal(t.head.stream, STREAM);
    assert_int_equal(
        read_text(&t, TOP "{\"t\":30,\"s\":{\"Vehicle.Speed\":3}},"
                          "{\"t\":30,\"s\":{\"Vehicle.Speed\":3.0,\"Vehicle.IsMoving\":1}}" END),
        ST_OK);
    assert_int_equal(t.sample_count, 1);
    assert_int_equal(t.contradicted, 0); /* the same value is no contradiction */
    telemetry_done(&t);
}

static void a_record_that_is_wrong_is_refused_but_keeps_its_stream_and_seq(void **state)
{
    static const char *const bad[] = {
        TOP END,
        TOP "{\"t\":1}" END,
        TOP "{\"s\":{}}" END,
        TOP "{\"t\":1,\"s\":[]}" END,
        TOP "{\"t\":1.5,\"s\":{}}" END,
        TOP "{\"t\":\"1\",\"s\":{}}" END,
        TOP "{\"t\":-1,\"s\":{}}" END,
        TOP "{\"t\":9007199254740993,\"s\":{}}" END,
        TOP "{\"t\":1,\"s\":{\"Vehicle.Speed\":null}}" END,
        TOP "{\"t\":1,\"s\":{\"Vehicle.Speed\":\"50\"}}" END,
        TOP "{\"t\":1,\"s\":{\"Vehicle.IsMoving\":true}}" END,
        TOP "{\"t\":1,\"s\":{\"Vehicle.Speed\":NaN}}" END,
        TOP "{\"t\":1,\"s\":{\"Vehicle.Speed\":1,\"Vehicle.Speed\":1}}" END,
        TOP "{\"t\":1,\"s\":{\"Vehicle.Speed\":{\"a\":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}}}" END,
        TOP "{\"t\":1,\"s\":{\"Vehicle.Speed\":1}}",
        TOP "[]" END,
        "{\"schema\":\"telemetry/2\",\"stream\":\"" STREAM "\",\"seq\":42,\"clock\":\"gps\","
        "\"samples\":[{\"t\":1,\"s\":{\"Vehicle.Speed\":1}}]}",
        "{\"schema\":\"telemetry/1\",\"stream\":\"" STREAM "\",\"seq\":42,\"clock\":\"\","
        "\"samples\":[{\"t\":1,\"s\":{\"Vehicle.Speed\":1}}]}",
        "{\"schema\":\"telemetry/1\",\"stream\":\"" STREAM "\",\"seq\":42,\"clock\":\"gps\"}"};
    struct telemetry t;

    (void)state;
    telemetry_init(&t);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (read_text(&t, bad[i]) != ST_REJECT)
            fail_msg("accepted: %s", bad[i]);
        assert_true(fault.text[0] != '\0');
        assert_string_equal(t.head.stream, STREAM);
        assert_int_equal(t.head.seq, 42);
        assert_int_equal(t.sample_count, 0);
        assert_int_equal(t.reading_count, 0);
    }
    assert_int_equal(read_text(&t, "hello"), ST_REJECT);
    assert_string_equal(t.head.stream, "");
    assert_int_equal(t.head.seq, 0);
    telemetry_done(&t);
}

static void build_one(struct telemetry *t, size_t samples)
{
    strcpy(t->head.schema, "telemetry/1");
    strcpy(t->head.stream, STREAM);
    t->head.seq = 9;
    t->head.clock = CLOCK_NTP;
    for (size_t i = 0; i < samples; i++) {
        assert_int_equal(telemetry_sample(t, 1795248000000 + (int64_t)i * 1000, &fault), ST_OK);
        for (uint16_t id = 1; id <= 20; id++)
            assert_int_equal(
                telemetry_reading(t, id, (double)rand() / (1 + rand() % 1000) - 500, &fault),
                ST_OK);
    }
}

static void what_is_written_reads_back_bit_for_bit(void **state)
{
    struct telemetry a, b;
    char *out = malloc(JSON_MAX_BYTES);
    size_t len;

    (void)state;
    telemetry_init(&a);
    telemetry_init(&b);
    for (int round = 0; round < 100; round++) {
        telemetry_clear(&a);
        build_one(&a, (size_t)(round % 20 + 1));
        assert_int_equal(telemetry_write(&a, out, JSON_MAX_BYTES, &len, &fault), ST_OK);
        assert_int_equal(telemetry_read(&b, out, len, &fault), ST_OK);
        assert_int_equal(b.sample_count, a.sample_count);
        assert_int_equal(b.reading_count, a.reading_count);
        assert_memory_equal(a.samples, b.samples, a.sample_count * sizeof *a.samples);
        for (size_t i = 0; i < a.reading_count; i++) {
            assert_int_equal(a.readings[i].signal, b.readings[i].signal);
            assert_memory_equal(&a.readings[i].value, &b.readings[i].value, sizeof(double));
        }
        assert_string_equal(b.head.stream, STREAM);
        assert_int_equal(b.head.seq, 9);
        assert_int_equal(b.head.clock, CLOCK_NTP);
    }
    free(out);
    telemetry_done(&a);
    telemetry_done(&b);
}

static void a_record_that_does_not_fit_is_refused_at_every_size(void **state)
{
    struct telemetry t;
    char out[4096];
    size_t whole, len = 4711;

    (void)state;
    telemetry_init(&t);
    build_one(&t, 2);
    assert_int_equal(telemetry_write(&t, out, sizeof out, &whole, &fault), ST_OK);
    for (size_t size = 0; size < whole; size++) {
        char *exact = malloc(size ? size : 1); /* so that the sanitizer sees one byte too many */

        assert_int_equal(telemetry_write(&t, exact, size, &len, &fault), ST_REJECT);
        free(exact);
    }
    assert_int_equal(len, 4711);
    assert_int_equal(telemetry_write(&t, out, whole, &len, &fault), ST_OK);
    assert_int_equal(len, whole);
    telemetry_done(&t);
}

static void building_keeps_the_limits(void **state)
{
    struct telemetry t;

    (void)state;
    telemetry_init(&t);
    assert_int_equal(telemetry_reading(&t, SIGNAL_SPEED, 1, &fault), ST_REJECT); /* no sample yet */
    for (int i = 0; i < TELEMETRY_SAMPLES_MAX; i++)
        assert_int_equal(telemetry_sample(&t, i, &fault), ST_OK);
    assert_int_equal(telemetry_sample(&t, 5000, &fault), ST_REJECT);
    assert_int_equal(telemetry_reading(&t, 0, 1, &fault), ST_REJECT);
    assert_int_equal(telemetry_reading(&t, (uint16_t)(signal_count() + 1), 1, &fault), ST_REJECT);
    assert_int_equal(telemetry_reading(&t, SIGNAL_SPEED, NAN, &fault), ST_REJECT);
    assert_int_equal(telemetry_reading(&t, SIGNAL_SPEED, INFINITY, &fault), ST_REJECT);
    assert_int_equal(telemetry_reading(&t, SIGNAL_SPEED, 1, &fault), ST_OK);
    assert_int_equal(telemetry_reading(&t, SIGNAL_SPEED, 2, &fault),
                     ST_OK); /* the later one wins */
    assert_int_equal(t.reading_count, 1);
    assert_true(t.readings[0].value == 2);
    telemetry_clear(&t);
    assert_int_equal(telemetry_sample(&t, -1, &fault), ST_REJECT);
    telemetry_done(&t);
    telemetry_done(&t); /* twice is fine */
    telemetry_done(NULL);
}

static void minus_zero_is_read_as_zero(void **state)
{
    struct telemetry t;

    (void)state;
    telemetry_init(&t);
    assert_int_equal(read_text(&t, TOP "{\"t\":1,\"s\":{\"Vehicle.Speed\":-0.0}}" END), ST_OK);
    assert_false(signbit(value_of(&t, 0, SIGNAL_SPEED)));
    telemetry_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_record_of_the_contract_is_read),
        cmocka_unit_test(an_unknown_signal_is_counted_and_the_rest_kept),
        cmocka_unit_test(whatever_an_unknown_signal_says_costs_nothing_else),
        cmocka_unit_test(samples_are_sorted_and_equal_times_merged),
        cmocka_unit_test(a_record_that_is_wrong_is_refused_but_keeps_its_stream_and_seq),
        cmocka_unit_test(what_is_written_reads_back_bit_for_bit),
        cmocka_unit_test(a_record_that_does_not_fit_is_refused_at_every_size),
        cmocka_unit_test(building_keeps_the_limits),
        cmocka_unit_test(minus_zero_is_read_as_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
