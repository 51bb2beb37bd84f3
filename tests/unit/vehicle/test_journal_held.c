/* What is measured before the time is known waits, in memory, for its time. */
#include "tests/unit/vehicle/outbox_bench.h"

#include "proto/telemetry.h"
#include "vehicle/journal.h"

static struct sampler sampler;
static struct ledger ledgers[STREAMS];
static struct journal *journal;

static int begin(void **state)
{
    struct journal_options options = {1 << 30, 86400000, false};

    (void)state;
    if (bench_begin() != 0)
        return -1;
    open_box();
    for (int i = 0; i < STREAMS; i++)
        ledger_init(&ledgers[i]);
    return journal_open(&journal, &options, box, &sampler, ledgers, &fault) != ST_OK;
}

static int end(void **state)
{
    (void)state;
    journal_close(journal);
    return bench_end();
}

/* Five rounds, an event and an alert, as a clock that is an hour behind has them. */
static void measure(void)
{
    struct round round = {.answering = true, .count = 1};

    for (int i = 0; i < 5; i++) {
        round.t_ms = T0 - 3600000 + i * 1000;
        round.readings[0] = (struct reading){SIGNAL_SPEED, i};
        sampler_round(&sampler, &round);
    }
    journal_event(journal, "idle", T0 - 3600000, "{}");
    journal_alert(journal, "tow", "major", T0 - 3599000, "{}");
}

static void what_is_held_is_stored_when_its_time_is_known(void **state)
{
    struct telemetry t;

    (void)state;
    telemetry_init(&t);
    journal_hold(journal, true);
    measure();
    journal_note(journal, "brokers", "mqtts://a:1", 11);
    assert_int_equal(journal_commit(journal, T0 - 3590000, CLOCK_NONE, true, &fault), ST_OK);
    assert_int_equal(outbox_given(box, STREAM_BULK), 0);
    assert_int_equal(outbox_given(box, STREAM_URGENT), 0);
    sampler_shift(&sampler, 3600000);
    journal_shift(journal, 3600000);
    journal_hold(journal, false);
    assert_int_equal(journal_commit(journal, T0 + 10000, CLOCK_NTP, true, &fault), ST_OK);
    assert_int_equal(outbox_given(box, STREAM_BULK), 2);
    assert_int_equal(outbox_read(box, STREAM_URGENT, 1, &record, &fault), ST_OK);
    record.payload[record.len] = '\0';
    assert_non_null(strstr(record.payload, "\"t\":1795248001000"));
    assert_non_null(strstr(record.payload, "\"clock\":\"ntp\""));
    assert_int_equal(outbox_read(box, STREAM_BULK, 2, &record, &fault), ST_OK);
    assert_int_equal(telemetry_read(&t, record.payload, record.len, &fault), ST_OK);
    assert_int_equal(t.sample_count, 5);
    assert_int_equal(t.samples[0].t_ms, T0);
    telemetry_done(&t);
}

static void what_the_server_says_is_kept_meanwhile(void **state)
{
    struct text text;

    (void)state;
    journal_hold(journal, true);
    measure();
    journal_note(journal, "brokers", "mqtts://a:1", 11);
    assert_int_equal(journal_commit(journal, T0, CLOCK_NONE, false, &fault), ST_OK);
    text_init(&text);
    assert_int_equal(outbox_get(box, "brokers", &text, &fault), ST_OK);
    assert_string_equal(text.bytes, "mqtts://a:1");
    text_done(&text);
}

static void what_happened_before_our_start_keeps_its_time(void **state)
{
    (void)state;
    journal_hold(journal, true);
    journal_alert_dated(journal, "power_cut", "major", T0 - 7200000, "{}");
    journal_shift(journal, 3600000);
    journal_hold(journal, false);
    assert_int_equal(journal_commit(journal, T0, CLOCK_NTP, true, &fault), ST_OK);
    assert_int_equal(outbox_read(box, STREAM_URGENT, 1, &record, &fault), ST_OK);
    record.payload[record.len] = '\0';
    assert_non_null(strstr(record.payload, "\"t\":1795240800000"));
}

static void what_nobody_dates_goes_out_undated(void **state)
{
    (void)state;
    journal_hold(journal, true);
    measure();
    assert_int_equal(journal_commit(journal, T0, CLOCK_NONE, true, &fault), ST_OK);
    journal_hold(journal, false); /* ten minutes are over, or we are asked to stop */
    assert_int_equal(journal_commit(journal, T0, CLOCK_NONE, true, &fault), ST_OK);
    assert_int_equal(outbox_given(box, STREAM_BULK), 2);
    assert_int_equal(outbox_read(box, STREAM_BULK, 2, &record, &fault), ST_OK);
    record.payload[record.len] = '\0';
    assert_non_null(strstr(record.payload, "\"clock\":\"none\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_held_is_stored_when_its_time_is_known, begin, end),
        cmocka_unit_test_setup_teardown(what_the_server_says_is_kept_meanwhile, begin, end),
        cmocka_unit_test_setup_teardown(what_happened_before_our_start_keeps_its_time, begin, end),
        cmocka_unit_test_setup_teardown(what_nobody_dates_goes_out_undated, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
