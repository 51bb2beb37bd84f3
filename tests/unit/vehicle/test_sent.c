/* Which numbers were ever sent, and what a site cannot have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "vehicle/sent.h"

static struct watermark mark(int64_t upto)
{
    return (struct watermark){.upto = upto};
}

static struct watermark mark_without(int64_t upto, int64_t first, int64_t last)
{
    return (struct watermark){.upto = upto, .gap_count = 1, .gaps = {{first, last}}};
}

static void what_an_earlier_run_may_have_sent_is_never_doubted(void **state)
{
    struct watermark all = mark(100);
    struct sent s;

    (void)state;
    sent_init(&s, 100);
    assert_int_equal(sent_next_claimed(&s, &all, 1), 0);
}

static void a_number_that_was_never_sent_cannot_be_known(void **state)
{
    struct watermark old = mark(500), honest = mark_without(700, 101, 699);
    struct watermark lie = mark_without(700, 501, 699);
    struct sent s;

    (void)state;
    sent_init(&s, 100);
    assert_int_equal(sent_next_claimed(&s, &old, 1), 101);
    sent_add(&s, 700); /* the newest first */
    assert_int_equal(sent_next_claimed(&s, &honest, 1), 0);
    assert_int_equal(sent_next_claimed(&s, &lie, 1), 101);
    assert_int_equal(sent_next_claimed(&s, &lie, 300), 300);
    assert_int_equal(sent_next_claimed(&s, &lie, 501), 0);
}

static void a_backlog_that_went_out_meets_what_was_sent_before_it(void **state)
{
    struct watermark all = mark(20);
    struct sent s;

    (void)state;
    sent_init(&s, 5);
    for (int64_t seq = 15; seq <= 20; seq++)
        sent_add(&s, seq);
    for (int64_t seq = 6; seq <= 13; seq++)
        sent_add(&s, seq);
    assert_int_equal(s.base, 13);
    assert_int_equal(sent_next_claimed(&s, &all, 1), 14);
    sent_add(&s, 14);
    assert_int_equal(s.base, 20);
    assert_int_equal(s.count, 0);
    assert_int_equal(sent_next_claimed(&s, &all, 1), 0);
}

/* Numbers at random, beside a table that remembers each. */
static void whatever_the_order_no_number_that_was_sent_is_doubted(void **state)
{
    enum { NUMBERS = 300 };

    (void)state;
    srand(7);
    for (int round = 0; round < 400; round++) {
        static bool was[NUMBERS + 2];
        struct sent s;
        int adds = rand() % NUMBERS, exact = 1;

        for (int i = 0; i <= NUMBERS + 1; i++)
            was[i] = false;
        sent_init(&s, 0);
        for (int i = 0; i < adds; i++) {
            int64_t seq = 1 + rand() % NUMBERS;

            if (s.count == SENT_RANGES_MAX)
                exact = 0; /* a hole may have been closed */
            sent_add(&s, seq);
            was[seq] = true;
            for (size_t k = 0; k + 1 < s.count; k++)
                assert_true(s.ranges[k].last + 1 < s.ranges[k + 1].first);
            assert_true(s.count == 0 || s.ranges[0].first > s.base + 1);
        }
        for (int64_t seq = 1; seq <= NUMBERS; seq++) {
            struct watermark one = mark_without(seq, 1, seq - 1);
            int64_t claimed;

            if (seq == 1)
                one = mark(1);
            claimed = sent_next_claimed(&s, &one, 1);
            if (was[seq])
                assert_int_equal(claimed, 0);
            else if (exact)
                assert_int_equal(claimed, seq);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_earlier_run_may_have_sent_is_never_doubted),
        cmocka_unit_test(a_number_that_was_never_sent_cannot_be_known),
        cmocka_unit_test(a_backlog_that_went_out_meets_what_was_sent_before_it),
        cmocka_unit_test(whatever_the_order_no_number_that_was_sent_is_doubted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
