/* What the watcher puts into the outbox, and when a crash tells its place. */
#include "tests/unit/vehicle/outbox_bench.h"

#include <math.h>

#include "proto/result.h"
#include "vehicle/watcher.h"

static struct sampler sampler;
static struct ledger ledgers[STREAMS];
static struct journal *journal;
static struct watcher *watcher;
static struct privacy privacy;

static int begin(void **state)
{
    struct journal_options options = {1 << 20, 1000, false};

    (void)state;
    if (bench_begin() != 0)
        return -1;
    open_box();
    for (int i = 0; i < STREAMS; i++)
        ledger_init(&ledgers[i]);
    assert_int_equal(journal_open(&journal, &options, box, &sampler, ledgers, &fault), ST_OK);
    assert_int_equal(watcher_open(&watcher, journal, true, &fault), ST_OK);
    memset(&privacy, 0, sizeof privacy);
    watcher_private(watcher, &privacy);
    return 0;
}

static int end(void **state)
{
    (void)state;
    watcher_close(watcher);
    journal_close(journal);
    watcher = NULL;
    journal = NULL;
    return bench_end();
}

static void round_at(int64_t t_ms, double kmh)
{
    struct round round = {.t_ms = t_ms, .answering = true, .count = 2};

    round.readings[0] = (struct reading){SIGNAL_SPEED, kmh};
    round.readings[1] = (struct reading){SIGNAL_ENGINE_SPEED, 2000};
    watcher_round(watcher, &round);
}

/* Sixty, a wall, and then the ECU says nothing more; with a place known before. */
static void crash(void)
{
    static const double wall[] = {60, 60, 60, 25, 0};
    struct fix fix = {.t_ms = T0,
                      .received_ms = T0,
                      .lat = 48.5286,
                      .lon = 7.7116,
                      .altitude_m = NAN,
                      .heading_deg = NAN,
                      .speed_kmh = 60,
                      .accuracy_m = 3,
                      .vertical_accuracy_m = NAN};

    watcher_fix(watcher, &fix);
    for (int s = 0; s < 40; s++)
        round_at(T0 + s * 500, s < 35 ? 60 : wall[s - 35]);
    for (int s = 20; s < 40; s++)
        (void)watcher_pass(watcher, T0 + s * 1000);
    assert_int_equal(journal_commit(journal, T0 + 40000, CLOCK_GPS, true, &fault), ST_OK);
}

/* The crash in the urgent stream. */
static json_t *told(void)
{
    json_t *message = NULL;

    for (int64_t seq = 1; outbox_read(box, STREAM_URGENT, seq, &record, &fault) == ST_OK;
         seq = record.seq + 1) {
        assert_int_equal(json_read(&message, record.payload, record.len, JSON_MAX_BYTES, &fault),
                         ST_OK);
        if (strcmp(json_string_value(json_object_get(message, "type")), "crash") == 0)
            return message;
        json_decref(message);
    }
    fail_msg("no crash was told");
    return NULL;
}

static bool says_private(void)
{
    json_t *message = told();
    bool says = json_is_true(json_object_get(json_object_get(message, "data"), "private"));

    json_decref(message);
    return says;
}

static bool has_place(void)
{
    json_t *message = told();
    const json_t *data = json_object_get(message, "data");
    bool has = json_object_get(data, "lat") != NULL;

    if (has) {
        assert_true(fabs(json_number_value(json_object_get(data, "lat")) - 48.5286) < 1e-6);
        assert_true(fabs(json_number_value(json_object_get(data, "lon")) - 7.7116) < 1e-6);
    }
    assert_non_null(json_object_get(data, "speed_before_kmh"));
    json_decref(message);
    return has;
}

static void outside_private_mode_the_samples_have_the_place_and_the_crash_needs_none(void **state)
{
    (void)state;
    privacy.rules.crash_place = true;
    crash();
    assert_false(has_place());
    assert_false(says_private());
}

static void in_private_mode_a_crash_has_no_place(void **state)
{
    (void)state;
    privacy.cause = PRIVACY_BUTTON;
    crash();
    assert_false(has_place());
    assert_true(says_private());
}

static void in_private_mode_it_has_one_where_the_driver_agreed(void **state)
{
    (void)state;
    privacy.cause = PRIVACY_BUTTON;
    privacy.rules.crash_place = true;
    crash();
    assert_true(has_place());
}

static void what_is_told_after_private_mode_but_happened_in_it_says_so_too(void **state)
{
    (void)state;
    privacy.ended_ms = T0 + 30000; /* the crash was some ten seconds before */
    crash();
    assert_false(has_place());
    assert_true(says_private());
}

/* ---- results, which the journal keeps in the same stream */

static void a_result_is_an_urgent_record_and_waits_for_its_commit(void **state)
{
    struct result result;

    (void)state;
    assert_false(journal_has_facts(journal));
    journal_result(journal, "0197f3c2-5f0e-7abc-8def-aaaaaaaaaaaa", COMMAND_REFUSED, "no camera",
                   NULL);
    journal_result(journal, "0197f3c2-5f0e-7abc-8def-bbbbbbbbbbbb", COMMAND_DONE, "",
                   "{\"private\":true}");
    assert_true(journal_has_facts(journal));
    assert_int_equal(journal_commit(journal, T0, CLOCK_GPS, false, &fault), ST_OK);
    assert_false(journal_has_facts(journal));
    assert_int_equal(outbox_read(box, STREAM_URGENT, 1, &record, &fault), ST_OK);
    assert_int_equal(record.leaf, LEAF_RESULT);
    assert_int_equal(result_read(&result, record.payload, record.len, &fault), ST_OK);
    assert_int_equal(result.state, COMMAND_REFUSED);
    assert_string_equal(result.reason, "no camera");
    assert_int_equal(result.head.seq, 1);
    assert_int_equal(outbox_read(box, STREAM_URGENT, 2, &record, &fault), ST_OK);
    assert_int_equal(result_read(&result, record.payload, record.len, &fault), ST_OK);
    assert_int_equal(result.state, COMMAND_DONE);
    record.payload[record.len] = '\0';
    assert_non_null(strstr(record.payload, "\"data\":{\"private\":true}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            outside_private_mode_the_samples_have_the_place_and_the_crash_needs_none, begin, end),
        cmocka_unit_test_setup_teardown(in_private_mode_a_crash_has_no_place, begin, end),
        cmocka_unit_test_setup_teardown(in_private_mode_it_has_one_where_the_driver_agreed, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            what_is_told_after_private_mode_but_happened_in_it_says_so_too, begin, end),
        cmocka_unit_test_setup_teardown(a_result_is_an_urgent_record_and_waits_for_its_commit,
                                        begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
