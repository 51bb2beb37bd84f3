/* In order, waiting, late; and what is looked at again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "services/ingest/facts/late.h"

#define NOW ((int64_t)1795420800000)
#define S ((int64_t)1000)
#define DAY (86400 * S)

static void records_step_in_order_up_to_the_first_gap(void **state)
{
    struct order o = {0};

    (void)state;
    assert_int_equal(order_take(&o, 1, NOW), ORDER_NOW);
    assert_int_equal(order_take(&o, 2, NOW), ORDER_NOW);
    assert_int_equal(order_take(&o, 5, NOW), ORDER_WAIT);
    assert_int_equal(order_take(&o, 6, NOW + S), ORDER_WAIT);
    assert_int_equal(order_take(&o, 3, NOW + S), ORDER_NOW); /* a backlog is old, not late */
    assert_int_equal(order_take(&o, 4, NOW + S), ORDER_NOW);
    assert_true(order_pass(&o, &late_defaults, 5, false, NOW + S));
    assert_int_equal(order_take(&o, 5, NOW + S), ORDER_NOW);
    assert_int_equal(order_take(&o, 2, NOW + S), ORDER_LATE);
}

static void a_gap_is_passed_over_when_lost_or_after_ten_minutes_without_progress(void **state)
{
    struct order o = {0};

    (void)state;
    (void)order_take(&o, 1, NOW);
    (void)order_take(&o, 5, NOW + 100 * S);
    assert_false(order_pass(&o, &late_defaults, 5, false, NOW + 699 * S));
    assert_int_equal(order_take(&o, 2, NOW + 699 * S), ORDER_NOW); /* progress */
    assert_false(order_pass(&o, &late_defaults, 5, false, NOW + 1298 * S));
    assert_true(order_pass(&o, &late_defaults, 5, false, NOW + 1299 * S));
    assert_int_equal(order_take(&o, 3, NOW + 1300 * S), ORDER_LATE);
    assert_int_equal(order_take(&o, 5, NOW + 1300 * S), ORDER_NOW);
    (void)order_take(&o, 9, NOW + 1300 * S);
    assert_true(order_pass(&o, &late_defaults, 9, true, NOW + 1300 * S)); /* announced as lost */
}

static void a_recompute_waits_for_the_late_batches_to_settle(void **state)
{
    struct late l = {0};

    (void)state;
    assert_false(late_due(&l, &late_defaults, NOW));
    late_take(&l, NOW - 500 * S, NOW - 400 * S, NOW);
    late_take(&l, NOW - 900 * S, NOW - 800 * S, NOW + 20 * S);
    assert_false(late_due(&l, &late_defaults, NOW + 49 * S));
    assert_true(late_due(&l, &late_defaults, NOW + 50 * S));
    assert_int_equal(l.earliest_ms, NOW - 900 * S);
    assert_int_equal(l.latest_ms, NOW - 400 * S);
}

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
    late_take(&l, NOW + 250 * S, NOW + 260 * S, NOW + 900 * S);
    assert_true(late_window(&l, &late_defaults, rows, 7, NOW + 900 * S, &from_ms, &to_ms));
    assert_int_equal(from_ms, NOW + 100 * S);
    assert_int_equal(to_ms, NOW + 400 * S);
    late_take(&l, NOW + 50 * S, NOW + 650 * S, NOW + 900 * S);
    assert_true(late_window(&l, &late_defaults, rows, 7, NOW + 900 * S, &from_ms, &to_ms));
    assert_int_equal(from_ms, NOW);
    assert_int_equal(to_ms, NOW + 700 * S);
    assert_true(late_window(&l, &late_defaults, NULL, 0, NOW + 900 * S, &from_ms, &to_ms));
    assert_int_equal(from_ms, NOW + 50 * S);
    assert_int_equal(to_ms, NOW + 650 * S);
}

static void nothing_older_than_the_history_is_looked_at(void **state)
{
    struct late l = {0};
    int64_t from_ms, to_ms;

    (void)state;
    assert_false(late_window(&l, &late_defaults, NULL, 0, NOW, &from_ms, &to_ms));
    late_take(&l, NOW - 70 * DAY, NOW - 61 * DAY, NOW);
    assert_false(late_window(&l, &late_defaults, NULL, 0, NOW, &from_ms, &to_ms));
    late_take(&l, NOW - 50 * DAY, NOW - 50 * DAY, NOW);
    assert_true(late_window(&l, &late_defaults, NULL, 0, NOW, &from_ms, &to_ms));
    assert_int_equal(from_ms, NOW - 60 * DAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_step_in_order_up_to_the_first_gap),
        cmocka_unit_test(a_gap_is_passed_over_when_lost_or_after_ten_minutes_without_progress),
        cmocka_unit_test(a_recompute_waits_for_the_late_batches_to_settle),
        cmocka_unit_test(the_window_reaches_one_segment_further_on_both_sides),
        cmocka_unit_test(nothing_older_than_the_history_is_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
