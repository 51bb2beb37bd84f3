/* What PID 31 had told by a time. */
#include "services/ingest/facts/cleared.h"
#include "tests/unit/ingest/drives.h"

static void a_report_is_compared_with_what_was_told_by_its_own_time(void **state)
{
    struct cleared c = {0};

    (void)state;
    assert_int_equal(cleared_at(&c, MONDAY).t_ms, 0);
    cleared_step(&c, MONDAY, 500);
    cleared_step(&c, MONDAY + SECOND, NOT_MEASURED);
    cleared_step(&c, MONDAY + 10 * MINUTE, 0);
    cleared_step(&c, MONDAY + 20 * MINUTE, 3);
    assert_int_equal(cleared_at(&c, MONDAY - 1).t_ms, 0);
    NEAR(cleared_at(&c, MONDAY).km, 500, 0);
    NEAR(cleared_at(&c, MONDAY + 10 * MINUTE - 1).km, 500, 0);
    NEAR(cleared_at(&c, MONDAY + 10 * MINUTE).km, 0, 0);
    assert_int_equal(cleared_at(&c, MONDAY + 15 * MINUTE).t_ms, MONDAY + 10 * MINUTE);
    NEAR(cleared_at(&c, MONDAY + HOUR).km, 3, 0);
}

static void what_is_told_again_takes_no_room(void **state)
{
    struct cleared c = {0};

    (void)state;
    cleared_step(&c, MONDAY, 500);
    for (int i = 1; i <= 1000; i++)
        cleared_step(&c, MONDAY + i * SECOND, 501);
    NEAR(cleared_at(&c, MONDAY).km, 500, 0);
    assert_int_equal(cleared_at(&c, MONDAY + HOUR).t_ms, MONDAY + SECOND);
    for (int i = 2; i <= CLEARED_VALUES; i++)
        cleared_step(&c, MONDAY + i * HOUR, 500 + i);
    assert_int_equal(cleared_at(&c, MONDAY).t_ms, 0); /* the oldest goes first */
    NEAR(cleared_at(&c, MONDAY + HOUR).km, 501, 0);
    NEAR(cleared_at(&c, MONDAY + 1000 * HOUR).km, 500 + CLEARED_VALUES, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_is_compared_with_what_was_told_by_its_own_time),
        cmocka_unit_test(what_is_told_again_takes_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
