/* The length of lines is told before they are made: never less than it is. */
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/store/line.h"
#include "proto/columnar.h"

#define VIN "WVWZZZ1KZAW000001"

static uint64_t next_random(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random >> 20;
}

/* Of every length, sign and number of decimals; now and then of any bits. */
static double any_value(uint64_t *random)
{
    uint64_t bits = next_random(random) ^ next_random(random) << 32;
    double value;

    if (next_random(random) % 50 > 0)
        return ((double)(bits >> (12 + bits % 52)) - (double)(next_random(random) % 2000)) /
               pow(10, (double)(next_random(random) % 10));
    memcpy(&value, &bits, sizeof value);
    return isfinite(value) ? value : 1e300;
}

static void make(struct telemetry *t, uint64_t *random)
{
    size_t samples = 1 + next_random(random) % 20, signals = 1 + next_random(random) % 20;
    int64_t t_ms = (int64_t)(next_random(random) >> next_random(random) % 40);
    bool gaps = next_random(random) % 3 == 0;

    telemetry_clear(t);
    memcpy(t->head.stream, "0197f3c2-5f0e-7abc-8def-0123456789ab", UUID_TEXT + 1);
    t->head.seq = 1;
    for (size_t i = 0; i < samples; i++) {
        assert_int_equal(telemetry_sample(t, t_ms += 1000, NULL), ST_OK);
        for (size_t k = 0; k < signals; k++)
            if (k == 0 || !gaps || next_random(random) % 4 > 0)
                assert_int_equal(
                    telemetry_reading(t, (uint16_t)(1 + k * 7), any_value(random), NULL), ST_OK);
    }
}

/* 0: the way it came does not tell. */
static size_t most_of(const struct telemetry *t, struct text *lines)
{
    size_t most = line_most(t);

    text_clear(lines);
    assert_int_equal(line_add(lines, VIN, t, 0, t->sample_count), t->sample_count);
    if (most > 0 && lines->len > most)
        fail_msg("%zu bytes were promised, %zu came:\n%s", most, lines->len, lines->bytes);
    return most;
}

static void lines_are_never_longer_than_was_told(void **state)
{
    static char bytes[60000];
    uint64_t random = 88172645463325252;
    int told_columns = 0, told_json = 0;
    struct telemetry t, read;
    struct text lines;
    struct fault fault;
    size_t len;

    (void)state;
    telemetry_init(&t);
    telemetry_init(&read);
    text_init(&lines);
    for (int round = 0; round < 3000; round++) {
        make(&t, &random);
        assert_int_equal(most_of(&t, &lines), 0);
        assert_int_equal(columnar_write(&t, bytes, sizeof bytes, &len, &fault), ST_OK);
        assert_int_equal(columnar_read(&read, bytes, len, &fault), ST_OK);
        told_columns += most_of(&read, &lines) > 0;
        assert_int_equal(telemetry_write(&t, bytes, sizeof bytes, &len, &fault), ST_OK);
        assert_int_equal(telemetry_read(&read, bytes, len, &fault), ST_OK);
        told_json += most_of(&read, &lines) > 0;
    }
    assert_int_equal(told_columns, 3000);
    assert_in_range(told_json, 300, 3000); /* the quick reader leaves some to the other */
    telemetry_done(&t);
    telemetry_done(&read);
    text_done(&lines);
}

/* What is told too much is sent as spaces. */
static void of_a_drive_that_is_nearly_what_it_is(void **state)
{
    char bytes[4000];
    struct telemetry t, read;
    struct text lines;
    struct fault fault;
    size_t len, most;

    (void)state;
    telemetry_init(&t);
    telemetry_init(&read);
    text_init(&lines);
    memcpy(t.head.stream, "0197f3c2-5f0e-7abc-8def-0123456789ab", UUID_TEXT + 1);
    t.head.seq = 1;
    for (int i = 0; i < 30; i++) {
        assert_int_equal(telemetry_sample(&t, 1795248000000 + i * 1000, NULL), ST_OK);
        assert_int_equal(telemetry_reading(&t, SIGNAL_SPEED, 45.5 + i, NULL), ST_OK);
        assert_int_equal(telemetry_reading(&t, SIGNAL_LATITUDE, 48.528601 + i * 0.000011, NULL),
                         ST_OK);
        assert_int_equal(telemetry_reading(&t, SIGNAL_ENGINE_SPEED, 1850 + i * 12, NULL), ST_OK);
    }
    for (size_t i = 0; i < t.reading_count; i++)
        t.readings[i].value = signal_round(t.readings[i].signal, t.readings[i].value);
    assert_int_equal(columnar_write(&t, bytes, sizeof bytes, &len, &fault), ST_OK);
    assert_int_equal(columnar_read(&read, bytes, len, &fault), ST_OK);
    most = most_of(&read, &lines);
    assert_in_range(most, lines.len, lines.len + lines.len / 50);
    telemetry_done(&t);
    telemetry_done(&read);
    text_done(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_never_longer_than_was_told),
        cmocka_unit_test(of_a_drive_that_is_nearly_what_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
