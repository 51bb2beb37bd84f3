/* What is looked at again because of late samples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "services/ingest/facts/late.h"

#define NOW ((int64_t)1795420800000)
#define S ((int64_t)1000)
#define DAY (86400 * S)

static void the_window_reaches_one_segment_further_on_both_sides(void **state)
{
    struct late l = {0};
    struct segment rows[7];
    int64_t from_ms, to_ms;

    (void)state;
    for (int i = 0; i < 7; i++) {
        segment_init(&rows[i], i % 2 ? SEGMENT_TRIP : SEGMENT_STOP, NOW + i * 100 * S);
        rows[i].end_ms = NOW + (i + 1) * 100 * S;
    }
    l = (struct late){NOW + 250 * S, NOW + 260 * S};
    assert_true(late_window(&l, &late_defaults, rows, 7, NOW + 900 * S, &from_ms, &to_ms));
    assert_int_equal(from_ms, NOW + 100 * S);
    assert_int_equal(to_ms, NOW + 400 * S);
    l = (struct late){NOW + 50 * S, NOW + 650 * S};
    assert_true(late_window(&l, &late_defaults, rows, 7, NOW + 900 * S, &from_ms, &to_ms));
    assert_int_equal(from_ms, NOW);
    assert_int_equal(to_ms, NOW + 700 * S);
    assert_true(late_window(&l, &late_defaults, NULL, 0, NOW + 900 * S, &from_ms, &to_ms));
    assert_int_equal(from_ms, NOW + 50 * S);
    assert_int_equal(to_ms, NOW + 650 * S);
}

static void a_run_up_begins_at_a_stop_two_hours_and_four_rows_before(void **state)
{
    struct segment rows[9];

    (void)state;
    for (int i = 0; i < 9; i++) { /* stops at 0, 2, 4 .. hours */
        segment_init(&rows[i], i % 2 ? SEGMENT_TRIP : SEGMENT_STOP, NOW + i * 3600 * S);
        rows[i].end_ms = NOW + (i + 1) * 3600 * S;
    }
    assert_int_equal(late_run_up(rows, 9, NOW + 8 * 3600 * S + 5, 0), NOW + 4 * 3600 * S);
    assert_int_equal(late_run_up(rows, 9, NOW + 5 * 3600 * S, 0), NOW);
    assert_int_equal(late_run_up(rows, 9, NOW + 3 * 3600 * S, 0), 0); /* there are too few */
    assert_int_equal(late_run_up(rows, 9, NOW + 8 * 3600 * S + 5, 7 * 3600 * S), NOW);
    assert_int_equal(late_run_up(rows, 9, NOW + 8 * 3600 * S + 5, 9 * 3600 * S), 0);
    rows[6].kind = SEGMENT_IDLE; /* which counts for nothing */
    assert_int_equal(late_run_up(rows, 9, NOW + 8 * 3600 * S + 5, 0), NOW + 2 * 3600 * S);
    for (int i = 0; i < 9; i++) /* all within an hour and a half */
        rows[i].start_ms = NOW + i * 600 * S;
    assert_int_equal(late_run_up(rows, 9, NOW + 5400 * S, 0), 0);
    assert_int_equal(late_run_up(NULL, 0, NOW, 0), 0);
}

static void nothing_older_than_the_history_is_looked_at(void **state)
{
    struct late l = {0};
    int64_t from_ms, to_ms;

    (void)state;
    assert_false(late_window(&l, &late_defaults, NULL, 0, NOW, &from_ms, &to_ms));
    l = (struct late){NOW - 70 * DAY, NOW - 61 * DAY};
    assert_false(late_window(&l, &late_defaults, NULL, 0, NOW, &from_ms, &to_ms));
    l = (struct late){NOW - 70 * DAY, NOW - 50 * DAY};
    assert_true(late_window(&l, &late_defaults, NULL, 0, NOW, &from_ms, &to_ms));
    assert_int_equal(from_ms, NOW - 60 * DAY);
}

static void the_history_of_who_keeps_less_is_shorter(void **state)
{
    (void)state;
    assert_int_equal(late_history_ms(0), 60 * DAY);
    assert_int_equal(late_history_ms(7), 7 * DAY - 3600 * S); /* a recompute takes its time */
    assert_int_equal(late_history_ms(1), DAY - 3600 * S);
    assert_true(late_history_ms(60) <= 60 * DAY);
    assert_int_equal(late_history_ms(365), 60 * DAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_reaches_one_segment_further_on_both_sides),
        cmocka_unit_test(a_run_up_begins_at_a_stop_two_hours_and_four_rows_before),
        cmocka_unit_test(nothing_older_than_the_history_is_looked_at),
        cmocka_unit_test(the_history_of_who_keeps_less_is_shorter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
