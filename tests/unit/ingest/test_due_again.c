/* Which of two sites looks at the facts of a vehicle again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "services/ingest/again/due_again.h"

/* Due for both reasons, of a vehicle that two sites store. */
static struct due_again due(bool owner, bool here, bool elsewhere)
{
    return (struct due_again){.late = true,
                              .waited = true,
                              .shared = true,
                              .here = here,
                              .elsewhere = elsewhere,
                              .owner = owner,
                              .stores = !owner};
}

static void whoever_owns_the_facts_and_has_the_history_does_it(void **state)
{
    struct due_again d = due(true, true, true), other = due(false, true, true);

    (void)state;
    assert_true(due_again_take(&d));
    assert_true(d.late && d.waited && !due_again_lacks(&d));
    assert_false(due_again_take(&other));
}

static void where_the_owner_lacks_it_the_site_that_has_it_does_it(void **state)
{
    struct due_again d = due(true, false, true), other = due(false, true, false);

    (void)state;
    assert_false(due_again_take(&d));
    assert_true(due_again_take(&other));
    other = due(false, true, false);
    other.stores = false; /* another instance of that site does */
    assert_false(due_again_take(&other));
}

static void where_nobody_has_it_the_owner_waits_and_in_the_end_goes_on(void **state)
{
    struct due_again d = due(true, false, false), other = due(false, false, false);

    (void)state;
    assert_false(due_again_take(&d));
    assert_false(due_again_take(&other));
    d = due(true, false, false);
    d.waited_long = true;
    assert_true(due_again_take(&d));
    assert_true(d.waited && !d.late && due_again_lacks(&d));
    d = due(true, false, false);
    d.late_long = true;
    assert_true(due_again_take(&d));
    assert_true(d.late && !d.waited);
}

static void what_no_other_site_touches_waits_for_nobody(void **state)
{
    struct due_again d = due(true, false, true); /* the other one was given up long ago */

    (void)state;
    d.shared = false;
    assert_true(due_again_take(&d));
    assert_true(d.late && d.waited && !due_again_lacks(&d));
}

static void what_waited_is_gone_on_with_before_what_came_late(void **state)
{
    struct due_again d = due(true, true, false);

    (void)state;
    due_again_choose(&d, false);
    assert_true(d.waited && !d.late && !d.lost);
    d = due(true, true, false);
    d.waited = false;
    due_again_choose(&d, false);
    assert_true(d.late && !d.waited);
    due_again_choose(&d, true);
    assert_true(d.lost && !d.late && !d.waited);
}

static void what_rests_holds_up_nothing_else_of_its_vehicle(void **state)
{
    struct due_again d = due(true, true, false);

    (void)state;
    d.waited_rests = true;
    assert_true(due_again_take(&d));
    due_again_choose(&d, false);
    assert_true(d.late && !d.waited);
    d = due(true, true, false);
    d.late_rests = true;
    assert_true(due_again_take(&d));
    assert_true(d.waited && !d.late);
    d.waited_rests = true;
    assert_false(due_again_take(&d));
    d = due(false, true, false); /* of another site's facts */
    d.late_rests = d.waited_rests = true;
    assert_false(due_again_take(&d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_owns_the_facts_and_has_the_history_does_it),
        cmocka_unit_test(where_the_owner_lacks_it_the_site_that_has_it_does_it),
        cmocka_unit_test(where_nobody_has_it_the_owner_waits_and_in_the_end_goes_on),
        cmocka_unit_test(what_no_other_site_touches_waits_for_nobody),
        cmocka_unit_test(what_waited_is_gone_on_with_before_what_came_late),
        cmocka_unit_test(what_rests_holds_up_nothing_else_of_its_vehicle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
