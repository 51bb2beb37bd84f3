/* The words --status speaks in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vehicle/status.h"

static void assert_span(int64_t ms, const char *words)
{
    char out[32];

    status_span(out, ms);
    assert_string_equal(out, words);
}

static void a_span_is_told_in_the_two_units_that_matter(void **state)
{
    (void)state;
    assert_span(-1, "in the future");
    assert_span(0, "0 s");
    assert_span(59999, "59 s");
    assert_span(60000, "1 min");
    assert_span(3599999, "59 min");
    assert_span(3600000, "1 h 0 min");
    assert_span(86399999, "23 h 59 min");
    assert_span(86400000, "1 d 0 h");
    assert_span(30LL * 86400000 + 7200000, "30 d 2 h");
}

static void assert_size(double bytes, const char *words)
{
    char out[32];

    status_size(out, bytes);
    assert_string_equal(out, words);
}

static void a_size_has_two_digits_at_least(void **state)
{
    (void)state;
    assert_size(0, "0 B");
    assert_size(812, "812 B");
    assert_size(1234, "1.2 kB");
    assert_size(40960, "41 kB");
    assert_size(536870912, "537 MB");
    assert_size(2e12, "2000 GB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_is_told_in_the_two_units_that_matter),
        cmocka_unit_test(a_size_has_two_digits_at_least),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
