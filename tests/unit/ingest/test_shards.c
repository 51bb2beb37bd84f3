/* How many shards an instance may hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proto/topic.h"
#include "services/ingest/shards.h"

static void all_instances_together_hold_every_shard(void **state)
{
    (void)state;
    assert_int_equal(shards_share(1), TOPIC_SHARDS);
    assert_int_equal(shards_share(2), 32);
    assert_int_equal(shards_share(3), 22);
    for (size_t n = 1; n <= 200; n++) {
        assert_true(n * shards_share(n) >= TOPIC_SHARDS);
        assert_true(n * (shards_share(n) - 1) <
                    TOPIC_SHARDS); /* and none holds more than it must */
    }
}

static void before_anybody_was_counted_all_are_ours(void **state)
{
    (void)state;
    assert_int_equal(shards_share(0), TOPIC_SHARDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_instances_together_hold_every_shard),
        cmocka_unit_test(before_anybody_was_counted_all_are_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
