/* What becomes of a command: begun, refused, expired, or told once more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "vehicle/commands.h"

#define NOW INT64_C(1795431600000)

static struct fault fault;
static struct commands all;
static struct commands_verdict v;
static struct commands_car car;

static int begin(void **state)
{
    (void)state;
    memset(&all, 0, sizeof all);
    car = (struct commands_car){.time_known = true, .gps_kmh = NAN};
    return 0;
}

static struct command make(unsigned n, enum command_type type)
{
    struct command c = {.type = type, .expires_ms = NOW + 60000};

    snprintf(c.id, sizeof c.id, "0197f3c2-5f0e-7abc-8def-%012x", n);
    return c;
}

static void judge(const struct command *c)
{
    commands_judge(&v, &all, c, ST_OK, "", &car, NOW);
}

static void answered(unsigned n, enum command_state state, const char *reason)
{
    struct commands_answer a = {.state = state, .expires_ms = NOW};

    snprintf(a.id, sizeof a.id, "0197f3c2-5f0e-7abc-8def-%012x", n);
    snprintf(a.reason, sizeof a.reason, "%s", reason);
    commands_keep(&all, &a);
}

static void a_new_command_is_delivered_and_begun(void **state)
{
    struct command c = make(1, COMMAND_DIAGNOSTICS_READ);

    (void)state;
    judge(&c);
    assert_true(v.begin);
    assert_false(v.seen);
    assert_int_equal(v.answer.state, COMMAND_DELIVERED);
    assert_string_equal(v.answer.id, c.id);
}

static void one_that_comes_again_gets_its_answer_again_and_is_not_done_twice(void **state)
{
    struct command c = make(1, COMMAND_DIAGNOSTICS_CLEAR);

    (void)state;
    answered(1, COMMAND_FAILED, "no control unit answers");
    c.expires_ms = NOW - 1; /* even when it is too late by now */
    judge(&c);
    assert_true(v.seen);
    assert_false(v.begin);
    assert_int_equal(v.answer.state, COMMAND_FAILED);
    assert_string_equal(v.answer.reason, "no control unit answers");
}

static void one_that_comes_too_late_expires_at_the_very_moment(void **state)
{
    struct command c = make(1, COMMAND_AGENT_RESTART);

    (void)state;
    c.expires_ms = NOW;
    judge(&c);
    assert_false(v.begin);
    assert_int_equal(v.answer.state, COMMAND_EXPIRED);
    c.expires_ms = NOW + 1;
    judge(&c);
    assert_true(v.begin);
}

static void while_the_time_is_not_known_nothing_expires_and_nothing_is_cleared(void **state)
{
    struct command restart = make(1, COMMAND_AGENT_RESTART),
                   clear = make(2, COMMAND_DIAGNOSTICS_CLEAR);

    (void)state;
    car.time_known = false;
    restart.expires_ms = 5;
    judge(&restart);
    assert_true(v.begin);
    judge(&clear);
    assert_false(v.begin);
    assert_int_equal(v.answer.state, COMMAND_REFUSED);
}

static void codes_are_not_cleared_while_the_receiver_sees_the_car_move(void **state)
{
    struct command c = make(1, COMMAND_DIAGNOSTICS_CLEAR);

    (void)state;
    car.gps_kmh = 5;
    judge(&c);
    assert_int_equal(v.answer.state, COMMAND_REFUSED);
    assert_string_equal(v.answer.reason, "the car moves");
    car.gps_kmh = 4.9;
    judge(&c);
    assert_true(v.begin);
}

static void without_a_camera_there_is_no_picture_and_in_private_mode_neither(void **state)
{
    static const enum command_type types[] = {COMMAND_PHOTO, COMMAND_CLIP, COMMAND_STREAM_START,
                                              COMMAND_STREAM_STOP};

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct command c = make(1, types[i]);

        car.has_camera = car.is_private = false;
        judge(&c);
        assert_int_equal(v.answer.state, COMMAND_REFUSED);
        assert_string_equal(v.answer.reason, "no camera");
        car.has_camera = car.is_private = true;
        judge(&c);
        assert_int_equal(v.begin, types[i] == COMMAND_STREAM_STOP); /* ending is always right */
        car.is_private = false;
        judge(&c);
        assert_true(v.begin);
    }
}

static void what_was_not_understood_is_refused_in_the_words_of_the_reader(void **state)
{
    struct command c = make(1, COMMAND_STREAM_START);

    (void)state;
    commands_judge(&v, &all, &c, ST_REJECT, "revision is missing", &car, NOW);
    assert_false(v.begin);
    assert_int_equal(v.answer.state, COMMAND_REFUSED);
    assert_string_equal(v.answer.reason, "revision is missing");
}

static void private_mode_until_a_time_that_is_past_is_refused(void **state)
{
    struct command c = make(1, COMMAND_PRIVACY_SET);

    (void)state;
    c.args.privacy.on = true;
    c.args.privacy.until_ms = NOW;
    judge(&c);
    assert_string_equal(v.answer.reason, "until is past");
    c.args.privacy.until_ms = NOW + 1;
    judge(&c);
    assert_true(v.begin);
    c.args.privacy.until_ms = NOW + 366 * 86400000LL;
    judge(&c);
    assert_true(v.begin);
    c.args.privacy.until_ms++; /* or it was microseconds */
    judge(&c);
    assert_int_equal(v.answer.state, COMMAND_REFUSED);
    c.args.privacy.until_ms = NOW + 1;
    c.args.privacy.on = false;
    judge(&c);
    assert_int_equal(v.answer.state, COMMAND_REFUSED);
}

static void not_more_than_a_few_are_under_way_at_once(void **state)
{
    struct command c = make(1, COMMAND_DIAGNOSTICS_READ);

    (void)state;
    car.running = COMMANDS_RUNNING_MAX;
    judge(&c);
    assert_int_equal(v.answer.state, COMMAND_REFUSED);
}

static void the_oldest_answer_goes_first_and_one_under_way_last(void **state)
{
    struct command first = make(0, COMMAND_PHOTO), second = make(1, COMMAND_PHOTO);

    (void)state;
    answered(0, COMMAND_DELIVERED, "");
    for (unsigned n = 1; n <= COMMANDS_KEPT; n++)
        answered(n, COMMAND_DONE, "");
    assert_int_equal(all.count, COMMANDS_KEPT);
    judge(&first);
    assert_true(v.seen);
    judge(&second);
    assert_false(v.seen);
    assert_string_equal(commands_unfinished(&all)->id, first.id);
    answered(0, COMMAND_DONE, "");
    assert_null(commands_unfinished(&all));
    assert_int_equal(all.count, COMMANDS_KEPT);
}

static void the_answers_survive_a_restart(void **state)
{
    struct commands again;
    struct text text;

    (void)state;
    text_init(&text);
    for (unsigned n = 0; n < COMMANDS_KEPT; n++)
        answered(n, n % 2 == 0 ? COMMAND_DONE : COMMAND_REFUSED, n % 2 == 0 ? "" : "a \"reason\"");
    commands_write(&all, &text);
    assert_int_equal(commands_load(&again, text.bytes, text.len, &fault), ST_OK);
    assert_int_equal(again.count, all.count);
    for (size_t i = 0; i < all.count; i++) {
        assert_string_equal(again.answers[i].id, all.answers[i].id);
        assert_string_equal(again.answers[i].reason, all.answers[i].reason);
        assert_int_equal(again.answers[i].state, all.answers[i].state);
        assert_int_equal(again.answers[i].expires_ms, NOW);
    }
    assert_int_equal(commands_load(&again, "{\"answers\":[[1]]}", 17, &fault), ST_REJECT);
    assert_int_equal(again.count, 0);
    assert_int_equal(commands_load(&again, "", 0, &fault), ST_REJECT);
    text_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_new_command_is_delivered_and_begun, begin),
        cmocka_unit_test_setup(one_that_comes_again_gets_its_answer_again_and_is_not_done_twice,
                               begin),
        cmocka_unit_test_setup(one_that_comes_too_late_expires_at_the_very_moment, begin),
        cmocka_unit_test_setup(while_the_time_is_not_known_nothing_expires_and_nothing_is_cleared,
                               begin),
        cmocka_unit_test_setup(codes_are_not_cleared_while_the_receiver_sees_the_car_move, begin),
        cmocka_unit_test_setup(without_a_camera_there_is_no_picture_and_in_private_mode_neither,
                               begin),
        cmocka_unit_test_setup(what_was_not_understood_is_refused_in_the_words_of_the_reader,
                               begin),
        cmocka_unit_test_setup(private_mode_until_a_time_that_is_past_is_refused, begin),
        cmocka_unit_test_setup(not_more_than_a_few_are_under_way_at_once, begin),
        cmocka_unit_test_setup(the_oldest_answer_goes_first_and_one_under_way_last, begin),
        cmocka_unit_test_setup(the_answers_survive_a_restart, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
