/* What clocks show at a moment. */
#include "tests/unit/ingest/drives.h"

#include "services/ingest/facts/schedule.h"
#include "services/ingest/facts/wall.h"

static void the_last_change_before_a_moment_counts(void **state)
{
    const struct wall none = {0};
    const struct wall w = {3, {1000, 2000, 3000}, {60, 120, -30}};

    (void)state;
    assert_int_equal(wall_ahead_min(NULL, 5000), 0);
    assert_int_equal(wall_ahead_min(&none, 5000), 0);
    assert_int_equal(wall_ahead_min(&w, 0), 60);
    assert_int_equal(wall_ahead_min(&w, 1999), 60);
    assert_int_equal(wall_ahead_min(&w, 2000), 120);
    assert_int_equal(wall_ahead_min(&w, 2999), 120);
    assert_int_equal(wall_ahead_min(&w, 900000), -30);
}

/* Monday 08:00 UTC is 10:00 in Paris in summer and 09:00 in winter, whenever it is looked at. */
static void hours_are_those_of_the_day_they_were_in(void **state)
{
    const struct schedule from_nine = {.spans = {{0x1f, 9 * 60, 10 * 60}}, .n = 1};
    const struct wall paris = {2, {MONDAY - 900 * HOUR, MONDAY - 300 * HOUR}, {120, 60}};
    const int64_t summer = MONDAY - (int64_t)5 * 7 * 24 * HOUR;

    (void)state;
    assert_true(schedule_holds(&from_nine, MONDAY, wall_ahead_min(&paris, MONDAY)));
    assert_false(schedule_holds(&from_nine, summer, wall_ahead_min(&paris, summer)));
    assert_true(schedule_holds(&from_nine, summer - HOUR, wall_ahead_min(&paris, summer - HOUR)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_change_before_a_moment_counts),
        cmocka_unit_test(hours_are_those_of_the_day_they_were_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
