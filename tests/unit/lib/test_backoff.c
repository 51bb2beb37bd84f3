/* tests/unit/lib/test_backoff.c - growing pauses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/backoff.h"
#include "lib/stop.h"

static void within_a_fifth(int64_t pause_ms, int64_t of_ms)
{
    assert_in_range(pause_ms, of_ms - of_ms / 5, of_ms + of_ms / 5);
}

static void pauses_double_up_to_the_longest_and_stay(void **state)
{
    struct backoff b = BACKOFF_START;

    (void)state;
    for (int64_t ms = 250; ms <= 8000; ms *= 2)
        within_a_fifth(backoff_next(&b), ms);
    for (int i = 0; i < 50; i++)
        within_a_fifth(backoff_next(&b), 8000);
}

static void a_longest_that_is_no_multiple_is_reached_exactly(void **state)
{
    struct backoff b = {100, 300, 0};

    (void)state;
    within_a_fifth(backoff_next(&b), 100);
    within_a_fifth(backoff_next(&b), 200);
    within_a_fifth(backoff_next(&b), 300);
    within_a_fifth(backoff_next(&b), 300);
}

static void a_success_starts_over(void **state)
{
    struct backoff b = BACKOFF_START;

    (void)state;
    for (int i = 0; i < 5; i++)
        (void)backoff_next(&b);
    backoff_reset(&b);
    within_a_fifth(backoff_next(&b), 250);
}

static void pauses_of_many_differ(void **state)
{
    int64_t first = 0;
    int different = 0;

    (void)state;
    for (int i = 0; i < 50; i++) {
        struct backoff b = BACKOFF_START;
        int64_t pause_ms = backoff_next(&b);

        different += first && pause_ms != first;
        first = first ? first : pause_ms;
    }
    assert_true(different > 0);
}

static void no_pause_is_below_one_ms_and_none_overflows(void **state)
{
    struct backoff none = {0, 0, 0}, huge = {INT64_MAX / 3, INT64_MAX / 10 * 7, 0};

    (void)state;
    for (int i = 0; i < 10; i++) {
        int64_t pause_ms = backoff_next(&huge);

        assert_true(backoff_next(&none) >= 1);
        assert_true(pause_ms > (i ? INT64_MAX / 2 : INT64_MAX / 4));
    }
}

static void waiting_is_true_until_stop_is_asked_for(void **state)
{
    struct backoff short_one = {1, 1, 0}, long_one = {3600000, 3600000, 0};

    (void)state;
    assert_int_equal(stop_open(NULL), ST_OK);
    assert_true(backoff_wait(&short_one));
    stop_ask();
    assert_false(backoff_wait(&long_one)); /* or this test hangs for an hour */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_double_up_to_the_longest_and_stay),
        cmocka_unit_test(a_longest_that_is_no_multiple_is_reached_exactly),
        cmocka_unit_test(a_success_starts_over),
        cmocka_unit_test(pauses_of_many_differ),
        cmocka_unit_test(no_pause_is_below_one_ms_and_none_overflows),
        cmocka_unit_test(waiting_is_true_until_stop_is_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
