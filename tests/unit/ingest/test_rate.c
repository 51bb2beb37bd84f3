/* The token bucket of one vehicle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "services/ingest/rate.h"

static int take(struct bucket *b, int tries, int64_t now_ms)
{
    int passed = 0;

    for (int i = 0; i < tries; i++)
        passed += bucket_take(b, 1, 50, 500, now_ms);
    return passed;
}

static void a_new_vehicle_may_send_a_burst_and_no_more(void **state)
{
    struct bucket b = {0};

    (void)state;
    assert_int_equal(take(&b, 1000, 1000), 500);
    assert_int_equal(take(&b, 10, 1000), 0);
}

static void tokens_come_back_with_time_up_to_the_burst(void **state)
{
    struct bucket b = {0};

    (void)state;
    assert_int_equal(take(&b, 1000, 1000), 500);
    assert_int_equal(take(&b, 1000, 2000), 50);
    assert_int_equal(take(&b, 1000, 2019), 0);
    assert_int_equal(take(&b, 1000, 2020), 1);
    assert_int_equal(take(&b, 1000, 3600000), 500);
}

static void fractions_of_a_token_are_kept(void **state)
{
    struct bucket b = {0};
    int passed = 0;

    (void)state;
    assert_int_equal(take(&b, 1000, 1000), 500);
    for (int64_t t = 1001; t <= 2000; t++)
        passed += take(&b, 10, t);
    assert_in_range(passed, 49, 50); /* 0.05 a millisecond, in binary */
}

static void a_clock_that_steps_back_gives_nothing_and_takes_nothing(void **state)
{
    struct bucket b = {0};

    (void)state;
    assert_int_equal(take(&b, 490, 100000), 490);
    assert_int_equal(take(&b, 1000, 50000), 10);
    assert_int_equal(take(&b, 1000, 51000), 50);
}

static void rate_zero_means_no_limit(void **state)
{
    struct bucket b = {0};

    (void)state;
    for (int i = 0; i < 10000; i++)
        assert_true(bucket_take(&b, 1, 0, 0, 1000));
}

static void a_report_costs_by_its_length_and_any_other_message_one(void **state)
{
    (void)state;
    assert_true(rate_cost(LEAF_TELEMETRY, 32768) == 1);
    assert_true(rate_cost(LEAF_DIAGNOSTICS, 127) == 1);
    assert_true(rate_cost(LEAF_DIAGNOSTICS, 600) == 5);
    assert_true(rate_cost(LEAF_DIAGNOSTICS, 28000) == 219);
}

static void what_costs_more_than_the_burst_passes_once_that_is_there(void **state)
{
    struct bucket b = {0};

    (void)state;
    assert_true(bucket_take(&b, 219, 50, 100, 1000));
    assert_false(bucket_take(&b, 1, 50, 100, 1000));
    assert_false(bucket_take(&b, 219, 50, 100, 2000));
    assert_true(bucket_take(&b, 1, 50, 100, 2000)); /* what was dropped took nothing */
    assert_true(bucket_take(&b, 219, 50, 100, 3020));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_vehicle_may_send_a_burst_and_no_more),
        cmocka_unit_test(tokens_come_back_with_time_up_to_the_burst),
        cmocka_unit_test(fractions_of_a_token_are_kept),
        cmocka_unit_test(a_clock_that_steps_back_gives_nothing_and_takes_nothing),
        cmocka_unit_test(a_report_costs_by_its_length_and_any_other_message_one),
        cmocka_unit_test(what_costs_more_than_the_burst_passes_once_that_is_there),
        cmocka_unit_test(rate_zero_means_no_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
