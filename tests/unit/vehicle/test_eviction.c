/* What leaves the outbox: what every site has, and, announced, what there is no room for. */
#include "tests/unit/vehicle/journal_bench.h"

#include <sqlite3.h>

static void nothing_is_forgotten_without_an_ack_of_every_required_site(void **state)
{
    (void)state;
    open_journal(1 << 30, 0); /* kept for no time at all */
    for (int i = 0; i < 10; i++) {
        add_rounds(T0 + i * 1000, 1);
        assert_int_equal(commit(T0 + i * 1000), ST_OK);
    }
    acknowledge(8);
    add_rounds(T0 + 20000, 1);
    assert_int_equal(commit(T0 + 20000), ST_OK);
    assert_int_equal(outbox_count(box, STREAM_BULK),
                     11); /* no site is required yet: forget nothing */
    require_illkirch();
    add_rounds(T0 + 21000, 1);
    assert_int_equal(commit(T0 + 21000), ST_OK);
    assert_int_equal(outbox_count(box, STREAM_BULK), 4); /* 9 .. 12 */
    assert_int_equal(outbox_read(box, STREAM_BULK, 1, &record, &fault), ST_OK);
    assert_int_equal(record.seq, 9);
}

static void acknowledged_records_are_kept_a_while(void **state)
{
    (void)state;
    open_journal(1 << 30, 86400000);
    require_illkirch();
    add_rounds(T0, 1);
    assert_int_equal(commit(T0), ST_OK);
    acknowledge(1);
    add_rounds(T0 + 86400000, 1);
    assert_int_equal(commit(T0 + 86400000), ST_OK);
    assert_int_equal(outbox_count(box, STREAM_BULK), 2);
    add_rounds(T0 + 86402000, 1);
    assert_int_equal(commit(T0 + 86402000), ST_OK);
    assert_int_equal(outbox_count(box, STREAM_BULK), 2);
}

/* All outbox_lost events there are: fills ranges, returns how many. */
static size_t lost_ranges(struct seq_range *ranges, size_t room)
{
    size_t n = 0;

    for (int64_t seq = 1; outbox_read(box, STREAM_BULK, seq, &record, &fault) == ST_OK;
         seq = record.seq + 1) {
        char *data;
        long long first, last;

        record.payload[record.len] = '\0';
        if (record.leaf != LEAF_EVENT || strstr(record.payload, "outbox_lost") == NULL)
            continue;
        data = strstr(record.payload, "\"first\":");
        assert_non_null(data);
        assert_int_equal(sscanf(data, "\"first\":%lld,\"last\":%lld", &first, &last), 2);
        assert_true(n < room);
        ranges[n++] = (struct seq_range){first, last};
    }
    return n;
}

static void a_full_outbox_loses_the_oldest_and_says_which(void **state)
{
    static struct seq_range ranges[4000];
    const int64_t limit = 1 << 20;
    int64_t highest = 0;
    size_t n;

    (void)state;
    open_journal(limit, 86400000);
    require_illkirch();
    for (int i = 0; i < 3000; i++) {
        add_rounds(T0 + i * 1000, 1);
        assert_int_equal(commit(T0 + i * 1000), ST_OK);
        assert_true(outbox_used_bytes(box) <= limit + 65536);
    }
    n = lost_ranges(ranges, 4000);
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(ranges[i].first,
                         1); /* nothing was ever acknowledged: all before is lost too */
        assert_true(ranges[i].last > highest);
        highest = ranges[i].last;
    }
    assert_int_equal(outbox_read(box, STREAM_BULK, 1, &record, &fault), ST_OK);
    assert_int_equal(record.seq, highest + 1); /* exactly what is missing was announced */
}

static void a_full_outbox_gives_up_acknowledged_records_first(void **state)
{
    static struct seq_range ranges[4000];

    (void)state;
    open_journal(1 << 20, 86400000);
    require_illkirch();
    for (int i = 0; i < 2000; i++) {
        add_rounds(T0 + i * 1000, 1);
        assert_int_equal(commit(T0 + i * 1000), ST_OK);
        if (i % 10 == 9)
            acknowledge(outbox_given(box, STREAM_BULK));
    }
    assert_int_equal(lost_ranges(ranges, 4000), 0);
    assert_true(outbox_used_bytes(box) <= (1 << 20) + 65536);
}

/* Switched off, and on again with a clock that is an hour behind (no battery, no network). */
static void a_clock_behind_over_a_boot_costs_no_number_and_deletes_nothing_early(void **state)
{
    (void)state;
    open_journal(1 << 30, 60000);
    require_illkirch();
    for (int i = 0; i < 3; i++) {
        add_rounds(T0 + i * 1000, 1);
        assert_int_equal(commit(T0 + i * 1000), ST_OK);
    }
    journal_close(journal);
    outbox_close(box);
    open_journal(1 << 30, 60000);
    require_illkirch();
    acknowledge(3);
    for (int i = 0; i < 3; i++) {
        add_rounds(T0 - 3600000 + i * 1000, 1);
        assert_int_equal(commit(T0 - 3600000 + i * 1000), ST_OK);
    }
    assert_int_equal(outbox_given(box, STREAM_BULK), 6);
    for (int64_t seq = 1; seq <= 6; seq++) { /* in the order in which they were made */
        assert_int_equal(outbox_read(box, STREAM_BULK, seq, &record, &fault), ST_OK);
        assert_int_equal(record.seq, seq);
    }
    add_rounds(T0 + 61000, 1); /* the clock is right again: what was kept a minute may go */
    assert_int_equal(commit(T0 + 63000), ST_OK);
    assert_int_equal(outbox_read(box, STREAM_BULK, 1, &record, &fault), ST_OK);
    assert_int_equal(record.seq, 4);
}

/* What one site has and the other lacks stays, whichever is behind. */
static void two_sites_with_different_acks_forget_what_both_have(void **state)
{
    static const struct {
        int64_t illkirch, esplanade, first_kept;
    } cases[] = {{6, 2, 3}, {6, 4, 5}, {8, 4, 5}, {8, 9, 9}};
    char sites[2][LEDGER_SITE_TEXT] = {"illkirch", "esplanade"};
    struct ack ack;

    (void)state;
    open_journal(1 << 30, 0);
    ledger_require(&ledgers[STREAM_BULK], sites, 2);
    for (int i = 0; i < 10; i++) {
        add_rounds(T0 + i * 1000, 1);
        assert_int_equal(commit(T0 + i * 1000), ST_OK);
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const int64_t upto[2] = {cases[i].illkirch, cases[i].esplanade};

        for (int k = 0; k < 2; k++) {
            memset(&ack, 0, sizeof ack);
            strcpy(ack.site, sites[k]);
            strcpy(ack.stream, outbox_stream_id(box, STREAM_BULK));
            ack.mark.upto = upto[k];
            (void)!ledger_take(&ledgers[STREAM_BULK], &ack, outbox_given(box, STREAM_BULK));
        }
        add_rounds(T0 + 100000 + (int64_t)i * 1000, 1);
        assert_int_equal(commit(T0 + 200000 + (int64_t)i * 1000), ST_OK);
        assert_int_equal(outbox_read(box, STREAM_BULK, 1, &record, &fault), ST_OK);
        assert_int_equal(record.seq, cases[i].first_kept);
    }
}

static void change_record(int64_t seq)
{
    sqlite3 *db;
    char path[200], sql[120];

    path_of(path, "outbox.db");
    snprintf(sql, sizeof sql, "UPDATE record SET made_ms = made_ms + 1 WHERE seq = %lld",
             (long long)seq);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void a_record_that_is_not_what_was_written_is_told_lost_and_nothing_else(void **state)
{
    static struct seq_range ranges[100];

    (void)state;
    open_journal(1 << 30, 86400000);
    require_illkirch();
    for (int i = 0; i < 6; i++) {
        add_rounds(T0 + i * 1000, 1);
        assert_int_equal(commit(T0 + i * 1000), ST_OK);
    }
    acknowledge(2);
    change_record(1); /* the site has it: nothing is lost */
    change_record(4);
    assert_int_equal(outbox_read(box, STREAM_BULK, 1, &record, &fault), ST_OK);
    assert_int_equal(outbox_read(box, STREAM_BULK, 4, &record, &fault), ST_OK);
    assert_int_equal(record.seq, 5);
    assert_int_equal(commit(T0 + 10000), ST_OK); /* nothing else waits */
    assert_int_equal(lost_ranges(ranges, 100), 1);
    assert_int_equal(ranges[0].first, 4);
    assert_int_equal(ranges[0].last, 4);
    assert_int_equal(outbox_spoiled(box, STREAM_BULK, 0), 0);
}

static void numbers_passed_over_at_the_start_are_told_once(void **state)
{
    static struct seq_range ranges[100];

    (void)state;
    open_box();
    assert_int_equal(outbox_begin(box, &fault), ST_OK);
    assert_int_equal(outbox_set(box, "lost/bulk/3", "9", 1, &fault), ST_OK);
    assert_int_equal(outbox_set(box, "lost/urgent/1", "2", 1, &fault), ST_OK);
    assert_int_equal(outbox_end(box, &fault), ST_OK);
    outbox_close(box);
    open_journal(1 << 30, 86400000);
    assert_int_equal(commit(T0), ST_OK);
    assert_int_equal(commit(T0 + 1000), ST_OK);
    assert_int_equal(lost_ranges(ranges, 100), 2);
    assert_int_equal(ranges[0].first, 3);
    assert_int_equal(ranges[0].last, 9);
    assert_int_equal(ranges[1].first, 1);
    assert_int_equal(ranges[1].last, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_forgotten_without_an_ack_of_every_required_site,
                                        begin, end),
        cmocka_unit_test_setup_teardown(acknowledged_records_are_kept_a_while, begin, end),
        cmocka_unit_test_setup_teardown(a_full_outbox_loses_the_oldest_and_says_which, begin, end),
        cmocka_unit_test_setup_teardown(a_full_outbox_gives_up_acknowledged_records_first, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            a_clock_behind_over_a_boot_costs_no_number_and_deletes_nothing_early, begin, end),
        cmocka_unit_test_setup_teardown(two_sites_with_different_acks_forget_what_both_have, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            a_record_that_is_not_what_was_written_is_told_lost_and_nothing_else, begin, end),
        cmocka_unit_test_setup_teardown(numbers_passed_over_at_the_start_are_told_once, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
