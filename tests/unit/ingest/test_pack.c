/* Plain memory with its zeros counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "services/ingest/car/pack.h"

static struct text packed;

static void what_is_packed_reads_back_to_the_byte(void **state)
{
    uint64_t words[300] = {0}, back[300];

    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned i = 0; i < 300; i++)
            words[i] = (i * 2654435761U + round * 40503U) % 7 < round % 7 ? i + 1 : 0;
        text_clear(&packed);
        pack_add(&packed, words, sizeof words);
        memset(back, 0xff, sizeof back);
        assert_true(pack_read(back, sizeof back, packed.bytes, packed.len));
        assert_memory_equal(back, words, sizeof words);
    }
}

static void zeros_cost_next_to_nothing(void **state)
{
    uint64_t words[4000] = {0};

    (void)state;
    text_clear(&packed);
    pack_add(&packed, words, sizeof words);
    assert_true(packed.len <= 8);
    words[1000] = 1;
    text_clear(&packed);
    pack_add(&packed, words, sizeof words);
    assert_true(packed.len <= 24);
}

static void what_is_cut_short_or_longer_is_refused(void **state)
{
    uint64_t words[20] = {0, 0, 3, 4, 0, 6}, back[20];

    (void)state;
    text_clear(&packed);
    pack_add(&packed, words, sizeof words);
    for (size_t len = 0; len < packed.len; len++)
        assert_false(pack_read(back, sizeof back, packed.bytes, len));
    assert_false(pack_read(back, sizeof back - 8, packed.bytes, packed.len));
    text_add(&packed, "\0\0\0\0", 4);
    assert_false(pack_read(back, sizeof back, packed.bytes, packed.len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_reads_back_to_the_byte),
        cmocka_unit_test(zeros_cost_next_to_nothing),
        cmocka_unit_test(what_is_cut_short_or_longer_is_refused),
    };
    int failed;

    text_init(&packed);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    text_done(&packed);
    return failed;
}
