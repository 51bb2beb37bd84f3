/* The head of a message, and the ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "proto/envelope.h"

#define STREAM "0197f3c2-5f0e-7abc-8def-0123456789ab"

static enum status read_head(struct envelope *head, const char *text, struct fault *fault)
{
    json_t *message = json_loads(text, 0, NULL);
    enum status st;

    assert_non_null(message);
    st = envelope_read(head, message, fault);
    json_decref(message);
    return st;
}

static void a_whole_head_is_read(void **state)
{
    struct envelope head;
    struct fault fault;

    (void)state;
    assert_int_equal(read_head(&head,
                               "{\"schema\":\"telemetry/1\",\"stream\":\"" STREAM "\",\"seq\":42,"
                               "\"clock\":\"gps\",\"more\":[]}",
                               &fault),
                     ST_OK);
    assert_string_equal(head.schema, "telemetry/1");
    assert_string_equal(head.stream, STREAM);
    assert_int_equal(head.seq, 42);
    assert_int_equal(head.clock, CLOCK_GPS);
}

static void a_bad_head_still_tells_what_could_be_read(void **state)
{
    struct envelope head;
    struct fault fault;

    (void)state;
    assert_int_equal(
        read_head(&head, "{\"stream\":\"" STREAM "\",\"seq\":7,\"clock\":\"gps\"}", &fault),
        ST_REJECT);
    assert_string_equal(head.stream, STREAM);
    assert_int_equal(head.seq, 7);
    assert_non_null(strstr(fault.text, "schema"));
    assert_int_equal(read_head(&head,
                               "{\"schema\":\"x\",\"stream\":\"no\",\"seq\":7,\"clock\":\"sun\"}",
                               &fault),
                     ST_REJECT);
    assert_string_equal(head.stream, "");
    assert_int_equal(head.seq, 7);
    assert_non_null(strstr(fault.text, "stream"));
    assert_int_equal(
        read_head(&head, "{\"schema\":\"x\",\"stream\":\"" STREAM "\",\"seq\":0,\"clock\":\"rtc\"}",
                  &fault),
        ST_REJECT);
    assert_int_equal(head.seq, 0);
    assert_int_equal(head.clock, CLOCK_RTC);
    assert_int_equal(read_head(&head,
                               "{\"schema\":\"x\",\"stream\":\"" STREAM
                               "\",\"seq\":1.5,\"clock\":\"ntp\"}",
                               &fault),
                     ST_REJECT);
    assert_int_equal(head.seq, 0);
}

static void salvage(struct envelope *head, const char *text)
{
    *head = (struct envelope){.seq = 99};
    envelope_salvage(head, text, strlen(text));
}

static void what_no_parser_takes_still_tells_stream_and_seq(void **state)
{
    static const char *const bad[] = {
        "{\"stream\":\"" STREAM "\",\"seq\":42,\"samples\":[{\"t\":NaN}]}",
        "{\"stream\":\"" STREAM "\",\"seq\":42,\"a\":1,\"a\":2}",
        "{ \"x\" : {\"seq\":1,\"stream\":\"no\"}, \"seq\" : 42 , \"stream\" :\n\"" STREAM
        "\", \"samples\":[{\"t",
        "{\"a\":\"}{\\\"\",\"seq\":42,\"b\":\"\xff\xfe\",\"stream\":\"" STREAM "\"",
        "{\"a\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]],\"stream\":\"" STREAM "\",\"seq\":42}"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct envelope head;

        salvage(&head, bad[i]);
        assert_string_equal(head.stream, STREAM);
        assert_int_equal(head.seq, 42);
    }
}

static void salvage_does_not_guess(void **state)
{
    struct envelope head;

    (void)state;
    salvage(&head, "{\"seq\":1,\"seq\":2,\"stream\":\"" STREAM "\"}");
    assert_int_equal(head.seq, 0);
    assert_string_equal(head.stream, STREAM);
    salvage(&head, "{\"stream\":\"" STREAM "\",\"seq\":4.5,\"stream\":\"" STREAM "\"}");
    assert_int_equal(head.seq, 0);
    assert_string_equal(head.stream, "");
    salvage(&head, "{\"seq\":42"); /* cut: more digits may have followed */
    assert_int_equal(head.seq, 0);
    salvage(&head, "{\"seq\":99999999999999999999}");
    assert_int_equal(head.seq, 0);
    salvage(&head, "{\"seq\":-1,\"stream\":\"0197F3C2-5f0e-7abc-8def-0123456789ab\"}");
    assert_int_equal(head.seq, 0);
    assert_string_equal(head.stream, "");
    salvage(&head, "[\"seq\",42]");
    assert_int_equal(head.seq, 0);
    salvage(&head, "");
    assert_int_equal(head.seq, 0);
}

static void clocks_are_four_words(void **state)
{
    (void)state;
    for (int c = CLOCK_NONE; c <= CLOCK_GPS; c++) {
        enum clock_source clock = CLOCK_NONE;

        assert_int_equal(clock_parse(clock_name((enum clock_source)c), &clock, NULL), ST_OK);
        assert_int_equal(clock, c);
    }
    enum clock_source clock = CLOCK_GPS;

    assert_int_equal(clock_parse("GPS", &clock, NULL), ST_REJECT);
    assert_int_equal(clock, CLOCK_GPS);
}

static void a_uuid_is_lower_case_hex_with_dashes(void **state)
{
    (void)state;
    assert_true(uuid_is_valid(STREAM, 36));
    assert_false(uuid_is_valid(STREAM, 35));
    assert_false(uuid_is_valid("0197F3c2-5f0e-7abc-8def-0123456789ab", 36));
    assert_false(uuid_is_valid("0197f3c2-5f0e-7abc-8def-0123456789ag", 36));
    assert_false(uuid_is_valid("0197f3c205f0e-7abc-8def-0123456789ab", 36));
}

static void a_uuid_of_version_7_begins_with_its_time(void **state)
{
    static const unsigned char random[10] = {0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6};
    char id[UUID_TEXT + 1];

    (void)state;
    uuid_v7(id, INT64_C(0x0197f3c25f0e), random);
    assert_string_equal(id, "0197f3c2-5f0e-7fff-bfff-010203040506");
    assert_true(uuid_is_valid(id, strlen(id)));
}

static void the_same_text_gives_the_same_uuid_of_version_8(void **state)
{
    char one[UUID_TEXT + 1], two[UUID_TEXT + 1];

    (void)state;
    uuid_of_text(one, "WVWZZZ1KZAW000001/" STREAM "/43");
    uuid_of_text(two, "WVWZZZ1KZAW000001/" STREAM "/43");
    assert_string_equal(one, two);
    assert_true(uuid_is_valid(one, strlen(one)));
    assert_int_equal(one[14], '8');
    uuid_of_text(two, "WVWZZZ1KZAW000001/" STREAM "/44");
    assert_string_not_equal(one, two);
    /* FNV-1a 128 of "" is its offset basis, of "a" d228cb696f1a8caf78912b704e4a8964 (published
     * vectors) */
    uuid_of_text(one, "");
    assert_string_equal(one, "6c62272e-07bb-8142-a2b8-21756295c58d");
    uuid_of_text(one, "a");
    assert_string_equal(one, "d228cb69-6f1a-8caf-b891-2b704e4a8964");
}

static void a_uuid_is_16_bytes_in_the_order_they_are_printed(void **state)
{
    static const unsigned char wanted[16] = {0x01, 0x97, 0xf3, 0xc2, 0x5f, 0x0e, 0x7a, 0xbc,
                                             0x8d, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab};
    unsigned char bytes[16];
    char text[UUID_TEXT + 1];

    (void)state;
    assert_true(uuid_scan(bytes, STREAM));
    assert_memory_equal(bytes, wanted, sizeof wanted);
    uuid_print(text, wanted);
    assert_string_equal(text, STREAM);
    assert_false(uuid_scan(bytes, ""));
    assert_false(uuid_scan(bytes, "0197F3C2-5f0e-7abc-8def-0123456789ab"));
    assert_memory_equal(bytes, wanted, sizeof wanted); /* left alone */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_head_is_read),
        cmocka_unit_test(a_bad_head_still_tells_what_could_be_read),
        cmocka_unit_test(what_no_parser_takes_still_tells_stream_and_seq),
        cmocka_unit_test(salvage_does_not_guess),
        cmocka_unit_test(clocks_are_four_words),
        cmocka_unit_test(a_uuid_is_lower_case_hex_with_dashes),
        cmocka_unit_test(a_uuid_is_16_bytes_in_the_order_they_are_printed),
        cmocka_unit_test(a_uuid_of_version_7_begins_with_its_time),
        cmocka_unit_test(the_same_text_gives_the_same_uuid_of_version_8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
