/* What is written into the outbox: records, events, acks; what is forgotten and what is lost. */
#include "tests/unit/vehicle/outbox_bench.h"

#include <sqlite3.h>

#include "proto/columnar.h"
#include "proto/fact.h"
#include "vehicle/journal.h"

static struct sampler sampler;
static struct ledger ledgers[STREAMS];
static struct journal *journal;

static int begin(void **state)
{
    (void)state;
    return bench_begin();
}

static int end(void **state)
{
    (void)state;
    journal_close(journal);
    journal = NULL;
    return bench_end();
}

static void open_journal(int64_t limit_bytes, int64_t keep_ms)
{
    struct journal_options options = {limit_bytes, keep_ms, false};

    open_box();
    for (int i = 0; i < STREAMS; i++)
        ledger_init(&ledgers[i]);
    assert_int_equal(journal_open(&journal, &options, box, &sampler, ledgers, &fault), ST_OK);
}

static void add_rounds(int64_t from_ms, int n)
{
    struct round round = {.answering = true, .count = 20};

    for (int i = 0; i < n; i++) {
        round.t_ms = from_ms + i * 1000;
        for (uint16_t k = 0; k < round.count; k++)
            round.readings[k] = (struct reading){
                (uint16_t)(20 + k), (double)(round.t_ms / 1000 % 50) * 2 + k * 0.1}; /* news */
        sampler_round(&sampler, &round);
    }
}

static enum status commit(int64_t now_ms)
{
    return journal_commit(journal, now_ms, CLOCK_NTP, true, &fault);
}

static void require_illkirch(void)
{
    char sites[1][LEDGER_SITE_TEXT] = {"illkirch"};

    ledger_require(&ledgers[STREAM_BULK], sites, 1);
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

static void a_commit_is_one_record_of_its_samples(void **state)
{
    struct telemetry t;

    (void)state;
    telemetry_init(&t);
    open_journal(1 << 30, 86400000);
    add_rounds(T0, 3);
    assert_int_equal(commit(T0 + 5000), ST_OK);
    assert_int_equal(outbox_given(box, STREAM_BULK), 1);
    assert_int_equal(outbox_read(box, STREAM_BULK, 1, &record, &fault), ST_OK);
    assert_int_equal(telemetry_read(&t, record.payload, record.len, &fault), ST_OK);
    assert_int_equal(t.sample_count, 3);
    assert_int_equal(t.head.seq, 1);
    assert_int_equal(t.head.clock, CLOCK_NTP);
    assert_string_equal(t.head.stream, outbox_stream_id(box, STREAM_BULK));
    assert_int_equal(commit(T0 + 6000), ST_OK); /* nothing waits: no record */
    assert_int_equal(outbox_given(box, STREAM_BULK), 1);
    telemetry_done(&t);
}

static void a_long_silence_of_the_disk_is_split_into_records_that_fit(void **state)
{
    struct telemetry t;
    size_t samples = 0;

    (void)state;
    telemetry_init(&t);
    open_journal(1 << 30, 86400000);
    add_rounds(T0, 500);
    assert_int_equal(commit(T0 + 600000), ST_OK);
    assert_true(outbox_given(box, STREAM_BULK) > 3);
    for (int64_t seq = 1; seq <= outbox_given(box, STREAM_BULK); seq++) {
        assert_int_equal(outbox_read(box, STREAM_BULK, seq, &record, &fault), ST_OK);
        assert_true(record.len <= 32768);
        assert_int_equal(telemetry_read(&t, record.payload, record.len, &fault), ST_OK);
        samples += t.sample_count;
    }
    assert_int_equal(samples, 500);
    telemetry_done(&t);
}

static void a_columnar_record_holds_the_doubles_a_json_one_would(void **state)
{
    struct journal_options options = {1 << 30, 86400000, true};
    struct telemetry json, columns;
    size_t json_len;

    (void)state;
    telemetry_init(&json);
    telemetry_init(&columns);
    open_journal(1 << 30, 86400000);
    add_rounds(T0, 30);
    assert_int_equal(commit(T0 + 40000), ST_OK);
    assert_int_equal(outbox_read(box, STREAM_BULK, 1, &record, &fault), ST_OK);
    assert_false(columnar_is(record.payload, record.len));
    assert_int_equal(telemetry_read(&json, record.payload, record.len, &fault), ST_OK);
    json_len = record.len;
    journal_close(journal);
    assert_int_equal(journal_open(&journal, &options, box, &sampler, ledgers, &fault), ST_OK);
    add_rounds(T0 + 100000, 30);
    assert_int_equal(commit(T0 + 140000), ST_OK);
    assert_int_equal(outbox_given(box, STREAM_BULK), 2);
    assert_int_equal(outbox_read(box, STREAM_BULK, 2, &record, &fault), ST_OK);
    assert_true(columnar_is(record.payload, record.len));
    assert_true(record.len * 10 < json_len);
    assert_int_equal(columnar_read(&columns, record.payload, record.len, &fault), ST_OK);
    assert_int_equal(columns.head.seq, 2);
    assert_string_equal(columns.head.stream, outbox_stream_id(box, STREAM_BULK));
    assert_int_equal(columns.sample_count, json.sample_count);
    assert_int_equal(columns.reading_count, json.reading_count);
    for (size_t i = 0; i < json.sample_count; i++)
        assert_int_equal(columns.samples[i].t_ms, json.samples[i].t_ms + 100000);
    for (size_t i = 0; i < json.sample_count; i++) /* whatever their order in a sample */
        for (size_t k = 0; k < json.samples[i].count; k++) {
            const struct reading *one = &json.readings[json.samples[i].first + k];
            size_t same = 0;

            for (size_t m = 0; m < columns.samples[i].count; m++) {
                const struct reading *other = &columns.readings[columns.samples[i].first + m];

                same += one->signal == other->signal &&
                        memcmp(&one->value, &other->value, sizeof one->value) == 0;
            }
            assert_int_equal(same, 1);
        }
    telemetry_done(&json);
    telemetry_done(&columns);
}

static void events_carry_their_head_and_data(void **state)
{
    struct fact fact;

    (void)state;
    open_journal(1 << 30, 86400000);
    journal_event(journal, "adapter_unplugged", T0, "{}");
    assert_int_equal(commit(T0), ST_OK);
    assert_int_equal(outbox_read(box, STREAM_BULK, 1, &record, &fault), ST_OK);
    assert_int_equal(
        fact_read(&fact, "WVWZZZ1KZAW000001", LEAF_EVENT, record.payload, record.len, &fault),
        ST_OK);
    assert_string_equal(fact.type, "adapter_unplugged");
    assert_int_equal(fact.head.seq, 1);
}

static void an_alert_goes_to_the_urgent_stream_and_its_number_is_the_first_there(void **state)
{
    struct fact fact;

    (void)state;
    open_journal(1 << 30, 86400000);
    add_rounds(T0, 3);
    journal_alert(journal, "harsh_braking", "major", T0 + 5,
                  "{\"peak_g\":0.52,\"duration_ms\":900,\"speed_before_kmh\":63.0}");
    assert_int_equal(commit(T0), ST_OK);
    assert_int_equal(outbox_given(box, STREAM_URGENT), 1);
    assert_int_equal(outbox_read(box, STREAM_URGENT, 1, &record, &fault), ST_OK);
    assert_int_equal(record.leaf, LEAF_ALERT);
    assert_int_equal(
        fact_read(&fact, "WVWZZZ1KZAW000001", LEAF_ALERT, record.payload, record.len, &fault),
        ST_OK);
    assert_string_equal(fact.type, "harsh_braking");
    assert_string_equal(fact.head.stream, outbox_stream_id(box, STREAM_URGENT));
    assert_int_equal(fact.t_ms, T0 + 5);
    assert_int_equal(fact.id[14], '7');
}

static void an_event_is_dropped_from_memory_before_an_alert(void **state)
{
    (void)state;
    open_journal(1 << 30, 86400000);
    journal_alert(journal, "crash", "critical", T0, "{}");
    for (int i = 0; i < 300; i++)
        journal_event(journal, "idle", T0, "{}");
    assert_int_equal(commit(T0), ST_OK);
    assert_int_equal(outbox_given(box, STREAM_URGENT), 1);
    assert_int_equal(outbox_given(box, STREAM_BULK), 257); /* and one that says so comes first */
    assert_int_equal(outbox_read(box, STREAM_BULK, 1, &record, &fault), ST_OK);
    record.payload[record.len] = '\0';
    assert_non_null(strstr(record.payload, "\"type\":\"samples_dropped\""));
    assert_non_null(strstr(record.payload, "{\"samples\":0,\"events\":44}"));
}

static void a_diagnosis_is_one_the_reader_accepts(void **state)
{
    struct diagnosis d = {.t_ms = T0, .vin = "WVWZZZ1KZAW000001", .protocol = '6'};
    struct fact fact;

    (void)state;
    d.dtcs.count = 2;
    d.dtcs.codes[0] = (struct dtc){"P0301", DTC_STORED, 0x7E8};
    d.dtcs.codes[1] = (struct dtc){"U0100", DTC_PENDING, 0x18DAF110};
    d.dtcs.lists[DTC_STORED] = DTC_LIST_FULL;
    readiness_take(&d.readiness, (const uint8_t[]){0x82, 0x07, 0xE5, 0x21});
    d.supported[0x0C] = true;
    open_journal(1 << 30, 86400000);
    journal_diagnosis(journal, &d);
    assert_int_equal(commit(T0), ST_OK);
    assert_int_equal(outbox_read(box, STREAM_BULK, 1, &record, &fault), ST_OK);
    if (fact_read(&fact, "WVWZZZ1KZAW000001", LEAF_DIAGNOSTICS, record.payload, record.len,
                  &fault) != ST_OK)
        fail_msg("%s", fault.text);
    record.payload[record.len] = '\0';
    assert_non_null(strstr(record.payload, "\"ecu\":\"18DAF110\""));
    assert_non_null(strstr(record.payload, "\"permanent\":\"absent\""));
    assert_non_null(strstr(record.payload, "\"catalyst\":\"incomplete\""));
}

static void the_last_sample_time_survives_a_restart(void **state)
{
    (void)state;
    open_journal(1 << 30, 86400000);
    add_rounds(T0, 3);
    assert_int_equal(commit(T0 + 5000), ST_OK);
    journal_close(journal);
    outbox_close(box);
    open_journal(1 << 30, 86400000);
    assert_int_equal(sampler.last_ms, T0 + 2000);
}

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

static void a_restart_remembers_the_acks(void **state)
{
    char bytes[512];
    struct ack ack;
    size_t len;

    (void)state;
    open_journal(1 << 30, 86400000);
    add_rounds(T0, 1);
    assert_int_equal(commit(T0), ST_OK);
    memset(&ack, 0, sizeof ack);
    strcpy(ack.site, "illkirch");
    strcpy(ack.stream, outbox_stream_id(box, STREAM_BULK));
    ack.mark.upto = 1;
    assert_int_equal(ack_write(&ack, bytes, sizeof bytes, &len, &fault), ST_OK);
    journal_ack(journal, STREAM_BULK, "illkirch", bytes, len);
    assert_int_equal(commit(T0 + 1000), ST_OK);
    journal_close(journal);
    outbox_close(box);
    open_journal(1 << 30, 86400000);
    assert_true(ledger_is_settled(&ledgers[STREAM_BULK], 1));
    assert_int_equal(ledgers[STREAM_URGENT].site_count, 0);
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

static void a_disk_that_takes_nothing_loses_nothing_from_memory(void **state)
{
    sqlite3 *other;
    char path[200];

    (void)state;
    open_journal(1 << 30, 86400000);
    add_rounds(T0, 1);
    assert_int_equal(commit(T0), ST_OK);
    path_of(path, "outbox.db");
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK); /* somebody holds it */
    add_rounds(T0 + 1000, 2);
    journal_event(journal, "adapter_back", T0, "{}");
    assert_int_equal(commit(T0 + 3000), ST_RETRY);
    assert_int_equal(outbox_given(box, STREAM_BULK), 1);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    assert_int_equal(commit(T0 + 4000), ST_OK);
    assert_int_equal(outbox_given(box, STREAM_BULK),
                     3); /* the event, and one record of two samples */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_commit_is_one_record_of_its_samples, begin, end),
        cmocka_unit_test_setup_teardown(a_long_silence_of_the_disk_is_split_into_records_that_fit,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_columnar_record_holds_the_doubles_a_json_one_would, begin,
                                        end),
        cmocka_unit_test_setup_teardown(events_carry_their_head_and_data, begin, end),
        cmocka_unit_test_setup_teardown(
            an_alert_goes_to_the_urgent_stream_and_its_number_is_the_first_there, begin, end),
        cmocka_unit_test_setup_teardown(an_event_is_dropped_from_memory_before_an_alert, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_diagnosis_is_one_the_reader_accepts, begin, end),
        cmocka_unit_test_setup_teardown(the_last_sample_time_survives_a_restart, begin, end),
        cmocka_unit_test_setup_teardown(nothing_is_forgotten_without_an_ack_of_every_required_site,
                                        begin, end),
        cmocka_unit_test_setup_teardown(acknowledged_records_are_kept_a_while, begin, end),
        cmocka_unit_test_setup_teardown(a_restart_remembers_the_acks, begin, end),
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
        cmocka_unit_test_setup_teardown(a_disk_that_takes_nothing_loses_nothing_from_memory, begin,
                                        end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
