/* Until when a shard that was given up is served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "services/ingest/handover.h"

#define T0 INT64_C(5000)

static void assert_served(const struct handover *h, bool receive, bool facts)
{
    assert_int_equal(h->receive, receive);
    assert_true(h->history);
    assert_int_equal(h->facts, facts);
}

static void assert_not_ours(const struct handover *h)
{
    assert_false(h->receive);
    assert_false(h->history);
    assert_false(h->facts);
}

static struct handover held(void)
{
    struct handover h = {0};

    handover_step(&h, true, true, false, T0);
    assert_served(&h, true, true);
    return h;
}

static void what_was_never_held_is_not_served(void **state)
{
    struct handover h = {0};

    (void)state;
    handover_step(&h, false, false, false, T0);
    assert_not_ours(&h);
    handover_step(&h, false, false, true, T0 + 1);
    assert_not_ours(&h);
}

static void what_nobody_has_taken_is_served_on_with_its_facts(void **state)
{
    struct handover h = held();

    (void)state;
    for (int64_t ms = 0; ms <= 2 * HANDOVER_DRAIN_MS; ms += 1000) {
        handover_step(&h, false, false, false, T0 + ms);
        assert_served(&h, true, true);
    }
}

static void what_has_no_number_is_written_by_one_alone(void **state)
{
    struct handover h = held(), without_facts = {0};

    (void)state;
    assert_true(handover_is_alone(&h));
    handover_step(&without_facts, true, false, false, T0);
    assert_false(handover_is_alone(&without_facts));
    handover_step(&h, false, false, false, T0 + 1000);
    assert_true(handover_is_alone(&h)); /* nobody has come */
    handover_step(&h, false, false, true, T0 + 2000);
    assert_served(&h, true, true);
    assert_false(handover_is_alone(&h));
    handover_step(&h, false, false, false, T0 + 3000);
    assert_true(handover_is_alone(&h)); /* who came has gone */
}

static void receiving_ends_once_another_has_had_time_to_subscribe(void **state)
{
    struct handover h = held();

    (void)state;
    handover_step(&h, false, false, true, T0);
    handover_step(&h, false, false, true, T0 + HANDOVER_SETTLE_MS - 1);
    assert_served(&h, true, true);
    handover_step(&h, false, false, true, T0 + HANDOVER_SETTLE_MS);
    assert_served(&h, false, true);
}

static void what_is_still_in_hand_then_is_settled_for_a_while(void **state)
{
    struct handover h = held();

    (void)state;
    handover_step(&h, false, false, true, T0);
    handover_step(&h, false, false, true, T0 + HANDOVER_SETTLE_MS);
    handover_step(&h, false, false, false, T0 + HANDOVER_SETTLE_MS + 1); /* it is gone again */
    assert_served(&h, false, true);
    handover_step(&h, false, false, true, T0 + HANDOVER_DRAIN_MS - 1);
    assert_served(&h, false, true);
    handover_step(&h, false, false, true, T0 + HANDOVER_DRAIN_MS);
    assert_not_ours(&h);
    handover_step(&h, false, false, false, T0 + HANDOVER_DRAIN_MS + 1);
    assert_not_ours(&h); /* for good, until it is held again */
}

static void another_that_dies_before_it_was_sure_counts_for_nothing(void **state)
{
    struct handover h = held();

    (void)state;
    handover_step(&h, false, false, true, T0);
    handover_step(&h, false, false, false, T0 + 1000);
    handover_step(&h, false, false, true, T0 + 1500);
    handover_step(&h, false, false, true, T0 + HANDOVER_SETTLE_MS);
    assert_served(&h, true, true);
    handover_step(&h, false, false, true, T0 + 1500 + HANDOVER_SETTLE_MS);
    assert_served(&h, false, true);
}

static void taking_it_back_forgets_that_it_was_given_up(void **state)
{
    struct handover h = held();

    (void)state;
    handover_step(&h, false, false, true, T0);
    handover_step(&h, true, false, false, T0 + HANDOVER_SETTLE_MS);
    assert_served(&h, true, false); /* another site has the facts by now */
    handover_step(&h, false, false, true, T0 + HANDOVER_SETTLE_MS + 1);
    assert_served(&h, true, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_never_held_is_not_served),
        cmocka_unit_test(what_nobody_has_taken_is_served_on_with_its_facts),
        cmocka_unit_test(what_has_no_number_is_written_by_one_alone),
        cmocka_unit_test(receiving_ends_once_another_has_had_time_to_subscribe),
        cmocka_unit_test(what_is_still_in_hand_then_is_settled_for_a_while),
        cmocka_unit_test(another_that_dies_before_it_was_sure_counts_for_nothing),
        cmocka_unit_test(taking_it_back_forgets_that_it_was_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
