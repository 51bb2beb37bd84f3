/* Bytes become a record, or a dead letter with its reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "proto/columnar.h"
#include "proto/json.h"
#include "services/ingest/record/record.h"

#define VIN "WVWZZZ1KZAW000001"
#define STREAM "0197f3c2-5f0e-7abc-8def-0123456789ab"
#define NOW INT64_C(1795248000000)
#define DAY (24 * INT64_C(3600000))
#define HEAD "\"stream\":\"" STREAM "\",\"seq\":42,\"clock\":\"gps\""
#define EVENT                                                                                      \
    "{\"schema\":\"event/1\"," HEAD                                                                \
    ",\"id\":\"0197f3c2-5f0e-7abc-8def-000000000001\",\"t\":1795248000000,"
#define LOST(stream, first, last)                                                                  \
    EVENT "\"type\":\"outbox_lost\",\"data\":{\"stream\":\"" stream "\",\"first\":" first          \
          ",\"last\":" last "}}"

static struct telemetry desk;

static struct record *decode(enum leaf leaf, const char *bytes, size_t len)
{
    struct arrival from = {.topic = {.vin = VIN, .leaf = leaf}, .received_ms = NOW};
    struct record *r = record_decode(&from, bytes, len, NOW, &desk);

    assert_non_null(r);
    return r;
}

static struct record *read(enum leaf leaf, const char *text)
{
    return decode(leaf, text, strlen(text));
}

/* A telemetry record with one sample at each time. */
static struct record *at(const int64_t *times, size_t n)
{
    char text[2048];
    int len = snprintf(text, sizeof text, "{\"schema\":\"telemetry/1\"," HEAD ",\"samples\":[");

    for (size_t i = 0; i < n; i++)
        len += snprintf(text + len, sizeof text - (size_t)len,
                        "%s{\"t\":%lld,\"s\":{\"Vehicle.Speed\":%zu}}", i ? "," : "",
                        (long long)times[i], i);
    len += snprintf(text + len, sizeof text - (size_t)len, "]}");
    return decode(LEAF_TELEMETRY, text, (size_t)len);
}

static void a_good_record_is_read_whole(void **state)
{
    const int64_t times[] = {NOW - 1000, NOW};
    struct record *r = at(times, 2);

    (void)state;
    assert_false(r->dead);
    assert_string_equal(r->reason, "");
    assert_int_equal(r->telemetry.sample_count, 2);
    assert_string_equal(r->head.stream, STREAM);
    assert_int_equal(r->head.seq, 42);
    assert_true(record_is_journalled(r) && record_has_seq(r) && !record_is_urgent(r));
    record_free(r);
}

static void the_window_of_time_is_sixty_days_back_and_ten_minutes_ahead(void **state)
{
    const int64_t inside[] = {NOW - 60 * DAY, NOW + 600000},
                  outside[] = {NOW - 60 * DAY - 1, NOW + 600001};
    struct record *r = at(inside, 2);

    (void)state;
    assert_string_equal(r->reason, "");
    assert_int_equal(r->telemetry.sample_count, 2);
    record_free(r);
    r = at(outside, 2);
    assert_true(r->dead);
    assert_string_equal(r->reason, "time");
    assert_true(record_has_seq(r)); /* and it is acknowledged */
    record_free(r);
}

static bool read_alike(const char *samples)
{
    char text[1024];
    struct record *r;
    bool alike;

    snprintf(text, sizeof text, "{\"schema\":\"telemetry/1\"," HEAD ",\"samples\":[%s]}", samples);
    r = read(LEAF_TELEMETRY, text);
    assert_false(r->dead);
    alike = r->telemetry.alike;
    record_free(r);
    return alike;
}

/* What newest.c leaves out because of it would be lost otherwise. */
static void samples_are_alike_only_when_all_have_the_same_signals(void **state)
{
    (void)state;
#define FIRST                                                                                      \
    "{\"t\":1795248000000,\"s\":{\"Vehicle.Speed\":50,\"Vehicle.CurrentLocation.Heading\":7}}"
#define NEXT(s) ",{\"t\":1795248001000,\"s\":{" s "}}"
    assert_true(read_alike(FIRST));
    assert_true(
        read_alike(FIRST NEXT("\"Vehicle.Speed\":51,\"Vehicle.CurrentLocation.Heading\":7")));
    assert_false(
        read_alike(FIRST NEXT("\"Vehicle.CurrentLocation.Heading\":7,\"Vehicle.Speed\":51")));
    assert_false(read_alike(FIRST NEXT("\"Vehicle.Speed\":51")));
    assert_false(
        read_alike(FIRST NEXT("\"Vehicle.Speed\":51,\"Vehicle.CurrentLocation.Altitude\":7")));
    assert_false(
        read_alike(/* a value that cannot be leaves */
                   FIRST NEXT("\"Vehicle.Speed\":51,\"Vehicle.CurrentLocation.Heading\":7000")));
}

static void the_good_samples_of_an_untimely_record_are_kept(void **state)
{
    const int64_t times[] = {0, NOW - 61 * DAY, NOW - 5, NOW, NOW + DAY};
    struct record *r = at(times, 5);

    (void)state;
    assert_false(r->dead);
    assert_string_equal(r->reason, "time");
    assert_string_equal(r->detail,
                        "3 of 5 samples are not within 60 days back and 10 minutes ahead");
    assert_int_equal(r->telemetry.sample_count, 2);
    assert_int_equal(r->telemetry.samples[0].t_ms, NOW - 5);
    assert_true(r->telemetry.readings[r->telemetry.samples[1].first].value == 3);
    record_free(r);
}

static void a_value_no_signal_can_have_leaves_and_the_rest_stays(void **state)
{
    struct record *r = read(LEAF_TELEMETRY, "{\"schema\":\"telemetry/1\"," HEAD
                                            ",\"samples\":[{\"t\":1795248000000,\"s\":{"
                                            "\"Vehicle.CurrentLocation.Latitude\":95,"
                                            "\"Vehicle.CurrentLocation.Longitude\":500,"
                                            "\"Vehicle.IsMoving\":4,"
                                            "\"Vehicle.Speed\":50.5}}]}");

    (void)state;
    assert_false(r->dead);
    assert_string_equal(r->reason, "range");
    assert_int_equal(r->telemetry.samples[0].count, 1);
    assert_int_equal(r->telemetry.readings[r->telemetry.samples[0].first].signal, SIGNAL_SPEED);
    record_free(r);
}

static void a_sample_without_any_possible_value_was_never_there(void **state)
{
    struct record *r = read(LEAF_TELEMETRY, "{\"schema\":\"telemetry/1\"," HEAD
                                            ",\"samples\":[{\"t\":1795248000000,\"s\":{"
                                            "\"Vehicle.Speed\":50.5}},"
                                            "{\"t\":1795248001000,\"s\":{"
                                            "\"Vehicle.CurrentLocation.Latitude\":95}}]}");

    (void)state;
    assert_false(r->dead);
    assert_string_equal(r->reason, "range");
    assert_int_equal(r->telemetry.sample_count, 1);
    assert_int_equal(r->telemetry.samples[0].t_ms, NOW);
    record_free(r);
}

static void a_record_of_nothing_we_know_is_no_dead_letter(void **state)
{
    struct record *r = read(LEAF_TELEMETRY, "{\"schema\":\"telemetry/1\"," HEAD
                                            ",\"samples\":[{\"t\":1,\"s\":{\"Vehicle.None\":1}}]}");

    (void)state;
    assert_false(r->dead);
    assert_string_equal(r->reason, "");
    assert_int_equal(r->telemetry.sample_count, 0);
    assert_int_equal(r->telemetry.unknown_signals, 1);
    record_free(r);
}

static void what_is_wrong_has_its_reason(void **state)
{
    static const struct {
        enum leaf leaf;
        const char *text, *reason;
        bool numbered;
    } cases[] = {
        {LEAF_TELEMETRY, "", "json", false},
        {LEAF_TELEMETRY, "garbage", "json", false},
        {LEAF_TELEMETRY, "{" HEAD, "json", true},
        {LEAF_TELEMETRY, "{" HEAD ",\"x\":1,\"x\":2}", "json", true},
        {LEAF_TELEMETRY, "{" HEAD ",\"x\":NaN}", "json", true},
        {LEAF_TELEMETRY, "{\"schema\":\"telemetry/2\"," HEAD ",\"samples\":[]}", "schema", true},
        {LEAF_TELEMETRY, "{\"schema\":\"telemetry/1\"," HEAD "}", "schema", true},
        {LEAF_TELEMETRY, "{\"schema\":\"telemetry/1\",\"samples\":[]}", "schema", false},
        {LEAF_ALERT, "{\"schema\":\"event/1\"," HEAD "}", "schema", true},
        {LEAF_STATE, "{\"schema\":\"state/1\",\"state\":\"dancing\"}", "schema", false},
        {LEAF_TELEMETRY, "\xc1\x01\x07", "columnar", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct record *r = read(cases[i].leaf, cases[i].text);

        assert_true(r->dead);
        assert_string_equal(r->reason, cases[i].reason);
        assert_int_equal(record_has_seq(r), cases[i].numbered);
        assert_true(r->detail[0] != '\0');
        assert_int_equal(r->telemetry.sample_count, 0);
        assert_int_equal(r->len, strlen(cases[i].text));
        assert_memory_equal(r->payload, cases[i].text, r->len);
        record_free(r);
    }
}

static void a_record_over_32_kib_is_too_large(void **state)
{
    static char text[JSON_MAX_BYTES + 2];
    struct record *r;

    (void)state;
    memset(text, ' ', sizeof text);
    memcpy(text, "{" HEAD "}", strlen("{" HEAD "}"));
    r = decode(LEAF_TELEMETRY, text, JSON_MAX_BYTES + 1);
    assert_string_equal(r->reason, "size");
    assert_true(record_has_seq(r));
    record_free(r);
}

/* Each number of five bytes is 309 digits in the database. */
static void a_fact_that_is_too_long_with_its_numbers_written_out_is_too_large(void **state)
{
    static const char head[] = EVENT "\"type\":\"idle\",\"data\":{\"a\":[0";
    static char text[JSON_MAX_BYTES];

    (void)state;
    for (int n = 200; n <= 220; n += 20) {
        size_t len = sizeof head - 1;
        struct record *r;

        memcpy(text, head, len);
        for (int i = 0; i < n; i++, len += 6)
            memcpy(text + len, ",1e308", 6);
        memcpy(text + len, "]}}", 3);
        r = decode(LEAF_EVENT, text, len + 3);
        assert_int_equal(r->dead, n > 200);
        assert_string_equal(r->reason, n > 200 ? "size" : "");
        assert_true(record_has_seq(r));
        record_free(r);
    }
}

/* Two samples a minute apart, the newer one at NOW, as columns. */
static size_t columns(char *out, size_t size, int64_t first_ms)
{
    struct telemetry t;
    struct fault fault;
    size_t len;

    telemetry_init(&t);
    t.head = (struct envelope){.stream = STREAM, .seq = 42, .clock = CLOCK_GPS};
    assert_int_equal(telemetry_sample(&t, first_ms, &fault), ST_OK);
    assert_int_equal(telemetry_reading(&t, SIGNAL_SPEED, 50.5, &fault), ST_OK);
    assert_int_equal(telemetry_sample(&t, NOW, &fault), ST_OK);
    assert_int_equal(telemetry_reading(&t, SIGNAL_LATITUDE, 48.528601, &fault), ST_OK);
    assert_int_equal(columnar_write(&t, out, size, &len, &fault), ST_OK);
    telemetry_done(&t);
    return len;
}

static void a_columnar_record_is_read_as_its_json_would_be(void **state)
{
    char bytes[200];
    size_t len = columns(bytes, sizeof bytes, NOW - 60000);
    struct record *r = decode(LEAF_TELEMETRY, bytes, len);

    (void)state;
    assert_false(r->dead);
    assert_string_equal(r->reason, "");
    assert_string_equal(r->head.stream, STREAM);
    assert_int_equal(r->head.seq, 42);
    assert_int_equal(r->telemetry.sample_count, 2);
    assert_true(r->telemetry.readings[r->telemetry.samples[0].first].value == 50.5);
    assert_true(r->telemetry.readings[r->telemetry.samples[1].first].value == 48.528601);
    record_free(r);
}

static void the_window_of_time_holds_for_columns_too(void **state)
{
    char bytes[200];
    size_t len = columns(bytes, sizeof bytes, NOW - 61 * DAY);
    struct record *r = decode(LEAF_TELEMETRY, bytes, len);

    (void)state;
    assert_false(r->dead);
    assert_string_equal(r->reason, "time");
    assert_int_equal(r->telemetry.sample_count, 1);
    assert_int_equal(r->telemetry.samples[0].t_ms, NOW);
    record_free(r);
}

static void a_columnar_record_that_is_broken_still_says_whose_dead_letter_it_is(void **state)
{
    static char bytes[JSON_MAX_BYTES + 1];
    size_t len = columns(bytes, sizeof bytes, NOW - 60000), head = 3 + 16 + 1;

    (void)state;
    for (size_t n = 1; n < len; n++) {
        struct record *r = decode(LEAF_TELEMETRY, bytes, n);

        assert_true(r->dead);
        assert_string_equal(r->reason, "columnar");
        assert_int_equal(record_has_seq(r), n >= head);
        record_free(r);
    }
    struct record *r = decode(LEAF_TELEMETRY, bytes, sizeof bytes);

    assert_string_equal(r->reason, "size");
    assert_true(record_has_seq(r));
    record_free(r);
}

static void the_head_is_read_without_the_rest(void **state)
{
    struct arrival from = {.topic = {.vin = VIN, .leaf = LEAF_TELEMETRY}};
    const char json[] = "{\"schema\":\"telemetry/1\"," HEAD ",\"samples\":[garbage";
    char bytes[200];
    struct envelope head;

    (void)state;
    assert_true(record_peek(&head, &from, json, sizeof json - 1));
    assert_string_equal(head.stream, STREAM);
    assert_int_equal(head.seq, 42);
    columns(bytes, sizeof bytes, NOW - 60000);
    assert_true(record_peek(&head, &from, bytes, 25));
    assert_string_equal(head.stream, STREAM);
    assert_false(record_peek(&head, &from, "{\"stream\":\"" STREAM "\",\"seq\":42}", 57));
    from.topic.leaf = LEAF_EVENT;
    assert_false(record_peek(&head, &from, json, sizeof json - 1));
}

static void what_was_left_unread_can_be_read_after_all(void **state)
{
    struct arrival from = {.topic = {.vin = VIN, .leaf = LEAF_TELEMETRY}};
    size_t before = records_held_bytes();
    char bytes[200];
    size_t len = columns(bytes, sizeof bytes, NOW - 60000);
    struct envelope head;
    struct record *r;

    (void)state;
    assert_true(record_peek(&head, &from, bytes, len));
    r = record_again(&from, &head, bytes, len);
    assert_non_null(r);
    assert_true(r->again && record_has_seq(r) && record_is_journalled(r));
    assert_int_equal(r->telemetry.sample_count, 0);
    r->missed = true;
    assert_int_equal(record_read(r, NOW, &desk), ST_OK);
    assert_false(r->again || r->missed || r->dead);
    assert_int_equal(r->telemetry.sample_count, 2);
    assert_int_equal(records_held_bytes(), before + r->held);
    record_free(r);
    assert_int_equal(records_held_bytes(), before);
}

static void a_loss_names_its_stream_and_numbers(void **state)
{
    struct record *r = read(LEAF_EVENT, LOST(STREAM, "12", "40"));

    (void)state;
    assert_false(r->dead);
    assert_string_equal(r->lost_stream, STREAM);
    assert_int_equal(r->lost_first, 12);
    assert_int_equal(r->lost_last, 40);
    record_free(r);
}

static void a_loss_that_does_not_say_what_is_refused(void **state)
{
    static const char *const wrong[] = {
        LOST(STREAM, "0", "4"),
        LOST(STREAM, "5", "4"),
        LOST("x", "1", "4"),
        LOST(STREAM, "1", "\"4\""),
        LOST(STREAM, "1", "4.5"),
        LOST(STREAM, "1", "9007199254740993"),
        EVENT "\"type\":\"outbox_lost\"}",
        EVENT "\"type\":\"outbox_lost\",\"data\":{}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct record *r = read(LEAF_EVENT, wrong[i]);

        assert_true(r->dead);
        assert_string_equal(r->reason, "schema");
        assert_string_equal(r->lost_stream, "");
        assert_true(record_has_seq(r));
        record_free(r);
    }
}

static void another_event_announces_no_loss(void **state)
{
    struct record *r = read(LEAF_EVENT, EVENT "\"type\":\"idle\",\"data\":{\"stream\":\"" STREAM
                                              "\",\"first\":1,\"last\":2}}");

    (void)state;
    assert_false(r->dead);
    assert_string_equal(r->lost_stream, "");
    record_free(r);
}

static void alerts_and_results_are_urgent(void **state)
{
    struct record r = {0};

    (void)state;
    for (int leaf = LEAF_STATE; leaf <= LEAF_RESULT; leaf++) {
        r.from.topic.leaf = (enum leaf)leaf;
        assert_int_equal(record_is_urgent(&r), leaf == LEAF_ALERT || leaf == LEAF_RESULT);
        assert_int_equal(record_is_journalled(&r), leaf != LEAF_STATE);
    }
}

static void a_detail_is_plain_text_whatever_the_store_said(void **state)
{
    struct record *r = read(LEAF_TELEMETRY, "");
    char long_text[400];

    (void)state;
    memset(long_text, 'x', sizeof long_text);
    memcpy(long_text + 195, "\xc3\xa9\xc3\xa9\xc3\xa9", 6); /* cut within a character */
    long_text[sizeof long_text - 1] = '\0';
    record_condemn(r, "store", long_text);
    assert_true(r->dead);
    assert_int_equal(strlen(r->detail), 199);
    for (const char *c = r->detail; *c; c++)
        assert_in_range(*c, 0x20, 0x7e);
    record_free(r);
}

static void what_records_hold_is_counted_until_they_are_freed(void **state)
{
    const int64_t times[] = {NOW};
    size_t before = records_held_bytes();
    struct record *one = at(times, 1), *two = read(LEAF_TELEMETRY, "garbage");

    (void)state;
    assert_int_equal(records_held_bytes(), before + one->held + two->held);
    assert_true(one->held > sizeof *one + one->len && two->held >= sizeof *two + two->len);
    record_free(one);
    record_free(two);
    record_free(NULL);
    assert_int_equal(records_held_bytes(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_record_is_read_whole),
        cmocka_unit_test(the_window_of_time_is_sixty_days_back_and_ten_minutes_ahead),
        cmocka_unit_test(samples_are_alike_only_when_all_have_the_same_signals),
        cmocka_unit_test(the_good_samples_of_an_untimely_record_are_kept),
        cmocka_unit_test(a_value_no_signal_can_have_leaves_and_the_rest_stays),
        cmocka_unit_test(a_sample_without_any_possible_value_was_never_there),
        cmocka_unit_test(a_record_of_nothing_we_know_is_no_dead_letter),
        cmocka_unit_test(what_is_wrong_has_its_reason),
        cmocka_unit_test(a_record_over_32_kib_is_too_large),
        cmocka_unit_test(a_fact_that_is_too_long_with_its_numbers_written_out_is_too_large),
        cmocka_unit_test(a_columnar_record_is_read_as_its_json_would_be),
        cmocka_unit_test(the_window_of_time_holds_for_columns_too),
        cmocka_unit_test(a_columnar_record_that_is_broken_still_says_whose_dead_letter_it_is),
        cmocka_unit_test(the_head_is_read_without_the_rest),
        cmocka_unit_test(what_was_left_unread_can_be_read_after_all),
        cmocka_unit_test(a_loss_names_its_stream_and_numbers),
        cmocka_unit_test(a_loss_that_does_not_say_what_is_refused),
        cmocka_unit_test(another_event_announces_no_loss),
        cmocka_unit_test(alerts_and_results_are_urgent),
        cmocka_unit_test(a_detail_is_plain_text_whatever_the_store_said),
        cmocka_unit_test(what_records_hold_is_counted_until_they_are_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
