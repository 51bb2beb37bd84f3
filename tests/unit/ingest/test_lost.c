/* tests/unit/ingest/test_lost.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "services/ingest/record/lost.h"

#define BULK "0197f3c2-5f0e-7abc-8def-0123456789ab"
#define URGENT "0197f3c2-5f0e-7abc-8def-0123456789ac"

static bool is_believed(const char *stream, int64_t seq, int64_t last, int64_t upto)
{
    struct record r = {.head = {.stream = BULK, .seq = seq}, .lost_first = 1, .lost_last = last};

    snprintf(r.lost_stream, sizeof r.lost_stream, "%s", stream);
    return lost_is_possible(&r, upto);
}

static void what_is_lost_was_made_before_it_is_told(void **state)
{
    (void)state;
    assert_true(is_believed(BULK, 8, 7, 0));
    assert_true(is_believed(BULK, 50000000, 49999999, 0)); /* whatever we have seen of it */
    assert_false(is_believed(BULK, 8, 8, 100));
    assert_false(is_believed(BULK, 8, INT64_MAX, 100));
}

static void another_stream_is_not_further_than_an_outbox_beyond_what_we_have(void **state)
{
    (void)state;
    assert_true(is_believed(URGENT, 8, 300, 0));
    assert_true(is_believed(URGENT, 8, 300, 299));
    assert_true(is_believed(URGENT, 8, 300, 5000000));
    assert_true(is_believed(URGENT, 8, 1000 + LOST_AHEAD, 1000));
    assert_false(is_believed(URGENT, 8, 1001 + LOST_AHEAD, 1000));
    assert_false(is_believed(URGENT, 8, INT64_MAX, 0));
}

static void what_is_missing_is_no_more_than_an_outbox_holds(void **state)
{
    struct watermark w = {0};

    (void)state;
    assert_int_equal(lost_missing(&w), 0);
    assert_int_equal(watermark_take(&w, 5), ST_OK);
    assert_int_equal(watermark_take(&w, 9), ST_OK);
    assert_int_equal(lost_missing(&w), 7);
    assert_int_equal(watermark_take(&w, JSON_INTEGER_MAX), ST_OK);
    assert_int_equal(lost_missing(&w), LOST_AHEAD);
    assert_int_equal(watermark_take_range(&w, 12, JSON_INTEGER_MAX - 1), ST_OK);
    assert_int_equal(lost_missing(&w), 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_lost_was_made_before_it_is_told),
        cmocka_unit_test(what_is_missing_is_no_more_than_an_outbox_holds),
        cmocka_unit_test(another_stream_is_not_further_than_an_outbox_beyond_what_we_have),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
