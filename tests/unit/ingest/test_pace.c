/* How fast goes what can wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/ingest/record/pace.h"

static void a_small_fleet_moves_four_times_a_second(void **state)
{
    (void)state;
    assert_int_equal(pace_live_ms(0), 250);
    assert_int_equal(pace_live_ms(1), 250);
    assert_int_equal(pace_live_ms(100), 250);
}

static void a_large_one_once_a_second_whatever_its_size(void **state)
{
    (void)state;
    assert_int_equal(pace_live_ms(400), 1000);
    assert_int_equal(pace_live_ms(100000), 1000);
}

static void between_them_all_together_are_told_of_as_often(void **state)
{
    (void)state;
    assert_int_equal(pace_live_ms(200), 500);
    assert_int_equal(pace_live_ms(300), 750);
}

static void minutes_take_half_the_time_at_most_and_little_of_it_while_records_wait(void **state)
{
    (void)state;
    assert_int_equal(pace_minutes_ms(30, 0), 30);
    assert_int_equal(pace_minutes_ms(30, 100 << 10), 30);
    assert_int_equal(pace_minutes_ms(30, 8 << 20), 600);
    assert_int_equal(pace_minutes_ms(0, 8 << 20), 0);
    assert_int_equal(pace_minutes_ms(400, 8 << 20), 5000);
    assert_int_equal(pace_minutes_ms(15000, 8 << 20), 15000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_fleet_moves_four_times_a_second),
        cmocka_unit_test(a_large_one_once_a_second_whatever_its_size),
        cmocka_unit_test(between_them_all_together_are_told_of_as_often),
        cmocka_unit_test(minutes_take_half_the_time_at_most_and_little_of_it_while_records_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
