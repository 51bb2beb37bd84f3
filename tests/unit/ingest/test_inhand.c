/* What waits to be stored, and comes again meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/ingest/inhand.h"

#define VIN "WVWZZZ1KZAW000001"
#define STREAM "0197f3c2-5f0e-7abc-8def-0123456789ab"

static struct inhand *open_one(void)
{
    struct inhand *h = NULL;

    assert_int_equal(inhand_open(&h, NULL), ST_OK);
    return h;
}

static void what_waits_longer_than_a_second_is_known_until_it_waits_no_more(void **state)
{
    struct inhand *h = open_one();
    uint64_t key = inhand_key(VIN, STREAM, 42);

    (void)state;
    assert_false(inhand_has(h, key, 500000));
    inhand_take(h, key, 500000);
    assert_false(inhand_has(h, key, 500900)); /* twice at once: let in */
    assert_true(inhand_has(h, key, 505000));
    assert_false(inhand_has(h, inhand_key(VIN, STREAM, 43), 505000));
    inhand_drop(h, key);
    assert_false(inhand_has(h, key, 505000));
    inhand_close(h);
}

static void what_waits_too_long_is_let_in_again(void **state)
{
    struct inhand *h = open_one();
    uint64_t key = inhand_key(VIN, STREAM, 42);

    (void)state;
    inhand_take(h, key, 500000);
    assert_true(inhand_has(h, key, 559000));
    assert_false(inhand_has(h, key, 561000));
    inhand_take(h, key, 561000);
    assert_true(inhand_has(h, key, 566000));
    inhand_close(h);
}

static void time_goes_round_without_harm(void **state)
{
    struct inhand *h = open_one();
    uint64_t key = inhand_key(VIN, STREAM, 42);
    int64_t round_ms = INT64_C(65536) * 64;

    (void)state;
    inhand_take(h, key, round_ms - 2000);
    assert_true(inhand_has(h, key, round_ms + 3000));
    assert_false(inhand_has(h, key, round_ms + 70000));
    inhand_close(h);
}

static void keys_differ_by_vehicle_stream_and_number_and_are_never_none(void **state)
{
    uint64_t key = inhand_key(VIN, STREAM, 42);

    (void)state;
    assert_true(key != 0);
    assert_true(key != inhand_key("WVWZZZ1KZAW000002", STREAM, 42));
    assert_true(key != inhand_key(VIN, "0197f3c2-5f0e-7abc-8def-0123456789ac", 42));
    assert_true(key >> 16 != inhand_key(VIN, STREAM, 43) >> 16); /* the part that is kept */
}

static void letting_go_of_nothing_or_of_what_was_pushed_out_is_fine(void **state)
{
    struct inhand *h = open_one();
    uint64_t key = inhand_key(VIN, STREAM, 1), other = 0;

    (void)state;
    inhand_drop(h, 0);
    for (int64_t seq = 2; other == 0; seq++) { /* another in the same slot */
        uint64_t k = inhand_key(VIN, STREAM, seq);

        if ((k >> 16 & 16383) == (key >> 16 & 16383))
            other = k;
    }
    inhand_take(h, key, 500000);
    inhand_take(h, other, 500000);
    inhand_drop(h, key);
    assert_true(inhand_has(h, other, 505000));
    inhand_drop(h, other);
    assert_false(inhand_has(h, other, 505000));
    inhand_close(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_longer_than_a_second_is_known_until_it_waits_no_more),
        cmocka_unit_test(what_waits_too_long_is_let_in_again),
        cmocka_unit_test(time_goes_round_without_harm),
        cmocka_unit_test(keys_differ_by_vehicle_stream_and_number_and_are_never_none),
        cmocka_unit_test(letting_go_of_nothing_or_of_what_was_pushed_out_is_fine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
