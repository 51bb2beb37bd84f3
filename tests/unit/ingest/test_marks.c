/* Watermarks: their text in the database, and the streams of a group. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/ingest/commit/marks.h"

#define VIN "WVWZZZ1KZAW000001"
#define OTHER "VF1RFB00866123456"
#define ONE "0197f3c2-5f0e-7abc-8def-0123456789ab"
#define TWO "0197f3c2-5f0e-7abc-8def-0123456789ac"

static void check_round_trip(const struct watermark *w, const char *wanted)
{
    struct watermark read = {.upto = w->upto};
    struct text text;

    text_init(&text);
    marks_print_gaps(&text, w);
    if (wanted)
        assert_string_equal(text.bytes, wanted);
    assert_int_equal(marks_read_gaps(&read, text.bytes, NULL), ST_OK);
    assert_int_equal(read.upto, w->upto);
    assert_int_equal(read.gap_count, w->gap_count);
    assert_memory_equal(read.gaps, w->gaps, w->gap_count * sizeof *w->gaps);
    text_done(&text);
}

static void gaps_survive_the_round_trip_as_half_open_ranges(void **state)
{
    struct watermark w = {.upto = 10};

    (void)state;
    check_round_trip(&w, "{}");
    w.gap_count = 2;
    w.gaps[0] = (struct seq_range){1, 2};
    w.gaps[1] = (struct seq_range){7, 7};
    check_round_trip(&w, "{[1,3),[7,8)}");
}

static void sixty_four_gaps_of_large_numbers_survive_it_too(void **state)
{
    struct watermark w = {.upto = JSON_INTEGER_MAX, .gap_count = ACK_GAPS_MAX};

    (void)state;
    for (size_t i = 0; i < ACK_GAPS_MAX; i++) {
        w.gaps[i].first = JSON_INTEGER_MAX - 1000 + 10 * (int64_t)i;
        w.gaps[i].last = w.gaps[i].first + 5;
    }
    check_round_trip(&w, NULL);
}

static void what_is_no_multirange_is_refused_and_changes_nothing(void **state)
{
    static const char *const wrong[] = {"",           "1,3",     "{1,3}",  "{[1,3]}",
                                        "{[1,3),[5}", "{[a,b)}", "{(1,3)}"};
    struct watermark w = {.upto = 9, .gap_count = 1, .gaps = {{2, 3}}};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(marks_read_gaps(&w, wrong[i], NULL), ST_REJECT);
        assert_int_equal(w.gap_count, 1);
        assert_int_equal(w.gaps[0].last, 3);
    }
}

static void more_than_sixty_four_ranges_are_refused(void **state)
{
    struct watermark w = {.upto = 1000};
    struct text text;

    (void)state;
    text_init(&text);
    text_print(&text, "{");
    for (int i = 0; i < ACK_GAPS_MAX + 1; i++)
        text_print(&text, "%s[%d,%d)", i ? "," : "", 10 * i + 1, 10 * i + 2);
    text_print(&text, "}");
    assert_int_equal(marks_read_gaps(&w, text.bytes, NULL), ST_REJECT);
    text_done(&text);
}

static struct record *make(const char *vin, enum leaf leaf, const char *stream, int64_t seq)
{
    struct record *r = calloc(1, sizeof *r);

    assert_non_null(r);
    snprintf(r->from.topic.vin, sizeof r->from.topic.vin, "%s", vin);
    r->from.topic.leaf = leaf;
    snprintf(r->head.stream, sizeof r->head.stream, "%s", stream);
    r->head.seq = seq;
    return r;
}

static void a_group_has_each_stream_once_sorted_and_losses_count(void **state)
{
    struct record *r[] = {
        make(VIN, LEAF_TELEMETRY, TWO, 1),   make(VIN, LEAF_TELEMETRY, TWO, 2),
        make(OTHER, LEAF_ALERT, ONE, 1),     make(VIN, LEAF_STATE, "", 0),
        make(VIN, LEAF_TELEMETRY, "", 0),    make(OTHER, LEAF_EVENT, ONE, 2),
        make(OTHER, LEAF_TELEMETRY, ONE, 0),
    };
    struct marks m = {0};

    (void)state;
    snprintf(r[5]->lost_stream, sizeof r[5]->lost_stream, "%s", TWO);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(marks_collect(&m, r, sizeof r / sizeof *r, NULL), ST_OK);
        assert_int_equal(m.count, 3);
        assert_string_equal(m.all[0].vin, OTHER);
        assert_string_equal(m.all[0].stream, ONE);
        assert_string_equal(m.all[1].stream, TWO);
        assert_string_equal(m.all[2].vin, VIN);
        assert_ptr_equal(marks_find(&m, VIN, TWO), &m.all[2]);
        assert_null(marks_find(&m, VIN, ONE));
    }
    marks_done(&m);
    for (size_t i = 0; i < sizeof r / sizeof *r; i++)
        free(r[i]);
}

static void an_empty_group_has_no_streams(void **state)
{
    struct marks m = {0};

    (void)state;
    assert_int_equal(marks_collect(&m, NULL, 0, NULL), ST_OK);
    assert_int_equal(m.count, 0);
    assert_null(marks_find(&m, VIN, ONE));
    marks_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gaps_survive_the_round_trip_as_half_open_ranges),
        cmocka_unit_test(sixty_four_gaps_of_large_numbers_survive_it_too),
        cmocka_unit_test(what_is_no_multirange_is_refused_and_changes_nothing),
        cmocka_unit_test(more_than_sixty_four_ranges_are_refused),
        cmocka_unit_test(a_group_has_each_stream_once_sorted_and_losses_count),
        cmocka_unit_test(an_empty_group_has_no_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
