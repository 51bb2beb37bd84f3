/* The buckets of a lag, as proto/sql/005_loss.sql describes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "services/ingest/commit/tally.h"

static void a_bucket_ends_where_the_next_begins_and_two_are_twice_as_long(void **state)
{
    static const int64_t ends_ms[] = {20, 30, 40, 60, 80, 120, 160, 240};

    (void)state;
    for (unsigned i = 0; i < sizeof ends_ms / sizeof *ends_ms; i++) {
        assert_int_equal(tally_bucket(ends_ms[i]), i);
        assert_int_equal(tally_bucket(ends_ms[i] + 1), i + 1);
    }
    for (unsigned i = 2; i < LAG_BUCKETS - 2; i++) {
        int64_t end_ms = i % 2 ? 30LL << i / 2 : 20LL << i / 2; /* i from 0 here, from 1 there */

        assert_int_equal(tally_bucket(end_ms), i);
        assert_int_equal(tally_bucket(end_ms + 1), i + 1);
    }
}

static void the_future_is_in_the_first_and_months_are_in_the_last(void **state)
{
    (void)state;
    assert_int_equal(tally_bucket(INT64_MIN), 0);
    assert_int_equal(tally_bucket(-5), 0);
    assert_int_equal(tally_bucket(0), 0);
    assert_int_equal(tally_bucket(60LL * 24 * 3600 * 1000), LAG_BUCKETS - 1);
    assert_int_equal(tally_bucket(INT64_MAX), LAG_BUCKETS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_ends_where_the_next_begins_and_two_are_twice_as_long),
        cmocka_unit_test(the_future_is_in_the_first_and_months_are_in_the_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
