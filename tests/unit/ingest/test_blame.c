/* Whose fault it is that a store refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "services/ingest/blame.h"

#define A "WVWZZZ1KZAW000001"
#define B "WVWZZZ1KZAW000002"
#define C "WVWZZZ1KZAW000003"
#define D "WVWZZZ1KZAW000004"

static void one_vehicle_is_at_fault_itself_however_often(void **state)
{
    struct blame b = {0};

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_false(blame_refused(&b, A));
}

static void three_vehicles_in_a_row_are_the_store(void **state)
{
    struct blame b = {0};

    (void)state;
    assert_false(blame_refused(&b, A));
    assert_false(blame_refused(&b, B));
    assert_false(blame_refused(&b, A));
    assert_true(blame_refused(&b, C));
    assert_true(blame_refused(&b, C)); /* tried again */
    assert_true(blame_refused(&b, A));
    assert_true(blame_refused(&b, D));
}

static void what_is_taken_in_between_clears_it(void **state)
{
    struct blame b = {0};

    (void)state;
    assert_false(blame_refused(&b, A));
    assert_false(blame_refused(&b, B));
    blame_accepted(&b);
    assert_false(blame_refused(&b, C));
    assert_false(blame_refused(&b, A));
    assert_true(blame_refused(&b, B));
    blame_accepted(&b);
    assert_false(blame_refused(&b, B));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_vehicle_is_at_fault_itself_however_often),
        cmocka_unit_test(three_vehicles_in_a_row_are_the_store),
        cmocka_unit_test(what_is_taken_in_between_clears_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
