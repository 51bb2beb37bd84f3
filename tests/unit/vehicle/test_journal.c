/* What is written into the outbox: records, events, acks; what is forgotten and what is lost. */
#include "tests/unit/vehicle/journal_bench.h"

#include <sqlite3.h>

#include "proto/columnar.h"
#include "proto/fact.h"

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
        cmocka_unit_test_setup_teardown(a_restart_remembers_the_acks, begin, end),
        cmocka_unit_test_setup_teardown(a_disk_that_takes_nothing_loses_nothing_from_memory, begin,
                                        end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
