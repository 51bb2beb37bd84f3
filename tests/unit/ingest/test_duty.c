/* Whose facts are ours, when the shard is another site's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "services/ingest/record/duty.h"

#define LONG DUTY_PATIENCE_MS
#define SHORT (DUTY_PATIENCE_MS - 1)

static const struct watermark five = {.upto = 5};
static const struct watermark holed = {.upto = 5, .gap_count = 1, .gaps = {{3, 3}}};
static const struct watermark none = {0};

static void what_the_owner_has_written_is_not_written_again(void **state)
{
    (void)state;
    assert_false(duty_takes_over(&five, &five, LONG, 5));
    assert_false(duty_takes_over(&none, &five, LONG, 3));
}

static void the_next_record_is_the_owners(void **state)
{
    (void)state;
    assert_false(duty_takes_over(&five, &five, LONG, 6));
    assert_false(duty_takes_over(&five, &none, SHORT, 6));
    assert_false(duty_takes_over(&none, &none, INT64_MAX, 1)); /* a first record */
}

static void what_comes_again_without_facts_gets_them(void **state)
{
    (void)state;
    assert_true(duty_takes_over(&five, &none, 0, 5));
    assert_true(duty_takes_over(&five, &holed, 0, 3));
    assert_false(duty_takes_over(&five, &holed, 0, 4));
}

static void an_owner_that_lags_too_long_is_replaced(void **state)
{
    (void)state;
    assert_true(duty_takes_over(&five, &none, LONG, 6));
    assert_true(duty_takes_over(&five, &holed, LONG, 6));
    assert_false(duty_takes_over(&holed, &five, LONG, 6)); /* it is ahead of us */
}

static void a_shard_is_a_bit(void **state)
{
    struct duty duty = {0};

    (void)state;
    assert_false(duty_has(&duty.facts, "WVWZZZ1KZAW000001"));
    atomic_store(&duty.facts, UINT64_MAX);
    assert_true(duty_has(&duty.facts, "WVWZZZ1KZAW000001"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_owner_has_written_is_not_written_again),
        cmocka_unit_test(the_next_record_is_the_owners),
        cmocka_unit_test(what_comes_again_without_facts_gets_them),
        cmocka_unit_test(an_owner_that_lags_too_long_is_replaced),
        cmocka_unit_test(a_shard_is_a_bit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
