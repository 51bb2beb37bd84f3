/* Numbers found again by a hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "services/ingest/commit/slots.h"

#define MANY 1000

/* The place of `wanted` among numbers that are their own keys. */
static uint32_t *find(struct slots *s, const uint64_t *keys, uint64_t wanted, uint64_t hash)
{
    uint32_t *at = slots_first(s, hash);

    while (*at && keys[*at - 1] != wanted)
        at = slots_next(s, at);
    return at;
}

static void each_is_found_however_their_hashes_fall(void **state)
{
    static uint64_t keys[MANY];
    struct slots s = {0};

    (void)state;
    for (int same = 0; same < 2; same++) {
        assert_true(slots_begin(&s, MANY));
        for (uint32_t i = 0; i < MANY; i++) {
            uint32_t *at = find(&s, keys, 7 * i, same ? UINT64_MAX : i * i);

            assert_int_equal(*at, 0);
            keys[i] = UINT64_C(7) * i;
            *at = i + 1;
        }
        for (uint32_t i = 0; i < MANY; i++)
            assert_int_equal(*find(&s, keys, 7 * i, same ? UINT64_MAX : i * i), i + 1);
        assert_int_equal(*find(&s, keys, 3, same ? UINT64_MAX : 9), 0);
    }
    slots_done(&s);
}

static void begun_anew_it_is_empty(void **state)
{
    const uint64_t key = 5;
    struct slots s = {0};

    (void)state;
    assert_true(slots_begin(&s, 0));
    *find(&s, &key, 5, 5) = 1;
    assert_true(slots_begin(&s, 100));
    assert_int_equal(*find(&s, &key, 5, 5), 0);
    slots_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_found_however_their_hashes_fall),
        cmocka_unit_test(begun_anew_it_is_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
