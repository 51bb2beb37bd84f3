/* How many shards an instance may hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proto/topic.h"
#include "services/ingest/shards.h"

static void shares_are_whole_and_fair_to_within_one(void **state)
{
    (void)state;
    assert_int_equal(shards_share(1, 0), TOPIC_SHARDS);
    assert_int_equal(shards_share(3, 0), 22);
    assert_int_equal(shards_share(3, 1), 21);
    for (size_t n = 1; n <= 200; n++) {
        size_t sum = 0, most = 0, least = TOPIC_SHARDS;

        for (size_t rank = 0; rank < n; rank++) {
            size_t share = shards_share(n, rank);

            sum += share;
            most = share > most ? share : most;
            least = share < least ? share : least;
        }
        assert_int_equal(sum, TOPIC_SHARDS);
        assert_true(most - least <= 1);
    }
}

/* Wherever in the order the new one stands. */
static void one_who_joins_takes_from_others_and_gives_none_of_them_more(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 200; n++)
        for (size_t rank = 0; rank < n; rank++) {
            assert_true(shards_share(n + 1, rank) <= shards_share(n, rank));
            assert_true(shards_share(n + 1, rank + 1) <= shards_share(n, rank));
        }
}

static void before_anybody_was_counted_all_are_ours(void **state)
{
    (void)state;
    assert_int_equal(shards_share(0, 0), TOPIC_SHARDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_whole_and_fair_to_within_one),
        cmocka_unit_test(one_who_joins_takes_from_others_and_gives_none_of_them_more),
        cmocka_unit_test(before_anybody_was_counted_all_are_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
