/* What the sites know, what may be forgotten, and what goes next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vehicle/window.h"

static struct ledger l;
static struct window w;

static enum status ack(const char *site, int64_t upto, int64_t given, size_t gaps,
                       const struct seq_range *gap)
{
    struct ack a;

    memset(&a, 0, sizeof a);
    snprintf(a.site, sizeof a.site, "%s", site);
    a.mark.upto = upto;
    a.mark.gap_count = gaps;
    for (size_t i = 0; i < gaps; i++)
        a.mark.gaps[i] = gap[i];
    return ledger_take(&l, &a, given);
}

static void require(size_t n, const char *first, const char *second)
{
    char sites[2][LEDGER_SITE_TEXT] = {""};

    snprintf(sites[0], LEDGER_SITE_TEXT, "%s", first);
    snprintf(sites[1], LEDGER_SITE_TEXT, "%s", second);
    ledger_require(&l, sites, n);
}

static int begin(void **state)
{
    (void)state;
    ledger_init(&l);
    window_init(&w, 1000, 100);
    return 0;
}

/* ---- ledger */

static void without_required_sites_nothing_may_be_forgotten(void **state)
{
    struct seq_range range;

    (void)state;
    assert_int_equal(ack("illkirch", 10, 10, 0, NULL), ST_OK);
    assert_false(ledger_stored_range(&l, 1, &range));
    assert_true(ledger_is_settled(&l, 10)); /* good enough not to send it again */
}

static void every_required_site_must_have_it(void **state)
{
    struct seq_range range;

    (void)state;
    require(2, "illkirch", "esplanade");
    assert_int_equal(ack("illkirch", 10, 20, 0, NULL), ST_OK);
    assert_false(ledger_stored_range(&l, 1, &range));
    assert_int_equal(ack("esplanade", 7, 20, 0, NULL), ST_OK);
    assert_true(ledger_stored_range(&l, 1, &range));
    assert_int_equal(range.first, 1);
    assert_int_equal(range.last, 7);
    assert_true(ledger_is_heard(&l, 9));
    assert_false(ledger_is_settled(&l, 9));
    assert_int_equal(ledger_settled_count(&l), 7);
}

static void a_third_site_decides_nothing(void **state)
{
    struct seq_range range;

    (void)state;
    require(1, "illkirch", "");
    assert_int_equal(ack("elsewhere", 20, 20, 0, NULL), ST_OK);
    assert_false(ledger_stored_range(&l, 1, &range));
    assert_false(ledger_is_settled(&l, 3));
}

static void gaps_are_not_forgotten(void **state)
{
    static const struct seq_range gaps[] = {{3, 4}, {8, 8}};
    struct seq_range range;

    (void)state;
    require(1, "illkirch", "");
    assert_int_equal(ack("illkirch", 10, 20, 2, gaps), ST_OK);
    assert_true(ledger_stored_range(&l, 1, &range));
    assert_int_equal(range.last, 2);
    assert_true(ledger_stored_range(&l, 3, &range));
    assert_int_equal(range.first, 5);
    assert_int_equal(range.last, 7);
    assert_true(ledger_stored_range(&l, 8, &range));
    assert_int_equal(range.first, 9);
    assert_int_equal(range.last, 10);
    assert_false(ledger_stored_range(&l, 11, &range));
    assert_int_equal(ledger_next_unsettled(&l, 1), 3);
    assert_int_equal(ledger_next_unsettled(&l, 5), 8);
    assert_int_equal(ledger_next_unsettled(&l, 9), 11);
    assert_int_equal(ledger_settled_count(&l), 7);
}

static void an_ack_beyond_what_was_given_is_refused(void **state)
{
    (void)state;
    assert_int_equal(ack("illkirch", 21, 20, 0, NULL), ST_REJECT);
    assert_int_equal(l.site_count, 0);
}

static void a_site_that_knows_less_than_before_is_believed(void **state)
{
    struct seq_range range;

    (void)state;
    require(1, "illkirch", "");
    assert_int_equal(ack("illkirch", 20, 20, 0, NULL), ST_OK);
    assert_int_equal(ack("illkirch", 20, 20, 0, NULL), ST_NONE);
    assert_int_equal(ack("illkirch", 12, 20, 0, NULL), ST_RETRY); /* restored from a backup */
    assert_true(ledger_stored_range(&l, 1, &range));
    assert_int_equal(range.last, 12);
}

static void a_ninth_site_is_ignored(void **state)
{
    char site[8];

    (void)state;
    for (int i = 0; i < LEDGER_SITES_MAX; i++) {
        snprintf(site, sizeof site, "s%d", i);
        assert_int_equal(ack(site, 1, 1, 0, NULL), ST_OK);
    }
    assert_int_equal(ack("s9", 1, 1, 0, NULL), ST_REJECT);
}

/* ---- window */

static int64_t next(int64_t given)
{
    struct window_pick pick;

    return window_next(&w, &l, given, true, &pick) ? pick.seq : 0;
}

static int64_t send(int64_t given, int64_t bytes)
{
    struct window_pick pick;

    if (!window_next(&w, &l, given, true, &pick) || !window_fits(&w, &pick, bytes))
        return 0;
    window_sent(&w, &pick, bytes);
    return pick.seq;
}

static void the_newest_goes_first_and_then_the_oldest(void **state)
{
    (void)state;
    window_restart(&w, 5, false);
    assert_int_equal(send(5, 10), 5);
    assert_int_equal(send(5, 10), 1);
    assert_int_equal(send(5, 10), 2);
    assert_int_equal(send(6, 10), 6); /* a new one overtakes the backlog */
    assert_int_equal(send(6, 10), 3);
    assert_int_equal(send(6, 10), 4);
    assert_int_equal(send(6, 10), 0);
}

static void the_backlog_may_be_held_back(void **state)
{
    struct window_pick pick;

    (void)state;
    window_restart(&w, 5, false);
    assert_true(window_next(&w, &l, 5, false, &pick));
    window_sent(&w, &pick, 10);
    assert_false(window_next(&w, &l, 5, false, &pick));
    assert_true(window_next(&w, &l, 5, true, &pick));
    assert_int_equal(pick.seq, 1);
}

static void a_full_window_stops_the_backlog_before_the_newest(void **state)
{
    (void)state;
    window_restart(&w, 100, false);
    assert_int_equal(send(100, 300), 100);
    assert_int_equal(send(100, 300), 1);
    assert_int_equal(send(100, 300), 2); /* 900 of 1000, 100 kept free */
    assert_int_equal(send(100, 50), 0);
    assert_int_equal(send(101, 50), 101);
    assert_int_equal(send(102, 51), 0);
}

static void one_record_larger_than_the_window_still_goes(void **state)
{
    (void)state;
    window_restart(&w, 1, false);
    assert_int_equal(send(1, 5000), 1);
    assert_int_equal(send(2, 1), 0);
}

static void only_an_ack_frees_the_window(void **state)
{
    (void)state;
    require(1, "illkirch", "");
    window_restart(&w, 3, false);
    for (int i = 0; i < 3; i++)
        send(3, 300);
    assert_int_equal(w.bytes, 900);
    assert_int_equal(ack("illkirch", 3, 3, 0, NULL), ST_OK);
    assert_int_equal(window_heard(&w, &l), 0);
    assert_int_equal(w.bytes, 0);
    assert_int_equal(next(3), 0);
}

static void a_record_passed_over_goes_again_at_once(void **state)
{
    static const struct seq_range gap = {2, 2};

    (void)state;
    window_restart(&w, 1, false);
    send(1, 10);
    send(2, 10);
    send(3, 10);
    send(4, 10);
    assert_int_equal(ack("illkirch", 3, 4, 1, &gap), ST_OK);
    assert_int_equal(window_heard(&w, &l), 1); /* 2 was sent before 3; 4 may still come */
    assert_int_equal(send(4, 10), 2);
    assert_int_equal(next(4), 0);
}

static void a_backlog_not_yet_sent_is_not_lost(void **state)
{
    static const struct seq_range gap = {1, 4};

    (void)state;
    window_restart(&w, 5, false);
    assert_int_equal(send(5, 10), 5);
    assert_int_equal(ack("illkirch", 5, 5, 1, &gap), ST_OK);
    assert_int_equal(window_heard(&w, &l), 0);
    assert_int_equal(send(5, 10), 1);
}

static void a_new_connection_begins_at_the_last_ack(void **state)
{
    (void)state;
    window_restart(&w, 5, false);
    for (int i = 0; i < 5; i++)
        send(5, 10);
    assert_int_equal(ack("illkirch", 3, 5, 0, NULL), ST_OK);
    window_restart(&w, 5, false);
    assert_int_equal(w.bytes, 0);
    assert_int_equal(send(5, 10), 5);
    assert_int_equal(send(5, 10), 4);
    assert_int_equal(next(5), 0);
}

static void what_one_site_has_is_sent_again_only_when_insisting(void **state)
{
    (void)state;
    require(2, "illkirch", "esplanade");
    window_restart(&w, 3, false);
    for (int i = 0; i < 3; i++)
        send(3, 10);
    assert_int_equal(ack("illkirch", 3, 3, 0, NULL), ST_OK);
    window_heard(&w, &l);
    assert_int_equal(w.bytes, 0); /* one site's word is enough to go on */
    window_restart(&w, 3, false);
    assert_int_equal(next(3), 0);
    window_restart(&w, 3, true);
    assert_int_equal(send(3, 10), 3);
    assert_int_equal(send(3, 10), 1);
    assert_int_equal(send(3, 10), 2);
    assert_int_equal(next(3), 0);
    assert_false(w.insist);
}

static void a_missing_record_is_skipped(void **state)
{
    struct window_pick pick;

    (void)state;
    window_restart(&w, 50, false);
    assert_int_equal(send(50, 10), 50);
    assert_true(window_next(&w, &l, 50, true, &pick));
    assert_int_equal(pick.seq, 1);
    window_skip(&w, &pick, 40);
    assert_int_equal(send(50, 10), 40);
}

static void everything_is_sent_once_under_any_order_of_acks(void **state)
{
    int64_t given = 0;
    int sent[2001] = {0};

    (void)state;
    srand(7);
    w.limit_bytes = 4000;
    window_restart(&w, 0, false);
    while (given < 2000 || next(given) != 0) {
        int64_t seq;

        if (given < 2000)
            given++;
        while ((seq = send(given, 1 + rand() % 200)) != 0)
            sent[seq]++;
        if (rand() % 3 == 0) { /* a cumulative ack of all that is under way */
            int64_t upto = 0;

            for (size_t i = 0; i < w.count; i++)
                upto = w.flights[i].seq > upto ? w.flights[i].seq : upto;
            if (upto > 0 && ledger_next_unheard(&l, 1) <= upto)
                assert_int_not_equal(ack("illkirch", upto, given, 0, NULL), ST_REJECT);
            window_heard(&w, &l);
        }
    }
    for (int i = 1; i <= 2000; i++)
        assert_int_equal(sent[i], 1);
}

static void the_rate_is_held_with_a_burst(void **state)
{
    struct bucket b;
    int n = 0;

    (void)state;
    bucket_init(&b, 50, 100, 1000);
    while (bucket_has(&b, 1000)) {
        bucket_take(&b);
        n++;
    }
    assert_int_equal(n, 100);
    for (int64_t t = 1000; t < 11000; t += 10)
        while (bucket_has(&b, t)) {
            bucket_take(&b);
            n++;
        }
    assert_true(n >= 598 && n <= 601);
    assert_false(bucket_has(&b, 5000)); /* a clock going back gives nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_required_sites_nothing_may_be_forgotten, begin),
        cmocka_unit_test_setup(every_required_site_must_have_it, begin),
        cmocka_unit_test_setup(a_third_site_decides_nothing, begin),
        cmocka_unit_test_setup(gaps_are_not_forgotten, begin),
        cmocka_unit_test_setup(an_ack_beyond_what_was_given_is_refused, begin),
        cmocka_unit_test_setup(a_site_that_knows_less_than_before_is_believed, begin),
        cmocka_unit_test_setup(a_ninth_site_is_ignored, begin),
        cmocka_unit_test_setup(the_newest_goes_first_and_then_the_oldest, begin),
        cmocka_unit_test_setup(the_backlog_may_be_held_back, begin),
        cmocka_unit_test_setup(a_full_window_stops_the_backlog_before_the_newest, begin),
        cmocka_unit_test_setup(one_record_larger_than_the_window_still_goes, begin),
        cmocka_unit_test_setup(only_an_ack_frees_the_window, begin),
        cmocka_unit_test_setup(a_record_passed_over_goes_again_at_once, begin),
        cmocka_unit_test_setup(a_backlog_not_yet_sent_is_not_lost, begin),
        cmocka_unit_test_setup(a_new_connection_begins_at_the_last_ack, begin),
        cmocka_unit_test_setup(what_one_site_has_is_sent_again_only_when_insisting, begin),
        cmocka_unit_test_setup(a_missing_record_is_skipped, begin),
        cmocka_unit_test_setup(everything_is_sent_once_under_any_order_of_acks, begin),
        cmocka_unit_test_setup(the_rate_is_held_with_a_burst, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
