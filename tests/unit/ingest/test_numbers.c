/* The number of a record, and of a loss it announces: both or none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "services/ingest/commit/numbers.h"

#define VIN "WVWZZZ1KZAW000001"
#define OWN "0197f3c2-5f0e-7abc-8def-0123456789ab"
#define LOST "0197f3c2-5f0e-7abc-8def-0123456789ac"

static struct record *record;
static struct marks marks;

/* Number 1 of its stream says that numbers of another one, of which 1 .. 1000 have come but for
 * some, are lost. */
static int start(void **state)
{
    (void)state;
    record = calloc(1, sizeof *record);
    assert_non_null(record);
    (void)snprintf(record->from.topic.vin, sizeof record->from.topic.vin, "%s", VIN);
    record->from.topic.leaf = LEAF_EVENT;
    (void)snprintf(record->head.stream, sizeof record->head.stream, "%s", OWN);
    (void)snprintf(record->lost_stream, sizeof record->lost_stream, "%s", LOST);
    record->head.seq = 1;
    marks = (struct marks){0};
    assert_int_equal(marks_collect(&marks, &record, 1, NULL), ST_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    marks_done(&marks);
    free(record);
    return 0;
}

static struct watermark *part(struct stream_mark *s, bool facts)
{
    return facts ? &s->facts : &s->history;
}

static void have(struct watermark *w, size_t gaps)
{
    *w = (struct watermark){.upto = 1000, .gap_count = gaps};
    for (size_t i = 0; i < gaps; i++)
        w->gaps[i] = (struct seq_range){10 * (int64_t)i + 1, 10 * (int64_t)i + 1};
}

static void a_loss_that_finds_no_room_leaves_its_announcement_to_come_again(void **state)
{
    struct stream_mark *own = marks_find(&marks, VIN, OWN), *lost = marks_find(&marks, VIN, LOST);

    (void)state;
    record->lost_first = 1010; /* 1001 .. 1009 would be one gap more */
    record->lost_last = 1020;
    for (int facts = 0; facts < 2; facts++) {
        have(part(lost, facts), ACK_GAPS_MAX);
        assert_int_equal(numbers_take(&marks, record, own, facts), ST_RETRY);
        assert_int_equal(part(own, facts)->upto, 0);
        assert_int_equal(part(own, facts)->gap_count, 0);
        assert_int_equal(part(lost, facts)->upto, 1000);
        assert_int_equal(part(lost, facts)->gap_count, ACK_GAPS_MAX);
    }
    assert_false(own->history_changed || own->facts_changed);
}

static void with_room_both_are_taken_and_the_loss_is_counted_once(void **state)
{
    struct stream_mark *own = marks_find(&marks, VIN, OWN), *lost = marks_find(&marks, VIN, LOST);

    (void)state;
    record->lost_first = 11;
    record->lost_last = 21;
    for (int facts = 0; facts < 2; facts++) {
        have(part(lost, facts), 3); /* 1, 11 and 21 */
        assert_int_equal(numbers_take(&marks, record, own, facts), ST_OK);
        assert_int_equal(part(own, facts)->upto, 1);
        assert_int_equal(part(lost, facts)->gap_count, 1);
    }
    assert_int_equal(lost->lost, 2);
    assert_true(own->history_changed && own->facts_changed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_loss_that_finds_no_room_leaves_its_announcement_to_come_again, start, end),
        cmocka_unit_test_setup_teardown(with_room_both_are_taken_and_the_loss_is_counted_once,
                                        start, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
