/* What need not be taken apart again, in few bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "services/ingest/known.h"

#define STREAM "0197f3c2-5f0e-7abc-8def-0123456789ab"
#define OTHER "0197f3c2-5f0e-7abc-8def-0123456789ac"

static const struct watermark nothing = {0};
static const struct watermark ten = {.upto = 10};
static const struct watermark with_gaps = {.upto = 20, .gap_count = 2, .gaps = {{3, 3}, {7, 9}}};

static void a_compact_watermark_says_what_the_large_one_says(void **state)
{
    const struct watermark *marks[] = {&with_gaps, &ten, &nothing, &with_gaps, &with_gaps, &ten};
    struct compact c = {0};

    (void)state;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        struct watermark back;

        assert_true(compact_set(&c, marks[i]));
        compact_get(&c, &back);
        assert_true(back.upto == marks[i]->upto);
        assert_int_equal(back.gap_count, marks[i]->gap_count);
        assert_memory_equal(back.gaps, marks[i]->gaps, back.gap_count * sizeof *back.gaps);
        for (int64_t seq = -1; seq < 25; seq++)
            assert_int_equal(compact_has(&c, seq), watermark_has(marks[i], seq));
    }
    compact_done(&c);
    assert_false(compact_has(&c, 1));
}

static void what_was_told_is_known_and_nothing_else(void **state)
{
    struct known k = {0};

    (void)state;
    assert_false(known_has(&k, STREAM, 1));
    known_learn(&k, STREAM, &with_gaps);
    assert_true(known_has(&k, STREAM, 1) && known_has(&k, STREAM, 20));
    assert_false(known_has(&k, STREAM, 3) || known_has(&k, STREAM, 8));
    assert_false(known_has(&k, STREAM, 0) || known_has(&k, STREAM, 21));
    assert_false(known_has(&k, OTHER, 1) || known_has(&k, "no stream", 1));
    known_done(&k);
}

static void what_was_told_last_counts_even_when_it_is_less(void **state)
{
    struct known k = {0};

    (void)state;
    known_learn(&k, STREAM, &with_gaps);
    known_learn(&k, OTHER, &ten);
    known_learn(&k, STREAM, &nothing); /* the vehicle was deleted and made anew */
    assert_false(known_has(&k, STREAM, 1));
    assert_true(known_has(&k, OTHER, 10));
    assert_int_equal(k.count, 2);
    known_done(&k);
}

static void of_many_streams_the_one_told_least_recently_is_forgotten(void **state)
{
    struct known k = {0};
    char stream[UUID_TEXT + 1];

    (void)state;
    known_learn(&k, STREAM, &ten);
    for (int i = 0; i < KNOWN_STREAMS_MAX; i++) {
        snprintf(stream, sizeof stream, "0197f3c2-5f0e-7abc-8def-00000000000%d", i);
        known_learn(&k, stream, &with_gaps);
        if (i < KNOWN_STREAMS_MAX - 1)
            known_learn(&k, STREAM, &ten);
    }
    assert_int_equal(k.count, KNOWN_STREAMS_MAX);
    assert_true(known_has(&k, STREAM, 10) && known_has(&k, stream, 1));
    assert_false(known_has(&k, "0197f3c2-5f0e-7abc-8def-000000000000", 1));
    known_done(&k);
}

static void a_note_carries_it_all(void **state)
{
    struct known_note *note = known_note_make("WVWZZZ1KZAW000001", STREAM, &with_gaps);

    (void)state;
    assert_non_null(note);
    assert_string_equal(note->vin, "WVWZZZ1KZAW000001");
    assert_string_equal(note->stream, STREAM);
    assert_true(compact_has(&note->mark, 20) && !compact_has(&note->mark, 9));
    known_note_free(note);
    known_note_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_compact_watermark_says_what_the_large_one_says),
        cmocka_unit_test(what_was_told_is_known_and_nothing_else),
        cmocka_unit_test(what_was_told_last_counts_even_when_it_is_less),
        cmocka_unit_test(of_many_streams_the_one_told_least_recently_is_forgotten),
        cmocka_unit_test(a_note_carries_it_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
