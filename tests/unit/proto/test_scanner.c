/* The scanner of telemetry/1: what it takes is what the JSON tree gives, what surprises it is left
 * to that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/scanner.h"

#define STREAM "0197f3c2-5f0e-7abc-8def-0123456789ab"
#define HEAD "{\"schema\":\"telemetry/1\",\"stream\":\"" STREAM "\",\"seq\":42,\"clock\":\"gps\","
#define TOP HEAD "\"samples\":["
#define SPEED(value) "{\"t\":1795248000000,\"s\":{\"Vehicle.Speed\":" value "}}"
#define ONE(value) TOP SPEED(value) "]}"

static struct fault fault;

/* A copy that ends where the allocation does: a byte read beyond is found by a sanitizer. */
static bool scan(struct telemetry *t, const char *text, size_t len)
{
    char *copy = malloc(len + !len);
    bool taken;

    assert_non_null(copy);
    memcpy(copy, text, len);
    taken = scanner_read(t, copy, len);
    free(copy);
    return taken;
}

static void assert_same(const struct telemetry *a, const struct telemetry *b)
{
    assert_memory_equal(&a->head, &b->head, sizeof a->head);
    assert_int_equal(a->sample_count, b->sample_count);
    assert_int_equal(a->reading_count, b->reading_count);
    for (size_t i = 0; i < a->sample_count; i++) {
        assert_true(a->samples[i].t_ms == b->samples[i].t_ms);
        assert_int_equal(a->samples[i].first, b->samples[i].first);
        assert_int_equal(a->samples[i].count, b->samples[i].count);
    }
    for (size_t i = 0; i < a->reading_count; i++) {
        assert_int_equal(a->readings[i].signal, b->readings[i].signal);
        assert_memory_equal(&a->readings[i].value, &b->readings[i].value, sizeof(double));
    }
}

/* What our own writer makes of values of every length and sign is taken, to the last bit. */
static void what_our_writer_writes_is_read_as_the_tree_reads_it(void **state)
{
    static char text[JSON_MAX_BYTES];
    struct telemetry made, scanned, tree;
    size_t len;

    (void)state;
    srand48(7);
    telemetry_init(&made);
    telemetry_init(&scanned);
    telemetry_init(&tree);
    for (int round = 0; round < 2000; round++) {
        telemetry_clear(&made);
        made.head = (struct envelope){.stream = STREAM, .seq = 1 + lrand48(), .clock = CLOCK_NTP};
        for (int i = 0; i < 1 + round % 5; i++) {
            assert_int_equal(telemetry_sample(&made, 1795248000000 + 1000 * i, &fault), ST_OK);
            for (uint16_t k = 1; k <= 6; k++) {
                uint16_t id = (uint16_t)(k == 3 ? 1 + lrand48() % (long)signal_count() : k + 20);

                assert_int_equal(telemetry_reading(&made, id,
                                                   signal_round(id, (drand48() - 0.5) * 20000),
                                                   &fault),
                                 ST_OK);
            }
        }
        assert_int_equal(telemetry_write(&made, text, sizeof text, &len, &fault), ST_OK);
        assert_true(scan(&scanned, text, len));
        assert_int_equal(telemetry_read_tree(&tree, text, len, &fault), ST_OK);
        assert_same(&scanned, &tree);
    }
    telemetry_done(&made);
    telemetry_done(&scanned);
    telemetry_done(&tree);
}

static void a_number_is_the_nearest_double(void **state)
{
    static const char *const numbers[] = {
        "0",
        "-0",
        "0.0",
        "-0.000",
        "50",
        "50.0",
        "-13.25",
        "0.1",
        "0.3",
        "48.528601",
        "999999999999999",
        "-999999999999999",
        "99999999999999.9",
        "0.99999999999999",
        "0.00000000000001",
        "123456.789012345",
        "7205759403792.79",
        "5.00000000000005",
    };
    struct telemetry t;

    (void)state;
    telemetry_init(&t);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char text[300];
        int len = snprintf(text, sizeof text, TOP SPEED("%s") "]}", numbers[i]);
        double expected = strtod(numbers[i], NULL);

        expected = expected == 0 ? 0.0 : expected;
        assert_true(scan(&t, text, (size_t)len));
        assert_int_equal(t.reading_count, 1);
        assert_memory_equal(&t.readings[0].value, &expected, sizeof expected);
    }
    telemetry_done(&t);
}

/* Good or bad, each of these is the tree's to judge; telemetry_read says what the tree says. */
static void what_surprises_is_left_to_the_tree(void **state)
{
    static const struct {
        const char *text;
        enum status tree;
    } cases[] = {
        {ONE("5e1"), ST_OK},
        {ONE("1234567890123456"), ST_OK},
        {ONE("0.1000000000000000"), ST_OK},
        {ONE(" 50"), ST_OK},
        {ONE("50") "\n", ST_OK},
        {TOP SPEED("1") "," SPEED("2") "]}", ST_OK}, /* equal times */
        {TOP "{\"t\":2,\"s\":{\"Vehicle.Speed\":1}},{\"t\":1,\"s\":{\"Vehicle.Speed\":1}}]}",
         ST_OK},
        {TOP "{\"t\":1,\"s\":{\"Vehicle.Unknown\":1,\"Vehicle.Speed\":1}}]}", ST_OK},
        {TOP "{\"t\":1,\"s\":{\"Vehicle.\\u0053peed\":1}}]}", ST_OK},
        {TOP "{\"t\":1,\"s\":{}}]}", ST_OK},
        {TOP "{\"s\":{\"Vehicle.Speed\":1},\"t\":1}]}", ST_OK},
        {HEAD "\"more\":1,\"samples\":[" SPEED("1") "]}", ST_OK},
        {TOP SPEED("1") "],\"more\":1}", ST_OK},
        {"", ST_REJECT},
        {TOP, ST_REJECT},
        {TOP "]}", ST_REJECT},
        {ONE("01"), ST_REJECT},
        {ONE("-"), ST_REJECT},
        {ONE("1."), ST_REJECT},
        {ONE(".5"), ST_REJECT},
        {ONE("+1"), ST_REJECT},
        {ONE("\"1\""), ST_REJECT},
        {ONE("null"), ST_REJECT},
        {ONE("1") "x", ST_REJECT},
        {TOP SPEED("1") ",]}", ST_REJECT},
        {TOP "{\"t\":1,\"s\":{\"Vehicle.Speed\":1,}}]}", ST_REJECT},
        {TOP "{\"t\":1,\"s\":{\"Vehicle.Speed\":1,\"Vehicle.Speed\":2}}]}", ST_REJECT},
        {TOP "{\"t\":1.5,\"s\":{\"Vehicle.Speed\":1}}]}", ST_REJECT},
        {TOP "{\"t\":-1,\"s\":{\"Vehicle.Speed\":1}}]}", ST_REJECT},
        {TOP "{\"t\":01,\"s\":{\"Vehicle.Speed\":1}}]}", ST_REJECT},
        {"{\"schema\":\"telemetry/1\",\"stream\":\"" STREAM
         "\",\"seq\":0,\"clock\":\"gps\",\"samples\":[" SPEED("1") "]}",
         ST_REJECT},
        {"{\"schema\":\"telemetry/1\",\"stream\":\"0197F3c2-5f0e-7abc-8def-0123456789ab"
         "\",\"seq\":1,\"clock\":\"gps\",\"samples\":[" SPEED("1") "]}",
         ST_REJECT},
        {"{\"schema\":\"telemetry/1\",\"stream\":\"" STREAM
         "\",\"seq\":1,\"clock\":\"gpsx\",\"samples\":[" SPEED("1") "]}",
         ST_REJECT},
    };
    struct telemetry t;

    (void)state;
    telemetry_init(&t);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = strlen(cases[i].text);

        assert_false(scan(&t, cases[i].text, len));
        assert_int_equal(telemetry_read_tree(&t, cases[i].text, len, &fault), cases[i].tree);
        assert_int_equal(telemetry_read(&t, cases[i].text, len, &fault), cases[i].tree);
    }
    telemetry_done(&t);
}

static void every_record_cut_short_is_refused_and_nothing_is_read_behind_its_end(void **state)
{
    const char text[] = TOP SPEED("50.25") ",{\"t\":1795248001000,\"s\":{\"Vehicle.Speed\":5,"
                                           "\"Vehicle.CurrentLocation.Latitude\":48.5}}]}";
    struct telemetry t;

    (void)state;
    telemetry_init(&t);
    assert_true(scan(&t, text, sizeof text - 1));
    assert_int_equal(t.sample_count, 2);
    assert_int_equal(t.reading_count, 3);
    for (size_t len = 0; len < sizeof text - 1; len++)
        assert_false(scan(&t, text, len));
    telemetry_done(&t);
}

static void a_signal_twice_in_a_sample_is_found_wherever_it_stands(void **state)
{
    const char first[] =
        "{\"t\":1,\"s\":{\"Vehicle.Speed\":1,\"Vehicle.CurrentLocation.Latitude\":2,"
        "\"Vehicle.CurrentLocation.Longitude\":3}},{\"t\":2,\"s\":{";
    struct telemetry t;
    char text[600];
    int len;

    (void)state;
    telemetry_init(&t);
    len = snprintf(text, sizeof text,
                   TOP "%s\"Vehicle.CurrentLocation.Longitude\":1,"
                       "\"Vehicle.CurrentLocation.Latitude\":2,"
                       "\"Vehicle.CurrentLocation.Longitude\":3}}]}",
                   first);
    assert_false(scan(&t, text, (size_t)len));
    len = snprintf(text, sizeof text,
                   TOP "%s\"Vehicle.CurrentLocation.Longitude\":1,\"Vehicle.Speed\":3}}]}", first);
    assert_true(scan(&t, text, (size_t)len));
    assert_int_equal(t.readings[3].signal, SIGNAL_LONGITUDE);
    assert_int_equal(t.readings[4].signal, SIGNAL_SPEED);
    telemetry_done(&t);
}

/* The record before is a guess at most: other names, more and fewer of them, or none. */
static void a_record_does_not_depend_on_the_one_before(void **state)
{
    static const char *const samples[] = {
        "{\"t\":1,\"s\":{\"Vehicle.Speed\":1,\"Vehicle.CurrentLocation.Latitude\":2}}",
        "{\"t\":1,\"s\":{\"Vehicle.CurrentLocation.Latitude\":2}}",
        "{\"t\":1,\"s\":{\"Vehicle.CurrentLocation.Latitude\":2,\"Vehicle.Speed\":1}}",
        "{\"t\":1,\"s\":{\"Vehicle.Speed\":1,\"Vehicle.Speed\":2}}",
        "{\"t\":1,\"s\":{\"Vehicle.Speed\":1},",
        "{\"t\":1,\"s\":{}}"};
    const size_t n = sizeof samples / sizeof *samples;
    char before[400], text[400];
    struct telemetry t, tree;

    (void)state;
    for (size_t i = 0; i < n * n; i++) {
        bool is_good = i % n < 3;

        snprintf(before, sizeof before, TOP "%s]}", samples[i / n]);
        snprintf(text, sizeof text, TOP "%s]}", samples[i % n]);
        telemetry_init(&t);
        telemetry_init(&tree);
        (void)scan(&t, before, strlen(before));
        assert_int_equal(scan(&t, text, strlen(text)), is_good);
        if (is_good) {
            assert_int_equal(telemetry_read_tree(&tree, text, strlen(text), &fault), ST_OK);
            assert_same(&t, &tree);
        }
        telemetry_done(&t);
        telemetry_done(&tree);
    }
}

static void the_limits_are_those_of_the_tree(void **state)
{
    static char text[JSON_MAX_BYTES + 2];
    struct telemetry t;
    size_t len = 0;

    (void)state;
    telemetry_init(&t);
    len += (size_t)sprintf(text, "%s", TOP);
    for (int i = 0; i <= TELEMETRY_SAMPLES_MAX; i++)
        if (len < JSON_MAX_BYTES - 60)
            len += (size_t)sprintf(text + len, "%s{\"t\":%d,\"s\":{\"Vehicle.Speed\":%d}}",
                                   i ? "," : "", i, i % 10);
    len += (size_t)sprintf(text + len, "]}");
    assert_true(scan(&t, text, len));
    assert_true(t.sample_count > 700);
    memset(text, ' ', sizeof text);
    memcpy(text, ONE("1"), strlen(ONE("1")));
    assert_false(scan(&t, text, sizeof text));
    assert_int_equal(telemetry_read(&t, text, sizeof text, &fault), ST_REJECT);
    telemetry_done(&t);
}

static void the_head_alone_is_read_whatever_follows(void **state)
{
    const char text[] = TOP "anything";
    struct envelope head;

    (void)state;
    assert_true(scanner_head(&head, text, sizeof text - 1));
    assert_string_equal(head.stream, STREAM);
    assert_int_equal(head.seq, 42);
    assert_int_equal(head.clock, CLOCK_GPS);
    assert_false(scanner_head(&head, text, sizeof TOP - 2));
    assert_false(scanner_head(&head, "{\"schema\":\"event/1\"}", 20));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_our_writer_writes_is_read_as_the_tree_reads_it),
        cmocka_unit_test(a_number_is_the_nearest_double),
        cmocka_unit_test(what_surprises_is_left_to_the_tree),
        cmocka_unit_test(every_record_cut_short_is_refused_and_nothing_is_read_behind_its_end),
        cmocka_unit_test(a_signal_twice_in_a_sample_is_found_wherever_it_stands),
        cmocka_unit_test(a_record_does_not_depend_on_the_one_before),
        cmocka_unit_test(the_limits_are_those_of_the_tree),
        cmocka_unit_test(the_head_alone_is_read_whatever_follows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
