/* tests/unit/lib/test_clock.c - times as text, both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "lib/clock.h"

static void a_time_prints_as_rfc3339_with_ms(void **state)
{
    static const struct {
        int64_t t_ms;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1795248000125, "2026-11-21T08:00:00.125Z"},
        {951782399999, "2000-02-28T23:59:59.999Z"},
        {951868800000, "2000-03-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
        {INT64_MIN, "0001-01-01T00:00:00.000Z"},
    };
    char out[25];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        clock_print(out, rows[i].t_ms);
        assert_string_equal(out, rows[i].text);
    }
}

static void what_is_printed_reads_back(void **state)
{
    char out[25];
    int64_t back;

    (void)state;
    for (int64_t t = -62135596800000; t < 253402300800000; t += 86400000 * INT64_C(97) + 12345677) {
        clock_print(out, t);
        assert_int_equal(clock_read(out, &back, NULL), ST_OK);
        assert_true(back == t);
    }
}

static void every_form_of_rfc3339_is_read(void **state)
{
    static const struct {
        const char *text;
        int64_t t_ms;
    } rows[] = {
        {"2026-11-21T08:00:00Z", 1795248000000},
        {"2026-11-21t08:00:00.5z", 1795248000500},
        {"2026-11-21 08:00:00.1259999Z", 1795248000125},
        {"2026-11-21T09:00:00+01:00", 1795248000000},
        {"2026-11-21T02:30:00-05:30", 1795248000000},
        {"2024-02-29T00:00:00Z", 1709164800000},
        {"2016-12-31T23:59:60Z", 1483228800000}, /* a leap second is the next one's start */
        {"1795248000000", 1795248000000},
        {"-1", -1},
        {"0", 0},
    };
    int64_t t;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(clock_read(rows[i].text, &t, NULL), ST_OK);
        assert_true(t == rows[i].t_ms);
    }
}

static void what_is_no_time_is_refused_and_leaves_the_output_alone(void **state)
{
    static const char *const texts[] = {
        "",
        "now",
        "2026-11-21",
        "2026-11-21T08:00Z",
        "2026-11-21T08:00:00",
        "2026-11-21T08:00:00.Z",
        "2026-13-01T08:00:00Z",
        "2026-00-01T08:00:00Z",
        "2026-02-29T08:00:00Z",
        "1900-02-29T08:00:00Z",
        "2026-11-31T08:00:00Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T08:60:00Z",
        "2026-11-21T08:00:61Z",
        "2026-11-21T08:00:00+24:00",
        "2026-11-21T08:00:00+0100",
        "2026-11-21T08:00:00Z ",
        "0000-01-01T00:00:00Z",
        " 1",
        "+1",
        "-",
        "1.5",
        "1e3",
        "1000000000000000", /* 16 digits */
    };
    struct fault fault;
    int64_t t = 42;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        fault.text[0] = '\0';
        assert_int_equal(clock_read(texts[i], &t, &fault), ST_REJECT);
        assert_non_null(strstr(fault.text, "is not a time"));
        assert_true(t == 42);
    }
}

static void the_clocks_go_forward(void **state)
{
    int64_t us = clock_boot_us(), ms = clock_boot_ms();

    (void)state;
    assert_true(us > 0 && ms >= us / 1000);
    assert_true(clock_boot_us() >= us);
    assert_true(clock_now_ms() > 1767225600000); /* after 2026-01-01 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_prints_as_rfc3339_with_ms),
        cmocka_unit_test(what_is_printed_reads_back),
        cmocka_unit_test(every_form_of_rfc3339_is_read),
        cmocka_unit_test(what_is_no_time_is_refused_and_leaves_the_output_alone),
        cmocka_unit_test(the_clocks_go_forward),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
