/* The Lawicel ASCII protocol: lines to frames, and what a bad byte costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vehicle/obd/slcan_line.h"

static struct slcan_reader reader;
static struct slcan_event got[64];
static size_t count;

/* Feed a whole text to a new reader; what it made is in got[0 .. count). */
static void feed(const char *text)
{
    slcan_reader_init(&reader);
    count = 0;
    for (; *text != '\0'; text++) {
        struct slcan_event made[SLCAN_EVENTS_MAX];
        size_t n = slcan_feed(&reader, *text, made);

        for (size_t i = 0; i < n; i++)
            got[count++] = made[i];
    }
}

static void assert_speed(size_t i, uint32_t id)
{
    static const uint8_t speed[] = {0x03, 0x41, 0x0D, 0x32, 0xAA, 0xAA, 0xAA, 0xAA};

    assert_int_equal(got[i].kind, SLCAN_FRAME);
    assert_int_equal(got[i].packet.id, id);
    assert_int_equal(got[i].packet.len, 8);
    assert_memory_equal(got[i].packet.data, speed, 8);
}

#define SPEED "803410D32AAAAAAAA"

static void frames_of_both_lengths_are_read(void **state)
{
    (void)state;
    feed("t7E8" SPEED "\rT18DAF110" SPEED "\rt1000\r");
    assert_int_equal(count, 3);
    assert_speed(0, 0x7E8);
    assert_false(got[0].packet.extended);
    assert_speed(1, 0x18DAF110);
    assert_true(got[1].packet.extended);
    assert_int_equal(got[2].packet.len, 0);
}

static void acknowledgements_texts_and_refusals_are_told_apart(void **state)
{
    static const enum slcan_kind kinds[] = {SLCAN_TAKEN, SLCAN_TAKEN, SLCAN_TAKEN, SLCAN_REFUSED,
                                            SLCAN_TEXT,  SLCAN_TEXT,  SLCAN_TEXT};

    (void)state;
    feed("\rz\rZ\r\aV1013\rNA123\rF80\r");
    assert_int_equal(count, 7);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(got[i].kind, kinds[i]);
    assert_string_equal(got[4].text, "V1013");
}

static void a_lost_line_end_costs_no_frame(void **state)
{
    (void)state;
    feed("t7E8" SPEED "t7E9" SPEED "\rzt7EA" SPEED "\r");
    assert_int_equal(count, 4);
    assert_speed(0, 0x7E8);
    assert_speed(1, 0x7E9);
    assert_int_equal(got[2].kind, SLCAN_TAKEN);
    assert_speed(3, 0x7EA);
}

static void a_bad_byte_costs_one_frame_and_no_more(void **state)
{
    static const char *const bad[] = {"t7E8803410D32AAAA?AAA",
                                      "t7E8803410D32AAAAAAA",
                                      "t7E8803410D32AAAAAAAAA",
                                      "t7E8903410D32AAAAAAAAAA",
                                      "t8E8" SPEED,
                                      "T28DAF110" SPEED,
                                      "t7E",
                                      "t",
                                      "r7E8" SPEED,
                                      "x7E8" SPEED,
                                      "t7E8" SPEED "1234",
                                      "\x01t7E8\x80" SPEED};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[128] = "";

        strcat(strcat(text, bad[i]), "\rt7E9" SPEED "\r");
        feed(text);
        assert_true(count >= 2);
        for (size_t k = 0; k + 1 < count; k++)
            assert_int_equal(got[k].kind, SLCAN_JUNK);
        assert_speed(count - 1, 0x7E9);
    }
}

static void a_refusal_in_the_middle_of_a_frame_ends_it(void **state)
{
    (void)state;
    feed("t7E8803\at7E9" SPEED "\r");
    assert_int_equal(count, 3);
    assert_int_equal(got[0].kind, SLCAN_JUNK);
    assert_int_equal(got[1].kind, SLCAN_REFUSED);
    assert_speed(2, 0x7E9);
}

static void endless_noise_is_bounded_and_ends_at_the_next_line(void **state)
{
    (void)state;
    slcan_reader_init(&reader);
    for (int i = 0; i < 100000; i++) {
        struct slcan_event made[SLCAN_EVENTS_MAX];

        assert_int_equal(slcan_feed(&reader, 'A', made), 0);
    }
    count = slcan_feed(&reader, '\r', got);
    assert_int_equal(count, 1);
    assert_int_equal(got[0].kind, SLCAN_JUNK);
}

static void time_stamps_are_read_only_where_they_are_on(void **state)
{
    (void)state;
    feed("t7E8" SPEED "1A2B\r");
    assert_int_equal(got[0].kind, SLCAN_JUNK);
    slcan_reader_init(&reader);
    reader.stamps = true;
    count = 0;
    for (const char *c = "t7E8" SPEED "1A2B\r"; *c != '\0'; c++)
        count += slcan_feed(&reader, *c, got + count);
    assert_int_equal(count, 1);
    assert_speed(0, 0x7E8);
}

static void a_last_line_without_its_end_is_read_after_a_silence(void **state)
{
    (void)state;
    feed("t7E8" SPEED);
    assert_int_equal(count, 0);
    assert_int_equal(slcan_silence(&reader, got), 1);
    assert_speed(0, 0x7E8);
    assert_int_equal(slcan_silence(&reader, got), 0);
}

static void what_is_printed_is_what_the_manual_shows(void **state)
{
    static const struct can_packet request = {.id = 0x7DF, .len = 8, .data = {0x02, 0x01, 0x0C}};
    static const struct can_packet longer = {
        .id = 0x18DB33F1, .extended = true, .len = 2, .data = {0xAB, 0x01}};
    char out[SLCAN_SEND_MAX + 1];
    size_t n = slcan_print(out, &request);

    (void)state;
    out[n] = '\0';
    assert_string_equal(out, "t7DF802010C0000000000\r");
    n = slcan_print(out, &longer);
    out[n] = '\0';
    assert_string_equal(out, "T18DB33F12AB01\r");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_of_both_lengths_are_read),
        cmocka_unit_test(acknowledgements_texts_and_refusals_are_told_apart),
        cmocka_unit_test(a_lost_line_end_costs_no_frame),
        cmocka_unit_test(a_bad_byte_costs_one_frame_and_no_more),
        cmocka_unit_test(a_refusal_in_the_middle_of_a_frame_ends_it),
        cmocka_unit_test(endless_noise_is_bounded_and_ends_at_the_next_line),
        cmocka_unit_test(time_stamps_are_read_only_where_they_are_on),
        cmocka_unit_test(a_last_line_without_its_end_is_read_after_a_silence),
        cmocka_unit_test(what_is_printed_is_what_the_manual_shows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
