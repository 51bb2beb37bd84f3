/* command/1 and result/1: words, arguments, and what is said about a command we do not
 * understand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "proto/command.h"
#include "proto/result.h"

#define ID "0197f3c2-5f0e-7abc-8def-aaaaaaaaaaaa"
#define STREAM "0197f3c2-5f0e-7abc-8def-0123456789ab"
#define EXPIRES INT64_C(1795248060000)

static struct fault fault;

static enum status read_text(struct command *c, const char *text)
{
    fault.text[0] = '\0';
    return command_read(c, text, strlen(text), &fault);
}

static enum status read_args(struct command *c, const char *type, const char *args)
{
    char text[2048];

    snprintf(text, sizeof text,
             "{\"schema\":\"command/1\",\"id\":\"" ID
             "\",\"type\":\"%s\",\"args\":%s,\"expires\":1795248060000}",
             type, args);
    return read_text(c, text);
}

/* ---- words */

static void every_type_and_state_has_a_word_that_reads_back(void **state)
{
    enum command_type type;
    enum command_state word;

    (void)state;
    for (int i = 0; i < COMMAND_TYPES; i++) {
        assert_int_equal(command_type_of(command_type_word((enum command_type)i), &type, &fault),
                         ST_OK);
        assert_int_equal(type, i);
    }
    for (int i = 0; i < COMMAND_STATES; i++) {
        assert_int_equal(command_state_of(command_state_word((enum command_state)i), &word, &fault),
                         ST_OK);
        assert_int_equal(word, i);
    }
    assert_int_equal(command_type_of("engine.stop", &type, &fault), ST_REJECT);
    assert_int_equal(command_type_of("", &type, &fault), ST_REJECT);
    assert_int_equal(command_state_of("Done", &word, &fault), ST_REJECT);
}

static void queued_and_sent_are_no_results_and_delivered_is_not_final(void **state)
{
    (void)state;
    assert_false(command_state_is_a_result(COMMAND_QUEUED));
    assert_false(command_state_is_a_result(COMMAND_SENT));
    assert_true(command_state_is_a_result(COMMAND_DELIVERED));
    assert_false(command_state_is_final(COMMAND_DELIVERED));
    assert_true(command_state_is_final(COMMAND_DONE));
    assert_true(command_state_is_final(COMMAND_EXPIRED));
}

/* ---- arguments */

static void every_type_survives_the_round_trip(void **state)
{
    static const struct {
        const char *type, *args;
    } all[] = {
        {"stream.start", "{\"session\":\"s-1_B\",\"url\":\"rtsps://v.example:8322/x?y=1\"}"},
        {"stream.stop", "{\"session\":\"s-1_B\"}"},
        {"photo", "{}"},
        {"clip", "{\"before_s\":0,\"after_s\":120}"},
        {"diagnostics.read", "{}"},
        {"diagnostics.clear", "{\"confirmed_by\":\"Zo\xC3\xA9 \\\"Z\\\" Keller\"}"},
        {"config.apply", "{\"revision\":4}"},
        {"privacy.set", "{\"on\":true,\"until\":1795330800000}"},
        {"privacy.set", "{\"on\":false}"},
        {"agent.restart", "{}"},
    };
    char out[2048], wanted[2048];
    struct command c, again;
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_int_equal(read_args(&c, all[i].type, all[i].args), ST_OK);
        assert_string_equal(c.id, ID);
        assert_int_equal(c.expires_ms, EXPIRES);
        assert_int_equal(command_args_write(&c, out, sizeof out, &len, &fault), ST_OK);
        assert_int_equal(len, strlen(all[i].args));
        assert_memory_equal(out, all[i].args, len);
        assert_int_equal(command_write(&c, out, sizeof out, &len, &fault), ST_OK);
        snprintf(wanted, sizeof wanted,
                 "{\"schema\":\"command/1\",\"id\":\"" ID
                 "\",\"type\":\"%s\",\"args\":%s,\"expires\":1795248060000}",
                 all[i].type, all[i].args);
        assert_int_equal(len, strlen(wanted));
        assert_memory_equal(out, wanted, len);
        assert_int_equal(command_read(&again, out, len, &fault), ST_OK);
        assert_memory_equal(&again, &c, sizeof c);
        assert_int_equal(command_write(&c, out, len - 1, &len, &fault), ST_REJECT);
    }
}

static void a_clip_without_arguments_is_thirty_seconds_before_and_five_after(void **state)
{
    struct command c = {.type = COMMAND_CLIP};

    (void)state;
    assert_int_equal(command_args_read(&c, NULL, &fault), ST_OK);
    assert_int_equal(c.args.clip.before_s, 30);
    assert_int_equal(c.args.clip.after_s, 5);
}

static void arguments_that_are_missing_or_wrong_are_named(void **state)
{
    static const struct {
        const char *type, *args, *named;
    } all[] = {
        {"diagnostics.clear", "{}", "confirmed_by"},
        {"diagnostics.clear", "{\"confirmed_by\":\"\"}", "confirmed_by"},
        {"diagnostics.clear", "{\"confirmed_by\":\"a\\nb\"}", "confirmed_by"},
        {"diagnostics.clear", "{\"confirmed_by\":true}", "confirmed_by"},
        {"config.apply", "{}", "revision"},
        {"config.apply", "{\"revision\":0}", "revision"},
        {"config.apply", "{\"revision\":1.5}", "revision"},
        {"privacy.set", "{\"until\":5}", "on"},
        {"privacy.set", "{\"on\":1}", "on"},
        {"privacy.set", "{\"on\":true,\"until\":\"2026-01-01\"}", "until"},
        {"privacy.set", "{\"on\":true,\"until\":null}", "until"},
        {"clip", "{\"before_s\":121}", "before_s"},
        {"clip", "{\"before_s\":0,\"after_s\":0}", "before_s"},
        {"clip", "{\"after_s\":-1}", "after_s"},
        {"stream.start", "{\"session\":\"a\"}", "url"},
        {"stream.start", "{\"session\":\"a b\",\"url\":\"x\"}", "session"},
        {"stream.start", "{\"session\":\"a\",\"url\":\"x y\"}", "url"},
        {"stream.stop", "{}", "session"},
        {"stream.stop", "{\"session\":\"a/b\"}", "session"},
        {"photo", "[]", "args"},
        {"photo", "null", "args"},
    };
    struct command c;

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_int_equal(read_args(&c, all[i].type, all[i].args), ST_REJECT);
        if (strncmp(fault.text, all[i].named, strlen(all[i].named)) != 0)
            fail_msg("%s %s: %s", all[i].type, all[i].args, fault.text);
    }
}

static void members_we_do_not_know_are_ignored(void **state)
{
    struct command c;

    (void)state;
    assert_int_equal(read_args(&c, "photo", "{\"quality\":[80]}"), ST_OK);
    assert_int_equal(read_text(&c, "{\"schema\":\"command/1\",\"id\":\"" ID
                                   "\",\"type\":\"photo\",\"args\":{},\"expires\":5,\"by\":{}}"),
                     ST_OK);
}

/* ---- what cannot be read */

static void a_command_we_do_not_understand_can_still_be_answered(void **state)
{
    struct command c;

    (void)state;
    assert_int_equal(read_args(&c, "engine.stop", "{}"), ST_REJECT);
    assert_string_equal(c.id, ID);
    assert_int_equal(c.expires_ms, EXPIRES);
    assert_int_equal(read_args(&c, "diagnostics.clear", "{}"), ST_REJECT);
    assert_string_equal(c.id, ID);
    assert_string_equal(c.args.clear.confirmed_by, "");
    assert_int_equal(read_text(&c, "{\"schema\":\"command/2\",\"id\":\"" ID "\"}"), ST_REJECT);
    assert_string_equal(c.id, ID);
    assert_int_equal(c.expires_ms, 0);
}

static void without_an_id_there_is_nobody_to_answer(void **state)
{
    struct command c;

    (void)state;
    memset(&c, 'x', sizeof c);
    assert_int_equal(read_text(&c, "{\"schema\":\"command/1\",\"id\":\"1\",\"type\":\"photo\","
                                   "\"args\":{},\"expires\":5}"),
                     ST_REJECT);
    assert_string_equal(c.id, "");
    assert_int_equal(c.expires_ms, 5);
    assert_non_null(strstr(fault.text, "id"));
    assert_int_equal(read_text(&c, "{\"schema\":"), ST_REJECT);
    assert_string_equal(c.id, "");
}

/* ---- results */

static struct result sample(enum command_state what, const char *reason)
{
    struct result r = {.head = {.schema = "result/1", .stream = STREAM, .seq = 8, .clock = 3},
                       .command = ID,
                       .state = what};

    snprintf(r.reason, sizeof r.reason, "%s", reason);
    return r;
}

static void a_result_survives_the_round_trip(void **state)
{
    static char out[1024];
    size_t len;

    (void)state;
    for (int i = COMMAND_DELIVERED; i < COMMAND_STATES; i++) {
        struct result r = sample((enum command_state)i, i == COMMAND_DONE ? "" : "no \"camera\""),
                      again;

        assert_int_equal(result_write(&r, i == COMMAND_DONE ? "{\"cleared\":2}" : NULL, out,
                                      sizeof out, &len, &fault),
                         ST_OK);
        assert_int_equal(result_read(&again, out, len, &fault), ST_OK);
        assert_int_equal(again.state, i);
        assert_string_equal(again.command, ID);
        assert_string_equal(again.reason, r.reason);
        assert_int_equal(again.head.seq, 8);
    }
}

static void a_result_nobody_could_read_is_not_written(void **state)
{
    static char out[JSON_MAX_BYTES];
    struct result r = sample(COMMAND_DONE, "");
    size_t len = 77;

    (void)state;
    assert_int_equal(result_write(&r, "[]", out, sizeof out, &len, &fault), ST_REJECT);
    assert_int_equal(result_write(&r, "{", out, sizeof out, &len, &fault), ST_REJECT);
    assert_int_equal(result_write(&r, NULL, out, 40, &len, &fault), ST_REJECT);
    r.state = COMMAND_SENT;
    assert_int_equal(result_write(&r, NULL, out, sizeof out, &len, &fault), ST_REJECT);
    r = sample(COMMAND_DONE, "");
    r.command[0] = '\0';
    assert_int_equal(result_write(&r, NULL, out, sizeof out, &len, &fault), ST_REJECT);
    assert_int_equal(len, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_and_state_has_a_word_that_reads_back),
        cmocka_unit_test(queued_and_sent_are_no_results_and_delivered_is_not_final),
        cmocka_unit_test(every_type_survives_the_round_trip),
        cmocka_unit_test(a_clip_without_arguments_is_thirty_seconds_before_and_five_after),
        cmocka_unit_test(arguments_that_are_missing_or_wrong_are_named),
        cmocka_unit_test(members_we_do_not_know_are_ignored),
        cmocka_unit_test(a_command_we_do_not_understand_can_still_be_answered),
        cmocka_unit_test(without_an_id_there_is_nobody_to_answer),
        cmocka_unit_test(a_result_survives_the_round_trip),
        cmocka_unit_test(a_result_nobody_could_read_is_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
