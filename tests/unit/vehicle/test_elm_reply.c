/* The reply grammar of ELM327 adapters: what is believed, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vehicle/obd/elm_reply.h"

static struct link_answer answer;

static void ask(const char *sent, char protocol, const uint8_t *bytes, size_t len, const char *text)
{
    static struct elm_intake in;
    struct elm_asked asked = {sent, protocol, bytes, len};
    bool substance = false;

    elm_intake_init(&in);
    elm_intake_feed(&in, text, strlen(text), &substance);
    elm_reply_parse(&answer, &in, &asked);
}

static void ask_pid(char protocol, uint8_t pid, const char *text)
{
    const uint8_t bytes[] = {0x01, pid};
    char sent[5];

    snprintf(sent, sizeof sent, "01%02X", pid);
    ask(sent, protocol, bytes, sizeof bytes, text);
}

static void assert_message(size_t i, uint32_t ecu, const char *hex)
{
    char text[512] = "";

    assert_true(i < answer.count);
    for (size_t k = 0; k < answer.messages[i].len; k++)
        snprintf(text + 2 * k, 3, "%02X", answer.bytes[answer.messages[i].at + k]);
    assert_string_equal(text, hex);
    assert_int_equal(answer.messages[i].ecu, ecu);
}

static void bytes_end_at_the_prompt(void **state)
{
    struct elm_intake in;
    bool substance = false;

    (void)state;
    elm_intake_init(&in);
    assert_int_equal(elm_intake_feed(&in, "41\0 0D\r>xyz", 11, &substance), 8);
    assert_true(in.prompt);
    assert_true(substance);
    assert_int_equal(in.len, 6); /* the NUL is gone */
    substance = false;
    elm_intake_init(&in);
    assert_int_equal(elm_intake_feed(&in, "\r\n ", 3, &substance), 3);
    assert_false(in.prompt);
    assert_false(substance);
}

static void endless_bytes_are_discarded_and_counted(void **state)
{
    static struct elm_intake in;
    char noise[1000];
    bool substance = false;

    (void)state;
    memset(noise, 'A', sizeof noise);
    elm_intake_init(&in);
    for (int i = 0; i < 100; i++)
        elm_intake_feed(&in, noise, sizeof noise, &substance);
    assert_int_equal(in.len, ELM_LINE_MAX);
    assert_int_equal(in.discarded, 100000 - ELM_LINE_MAX);
    noise[400] = '\r';
    for (int i = 0; i < 100; i++)
        elm_intake_feed(&in, noise, sizeof noise, &substance);
    assert_int_equal(in.len, ELM_REPLY_MAX);
}

static void a_value_comes_with_the_header_the_protocol_promises(void **state)
{
    (void)state;
    ask_pid('6', 0x0C, "7E804410C0C08\r\r>");
    assert_int_equal(answer.outcome, LINK_ANSWERED);
    assert_int_equal(answer.count, 1);
    assert_message(0, 0x7E8, "410C0C08");
    ask_pid('7', 0x0C, "18DAF11004410C0C08AAAAAA\r>");
    assert_message(0, 0x18DAF110, "410C0C08");
    ask_pid('3', 0x0C, "486B10410C0C0821\r>");
    assert_message(0, 0x10, "410C0C08");
    ask_pid('5', 0x0C, "84F110410C0C08E9\r>");
    assert_message(0, 0x10, "410C0C08");
    ask_pid('1', 0x0C, "416B10410C0C0821\r>"); /* J1850 PWM: the header looks like an answer */
    assert_message(0, 0x10, "410C0C08");
}

static void echo_blanks_line_feeds_and_glued_progress_do_not_matter(void **state)
{
    (void)state;
    ask_pid('6', 0x0C, "010C\r7E8 04 41 0C 0C 08 \r\n\r\n >");
    assert_message(0, 0x7E8, "410C0C08");
    ask_pid('6', 0x0C, "SEARCHING...7E804410C0C08\n>");
    assert_message(0, 0x7E8, "410C0C08");
    ask_pid('5', 0x0C, "BUS INIT: OK\r84F110410C0C08E9\r>");
    assert_message(0, 0x10, "410C0C08");
    ask_pid('3', 0x0C, "BUS INIT: ...OK\r486B10410C0C0821\r>");
    assert_message(0, 0x10, "410C0C08");
}

static void headers_may_be_missing_although_asked_for(void **state)
{
    (void)state;
    ask_pid('6', 0x0C, "41 0C 0C 08\r>");
    assert_message(0, 0, "410C0C08");
    ask_pid('0', 0x0D, "410D3C\r>");
    assert_message(0, 0, "410D3C");
    ask_pid('7', 0x0C, "410C0C08\r>");
    assert_message(0, 0, "410C0C08");
}

static void a_long_answer_without_headers_is_joined_and_cut_at_its_length(void **state)
{
    const uint8_t vin[] = {0x09, 0x02};

    (void)state;
    ask("0902", '0', vin, 2, "014\r0:490201575657\r1:5A5A5A314B5A41\r2:57303030303031\r>");
    assert_message(0, 0, "4902015756575A5A5A314B5A4157303030303031");
    ask("0902", '0', vin, 2,
        "014 \r0: 49 02 01 57 56 57 \r1: 5A 5A 5A 31 4B 5A 41 \r2: 57 30 30 30 30 30 31 AA\r>");
    assert_message(0, 0, "4902015756575A5A5A314B5A4157303030303031");
    ask("0902", '0', vin, 2, "014\r0:490201575657\r2:57303030303031\r>");
    assert_int_equal(answer.count, 0);
    assert_true(answer.cut);
}

static void no_value_is_taken_for_another_pid(void **state)
{
    (void)state;
    ask_pid('6', 0x0C, "7E803410D3C\r>");
    assert_int_equal(answer.count, 0);
    assert_int_equal(answer.ignored, 1);
    ask_pid('6', 0x0C, "7E804420C0C08\r>");
    assert_int_equal(answer.count, 0);
    ask_pid('6', 0x0C, "410D0C08\r>");
    assert_int_equal(answer.count, 0);
}

static void every_ecu_answers_for_itself(void **state)
{
    (void)state;
    ask_pid('6', 0x0D, "7E803410D3C\r7E903410D3B\r>");
    assert_int_equal(answer.count, 2);
    assert_message(0, 0x7E8, "410D3C");
    assert_message(1, 0x7E9, "410D3B");
}

static void interleaved_long_answers_are_told_apart(void **state)
{
    const uint8_t vin[] = {0x09, 0x02};

    (void)state;
    ask("0902", '6', vin, 2,
        "7E81014490201575657\r7E91014490201313131\r7E9213131313131313131\r7E8215A5A5A314B5A41\r"
        "7E82257303030303031\r7E92231313131313131\r>");
    assert_int_equal(answer.outcome, LINK_ANSWERED);
    assert_message(0, 0x7E8, "4902015756575A5A5A314B5A4157303030303031");
    ask("0902", '6', vin, 2, "7E82257303030303031\r7E8215A5A5A314B5A41\r7E81014490201575657\r>");
    assert_message(0, 0x7E8, "4902015756575A5A5A314B5A4157303030303031");
    ask("0902", '6', vin, 2, "7E81014490201575657\r7E82257303030303031\r>");
    assert_int_equal(answer.count, 0);
    assert_int_equal(answer.outcome, LINK_DAMAGED);
}

static void each_text_has_its_meaning(void **state)
{
    static const struct {
        const char *text;
        enum link_outcome outcome;
    } rows[] = {
        {"NO DATA\r>", LINK_NO_DATA},
        {">", LINK_NO_DATA},
        {"UNABLE TO CONNECT\r>", LINK_NO_ECU},
        {"SEARCHING...UNABLE TO CONNECT\r>", LINK_NO_ECU},
        {"SEARCHING...\rUNABLE TO CONNECT\r>", LINK_NO_ECU},
        {"BUS INIT: ...ERROR\r>", LINK_NO_ECU},
        {"BUS INIT:ERROR\r>", LINK_NO_ECU},
        {"?\r>", LINK_UNKNOWN},
        {"STOPPED\r>", LINK_STOPPED},
        {"BUS BUSY\r>", LINK_BUS},
        {"BUS ERROR\r>", LINK_BUS},
        {"CAN ERROR\r>", LINK_BUS},
        {"FB ERROR\r>", LINK_BUS},
        {"DATA ERROR\r>", LINK_DAMAGED},
        {"7E804410C0C08<DATA ERROR\r>", LINK_DAMAGED},
        {"7E804410C0C08 <RX ERROR\r>", LINK_DAMAGED},
        {"BUFFER FULL\r>", LINK_DAMAGED},
        {"LV RESET\r>", LINK_RESET},
        {"ELM327 v1.5\r>", LINK_RESET},
        {"ACT ALERT\r>", LINK_RESET},
        {"LP ALERT\r>", LINK_RESET},
        {"ERR94\r>", LINK_RESET},
        {"7E8037F0112\r>", LINK_REFUSED},
        {"7E8037F0178\r>", LINK_PENDING},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ask_pid('6', 0x0C, rows[i].text);
        if (answer.outcome != rows[i].outcome)
            fail_msg("%s gives %s", rows[i].text, link_outcome_name(answer.outcome));
    }
}

static void a_damaged_line_does_not_take_the_good_one_with_it(void **state)
{
    (void)state;
    ask_pid('6', 0x0D, "7E803410D3C\r7E903410D3B<DATA ERROR\r>");
    assert_int_equal(answer.outcome, LINK_ANSWERED);
    assert_int_equal(answer.count, 1);
    assert_message(0, 0x7E8, "410D3C");
    assert_true(answer.cut);
}

static void a_wait_is_followed_by_the_real_answer(void **state)
{
    (void)state;
    ask_pid('6', 0x0D, "7E8037F0178\r7E803410D3C\r>");
    assert_int_equal(answer.outcome, LINK_ANSWERED);
    assert_message(0, 0x7E8, "410D3C");
}

static void a_refusal_by_one_is_not_a_refusal_by_all(void **state)
{
    (void)state;
    ask_pid('6', 0x0D, "7E9037F0112\r7E803410D3C\r>");
    assert_int_equal(answer.outcome, LINK_ANSWERED);
    assert_int_equal(answer.refused, 0x12);
}

static void commands_answer_in_words(void **state)
{
    struct elm_intake in;
    bool substance = false;
    char text[32];

    (void)state;
    elm_intake_init(&in);
    elm_intake_feed(&in, "ATZ\r\r\rELM327 v1.5\r\r>", 20, &substance);
    assert_int_equal(elm_reply_text(text, sizeof text, &in, "ATZ"), LINK_RESET);
    assert_string_equal(text, "ELM327 v1.5");
    elm_intake_init(&in);
    elm_intake_feed(&in, "ATE0\rOK\r>", 9, &substance);
    assert_int_equal(elm_reply_text(text, sizeof text, &in, "ATE0"), LINK_ANSWERED);
    assert_string_equal(text, "OK");
    elm_intake_init(&in);
    elm_intake_feed(&in, "?\r>", 3, &substance);
    assert_int_equal(elm_reply_text(text, sizeof text, &in, "STI"), LINK_UNKNOWN);
}

static void voltage_and_protocol_are_read_tolerantly(void **state)
{
    double volts = 0;

    (void)state;
    assert_true(elm_read_volts("12.4V", &volts));
    assert_true(volts == 12.4);
    assert_true(elm_read_volts(" 9.1", &volts));
    assert_true(volts == 9.1);
    assert_false(elm_read_volts("?", &volts));
    assert_false(elm_read_volts("OK", &volts));
    assert_false(elm_read_volts("99.9V", &volts));
    assert_false(elm_read_volts("1.2.3V", &volts));
    assert_int_equal(elm_read_protocol("A6"), '6');
    assert_int_equal(elm_read_protocol("6"), '6');
    assert_int_equal(elm_read_protocol("A"), 'A');
    assert_int_equal(elm_read_protocol("0"), '0');
    assert_int_equal(elm_read_protocol("?"), '0');
    assert_int_equal(elm_read_protocol(""), '0');
    assert_int_equal(elm_read_protocol("OK"), '0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_end_at_the_prompt),
        cmocka_unit_test(endless_bytes_are_discarded_and_counted),
        cmocka_unit_test(a_value_comes_with_the_header_the_protocol_promises),
        cmocka_unit_test(echo_blanks_line_feeds_and_glued_progress_do_not_matter),
        cmocka_unit_test(headers_may_be_missing_although_asked_for),
        cmocka_unit_test(a_long_answer_without_headers_is_joined_and_cut_at_its_length),
        cmocka_unit_test(no_value_is_taken_for_another_pid),
        cmocka_unit_test(every_ecu_answers_for_itself),
        cmocka_unit_test(interleaved_long_answers_are_told_apart),
        cmocka_unit_test(each_text_has_its_meaning),
        cmocka_unit_test(a_damaged_line_does_not_take_the_good_one_with_it),
        cmocka_unit_test(a_wait_is_followed_by_the_real_answer),
        cmocka_unit_test(a_refusal_by_one_is_not_a_refusal_by_all),
        cmocka_unit_test(commands_answer_in_words),
        cmocka_unit_test(voltage_and_protocol_are_read_tolerantly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
