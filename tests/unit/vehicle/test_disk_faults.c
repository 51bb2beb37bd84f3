/* A disk that fails at the n-th write, sync or truncate, for every n; and one that is full: nothing
 * committed is lost, what cannot be written waits, what has to go is told. */
#include "tests/unit/vehicle/outbox_bench.h"

#include "tests/unit/vehicle/disk_shim.h"
#include "vehicle/journal.h"

#define RECORDS 24

static struct sampler sampler;
static struct ledger ledgers[STREAMS];
static struct journal *journal;

static int begin(void **state)
{
    (void)state;
    if (disk.real == NULL)
        disk_shim_use();
    disk_shim_clear();
    return bench_begin();
}

static int end(void **state)
{
    (void)state;
    disk_shim_clear();
    journal_close(journal);
    journal = NULL;
    return bench_end();
}

/* ---- the n-th of each */

static size_t payload_of(char *out, int64_t seq)
{
    return (size_t)snprintf(out, 1200, "%0*lld", (int)(100 + seq * 97 % 900), (long long)seq);
}

static enum status put_one(void)
{
    char payload[1200];
    int64_t seq = outbox_given(box, STREAM_BULK) + 1, n, last;
    enum status st = outbox_begin(box, &fault);

    if (st == ST_OK)
        st =
            outbox_put(box, STREAM_BULK, LEAF_EVENT, T0, payload, payload_of(payload, seq), &fault);
    if (st == ST_OK && seq % 8 == 0) /* the first half goes */
        st = outbox_delete(box, STREAM_BULK, 1, seq / 2, INT64_MAX, 100, &n, &last, &fault);
    if (st == ST_OK)
        st = outbox_end(box, &fault);
    if (st != ST_OK)
        outbox_undo(box);
    if (st == ST_OK && seq % 10 == 0)
        outbox_relieve(box, false);
    return st;
}

/* Until all is in, however often the disk refuses. */
static int insist_on_all(void)
{
    int refused = 0;
    enum status st;

    while ((st = outbox_open(&box, folder, &found, &fault)) == ST_RETRY)
        assert_true(++refused < 50);
    if (st != ST_OK)
        fail_msg("%s", fault.text);
    while (outbox_given(box, STREAM_BULK) < RECORDS)
        if ((st = put_one()) != ST_OK) {
            if (st != ST_RETRY)
                fail_msg("%s", fault.text);
            assert_true(++refused < 50);
        }
    outbox_close(box);
    box = NULL;
    return refused;
}

static void assert_all_there(void)
{
    char payload[1200];

    open_box();
    assert_false(found.created);
    assert_int_equal(outbox_given(box, STREAM_BULK), RECORDS);
    assert_int_equal(outbox_count(box, STREAM_BULK), RECORDS / 2);
    for (int64_t seq = RECORDS / 2 + 1; seq <= RECORDS; seq++) {
        assert_int_equal(outbox_read(box, STREAM_BULK, seq, &record, &fault), ST_OK);
        assert_int_equal(record.seq, seq);
        assert_int_equal(record.len, payload_of(payload, seq));
        assert_memory_equal(record.payload, payload, record.len);
    }
    outbox_close(box);
    box = NULL;
}

/* Fails from the n-th on, `times` times, for every n until the whole work is done without. */
static void every_failure(enum disk_op op, int code, int64_t times)
{
    int64_t n, most = 400;
    int refused_in_all = 0;

    for (n = 1; n < most; n++) {
        assert_int_equal(bench_end(), 0);
        assert_int_equal(bench_begin(), 0);
        disk_shim_clear();
        disk.fail_op = op;
        disk.fail_code = code;
        disk.fail_at = n;
        disk.fail_until = n + times - 1;
        refused_in_all += insist_on_all();
        if (disk.count[op] < n)
            break; /* there is no n-th */
        disk_shim_clear();
        assert_all_there();
    }
    assert_true(n > 1 && n < most);
    if (op != DISK_TRUNCATE)
        assert_true(refused_in_all > 0);
}

static void a_write_that_fails_loses_nothing_whichever_it_is(void **state)
{
    (void)state;
    every_failure(DISK_WRITE, SQLITE_IOERR_WRITE, 1);
    every_failure(DISK_WRITE, SQLITE_IOERR_WRITE, 7);
}

static void a_write_without_room_loses_nothing_whichever_it_is(void **state)
{
    (void)state;
    every_failure(DISK_WRITE, SQLITE_FULL, 1);
    every_failure(DISK_WRITE, SQLITE_FULL, 5);
}

static void a_sync_that_fails_loses_nothing_whichever_it_is(void **state)
{
    (void)state;
    every_failure(DISK_SYNC, SQLITE_IOERR_FSYNC, 1);
    every_failure(DISK_SYNC, SQLITE_IOERR_FSYNC, 4);
}

static void a_truncate_that_fails_loses_nothing_whichever_it_is(void **state)
{
    (void)state;
    every_failure(DISK_TRUNCATE, SQLITE_IOERR_TRUNCATE, 1);
}

/* ---- no room, for long */

static void open_journal(void)
{
    struct journal_options options = {1 << 30, 86400000, false};
    char sites[1][LEDGER_SITE_TEXT] = {"illkirch"};

    open_box();
    for (int i = 0; i < STREAMS; i++) {
        ledger_init(&ledgers[i]);
        ledger_require(&ledgers[i], sites, 1);
    }
    assert_int_equal(journal_open(&journal, &options, box, &sampler, ledgers, &fault), ST_OK);
}

static void add_round(int64_t t_ms)
{
    struct round round = {.t_ms = t_ms, .answering = true, .count = 20};

    for (uint16_t k = 0; k < round.count; k++)
        round.readings[k] = (struct reading){(uint16_t)(20 + k), (double)(t_ms % 977) + k * 0.1};
    sampler_round(&sampler, &round);
}

static enum status commit(int64_t now_ms)
{
    return journal_commit(journal, now_ms, CLOCK_NTP, true, &fault);
}

static void acknowledge(int64_t upto)
{
    struct ack ack;

    memset(&ack, 0, sizeof ack);
    strcpy(ack.site, "illkirch");
    strcpy(ack.stream, outbox_stream_id(box, STREAM_BULK));
    ack.mark.upto = upto;
    assert_int_equal(ledger_take(&ledgers[STREAM_BULK], &ack, outbox_given(box, STREAM_BULK)),
                     ST_OK);
}

/* The highest number any outbox_lost event of bulk names; each must begin where nothing was
 * acknowledged. */
static int64_t told_lost_upto(int64_t first_expected)
{
    int64_t upto = 0;

    for (int64_t seq = 1; outbox_read(box, STREAM_BULK, seq, &record, &fault) == ST_OK;
         seq = record.seq + 1) {
        long long first, last;
        char *data;

        record.payload[record.len] = '\0';
        if (record.leaf != LEAF_EVENT || strstr(record.payload, "outbox_lost") == NULL)
            continue;
        data = strstr(record.payload, "\"first\":");
        assert_non_null(data);
        assert_int_equal(sscanf(data, "\"first\":%lld,\"last\":%lld", &first, &last), 2);
        assert_int_equal(first, first_expected);
        assert_true(last > upto);
        upto = last;
    }
    return upto;
}

static int64_t lowest_kept(void)
{
    assert_int_equal(outbox_read(box, STREAM_BULK, 1, &record, &fault), ST_OK);
    return record.seq;
}

/* A disk of this size, for the files and the reserve. */
#define DISK_BYTES (12 * 1024 * 1024)

static void fill_up(void)
{
    static char reserve[200];

    path_of(reserve, "outbox.db.reserve");
    disk.reserve = reserve;
    assert_true(disk_reserve_bytes() > 0);
    disk.capacity = DISK_BYTES;
}

static void a_full_disk_makes_room_by_losing_the_oldest_and_says_which(void **state)
{
    int refused = 0;

    (void)state;
    open_journal();
    journal_alert(journal, "crash", "critical", T0, "{}");
    fill_up();
    for (int i = 0; i < 9000; i++) {
        add_round(T0 + i * 1000);
        if (commit(T0 + i * 1000) != ST_OK)
            refused++;
    }
    assert_int_equal(refused, 0);
    assert_int_equal(sampler.dropped, 0);
    assert_true(disk.size[DISK_DB] + disk.size[DISK_WAL] <= DISK_BYTES);
    assert_true(lowest_kept() > 500);
    assert_int_equal(told_lost_upto(1), lowest_kept() - 1); /* exactly what is missing */
    assert_true(outbox_count(box, STREAM_BULK) > 2500);     /* and no more than had to */
    assert_int_equal(outbox_count(box, STREAM_URGENT), 1);  /* never an alert */
}

static void a_full_disk_gives_up_what_every_site_has_and_loses_nothing(void **state)
{
    (void)state;
    open_journal();
    fill_up();
    for (int i = 0; i < 9000; i++) {
        add_round(T0 + i * 1000);
        assert_int_equal(commit(T0 + i * 1000), ST_OK);
        if (i % 20 == 19)
            acknowledge(outbox_given(box, STREAM_BULK));
    }
    assert_true(lowest_kept() > 500);
    assert_int_equal(told_lost_upto(0), 0);
}

/* Not even freeing works: the log cannot grow and the file cannot either.  What is measured waits
 * in memory, and only telemetry ever leaves it. */
static void a_disk_without_a_byte_left_costs_only_the_oldest_samples_and_says_so(void **state)
{
    (void)state;
    open_journal();
    for (int i = 0; i < 10; i++) {
        add_round(T0 + i * 1000);
        assert_int_equal(commit(T0 + i * 1000), ST_OK);
    }
    disk.fail_op = DISK_WRITE;
    disk.fail_code = SQLITE_FULL;
    disk.fail_at = 1;
    disk.fail_until = INT64_MAX;
    journal_alert(journal, "crash", "critical", T0 + 20000, "{}");
    for (int i = 0; i < SAMPLER_PENDING_MAX + 50; i++) {
        add_round(T0 + 20000 + i * 1000);
        assert_int_equal(commit(T0 + 20000 + i * 1000), ST_RETRY);
    }
    assert_int_equal(outbox_trouble(box), OUTBOX_FULL);
    assert_int_equal(outbox_given(box, STREAM_BULK), 10);
    assert_int_equal(sampler.dropped, 50);
    disk.fail_at = 0;
    assert_int_equal(commit(T0 + 1000000), ST_OK); /* by itself */
    assert_int_equal(outbox_trouble(box), OUTBOX_WELL);
    assert_int_equal(outbox_given(box, STREAM_URGENT), 1);
    assert_int_equal(outbox_read(box, STREAM_BULK, 11, &record, &fault), ST_OK);
    record.payload[record.len] = '\0';
    assert_non_null(strstr(record.payload, "\"type\":\"samples_dropped\""));
    assert_non_null(strstr(record.payload, "\"samples\":50"));
    assert_int_equal(commit(T0 + 1001000), ST_OK); /* told once */
    assert_int_equal(told_lost_upto(0), 0);        /* none of them had a number */
}

/* Ten minutes of samples are about a megabyte: more than is there now. */
static void a_disk_that_has_a_little_room_again_takes_what_there_is_room_for(void **state)
{
    (void)state;
    open_journal();
    add_round(T0);
    assert_int_equal(commit(T0), ST_OK);
    disk.fail_op = DISK_WRITE;
    disk.fail_code = SQLITE_FULL;
    disk.fail_at = 1;
    disk.fail_until = INT64_MAX;
    for (int i = 1; i <= SAMPLER_PENDING_MAX; i++)
        add_round(T0 + i * 1000);
    assert_int_equal(commit(T0 + 2000000), ST_RETRY);
    assert_int_equal(outbox_given(box, STREAM_BULK), 1);
    disk.fail_at = 0;
    disk.capacity = disk.size[DISK_DB] + disk.size[DISK_WAL] + 256 * 1024;
    assert_int_equal(commit(T0 + 2001000), ST_RETRY); /* not all of it */
    assert_true(outbox_given(box, STREAM_BULK) > 1);
    assert_true(sampler.count < SAMPLER_PENDING_MAX);
    assert_int_equal(sampler.dropped, 0);
    disk.capacity = 0;
    assert_int_equal(commit(T0 + 2002000), ST_OK);
    assert_int_equal(sampler.count, 0);
}

static void a_failing_disk_is_not_made_room_on(void **state)
{
    (void)state;
    open_journal();
    for (int i = 0; i < 50; i++) {
        add_round(T0 + i * 1000);
        assert_int_equal(commit(T0 + i * 1000), ST_OK);
    }
    disk.fail_op = DISK_WRITE;
    disk.fail_code = SQLITE_IOERR_WRITE;
    disk.fail_at = 1;
    disk.fail_until = INT64_MAX;
    add_round(T0 + 60000);
    assert_int_equal(commit(T0 + 60000), ST_RETRY);
    assert_int_equal(outbox_trouble(box), OUTBOX_FAILING);
    disk.fail_at = 0;
    assert_int_equal(commit(T0 + 61000), ST_OK);
    assert_int_equal(outbox_count(box, STREAM_BULK), 51);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_write_that_fails_loses_nothing_whichever_it_is, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_write_without_room_loses_nothing_whichever_it_is, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_sync_that_fails_loses_nothing_whichever_it_is, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_truncate_that_fails_loses_nothing_whichever_it_is, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_full_disk_makes_room_by_losing_the_oldest_and_says_which,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_full_disk_gives_up_what_every_site_has_and_loses_nothing,
                                        begin, end),
        cmocka_unit_test_setup_teardown(
            a_disk_without_a_byte_left_costs_only_the_oldest_samples_and_says_so, begin, end),
        cmocka_unit_test_setup_teardown(
            a_disk_that_has_a_little_room_again_takes_what_there_is_room_for, begin, end),
        cmocka_unit_test_setup_teardown(a_failing_disk_is_not_made_room_on, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
