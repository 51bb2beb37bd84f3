/* tests/unit/lib/test_settings.c - flags, environment, defaults, --help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/settings.h"
#include "lib/text.h"
#include "lib/version.h"

struct sample {
    struct settings_common common;
    char mqtt[SETTING_TEXT_MAX], note[SETTING_TEXT_MAX], key[SETTING_TEXT_MAX];
    char pass[SETTING_TEXT_MAX];
    int64_t slots, wait_ms;
    bool fast;
};

static const struct setting table[] = {
    SETTINGS_COMMON(struct sample, common, "127.0.0.1:9101"),
    {"mqtt", SET_TEXT, "mqtts://127.0.0.1:8884", SETTING_AT(struct sample, mqtt), "the broker"},
    {"note", SET_TEXT, "", SETTING_AT(struct sample, note), "may be absent"},
    {"queue-slots", SET_COUNT, "8k", SETTING_AT(struct sample, slots), "messages held at most"},
    {"batch-wait", SET_MILLIS, "20", SETTING_AT(struct sample, wait_ms), "ms a point may wait"},
    {"fast", SET_SWITCH, "on", SETTING_AT(struct sample, fast), "no waiting"},
    {"pass", SET_SECRET, "", SETTING_AT(struct sample, pass), "a password"},
    {0},
};

static const struct setting strict_table[] = {
    {"mqtt", SET_TEXT, NULL, SETTING_AT(struct sample, mqtt), "the broker"},
    {"key", SET_SECRET, NULL, SETTING_AT(struct sample, key), "a key"},
    {0},
};

static const struct program program = {"vigie-sample", "shows how settings work", NULL};
static struct sample set;
static struct fault fault;

/* Load from words split at spaces; the first is the program's name. */
static enum status load_from(const struct setting *rows, const char *line, char **rest, int *count)
{
    static char words[512];
    static char *argv[32];
    int argc = 0;

    memset(&set, 0, sizeof set);
    fault.text[0] = '\0';
    snprintf(words, sizeof words, "vigie-sample %s", line);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    return settings_load(&set, rows, &program, argc, argv, rest, count, &fault);
}

static enum status load(const char *line)
{
    return load_from(table, line, NULL, NULL);
}

static int clear_environment(void **state)
{
    (void)state;
    return clearenv();
}

static void assert_refused(const char *line, const char *part, const char *cure)
{
    assert_int_equal(load(line), ST_REJECT);
    assert_non_null(strstr(fault.text, part));
    assert_non_null(strstr(fault.text, cure));
    assert_null(strchr(fault.text, '\n'));
}

static void defaults_fill_everything(void **state)
{
    (void)state;
    assert_int_equal(load(""), ST_OK);
    assert_string_equal(set.common.site, "illkirch");
    assert_string_equal(set.common.admin, "127.0.0.1:9101");
    assert_string_equal(set.common.log_level, "info");
    assert_false(set.common.check);
    assert_string_equal(set.mqtt, "mqtts://127.0.0.1:8884");
    assert_string_equal(set.note, "");
    assert_string_equal(set.pass, "");
    assert_int_equal(set.slots, 8192);
    assert_int_equal(set.wait_ms, 20);
    assert_true(set.fast);
}

static void a_flag_wins_over_the_environment_and_that_over_the_default(void **state)
{
    (void)state;
    setenv("VIGIE_MQTT", "mqtts://environment:1", 1);
    setenv("VIGIE_QUEUE_SLOTS", "7", 1);
    assert_int_equal(load("--mqtt mqtts://flag:1"), ST_OK);
    assert_string_equal(set.mqtt, "mqtts://flag:1");
    assert_int_equal(set.slots, 7);
    assert_int_equal(load("--mqtt=mqtts://a=b:1 --queue-slots=9 --queue-slots 10"), ST_OK);
    assert_string_equal(set.mqtt, "mqtts://a=b:1");
    assert_int_equal(set.slots, 10); /* the last one */
}

static void a_bad_variable_that_a_flag_overrides_does_no_harm(void **state)
{
    (void)state;
    setenv("VIGIE_QUEUE_SLOTS", "many", 1);
    assert_int_equal(load("--queue-slots 3"), ST_OK);
    assert_int_equal(set.slots, 3);
    assert_refused("", "VIGIE_QUEUE_SLOTS: \"many\"", "write 0, 500, 8k");
}

static void an_empty_variable_is_unset_and_an_empty_flag_is_empty(void **state)
{
    (void)state;
    setenv("VIGIE_MQTT", "", 1);
    setenv("VIGIE_QUEUE_SLOTS", "", 1);
    assert_int_equal(load("--note="), ST_OK);
    assert_string_equal(set.mqtt, "mqtts://127.0.0.1:8884");
    assert_int_equal(set.slots, 8192);
    assert_int_equal(load("--mqtt= --queue-slots="), ST_OK);
    assert_string_equal(set.mqtt, "");
    assert_int_equal(set.slots, 0);
}

static void variables_of_others_do_not_disturb(void **state)
{
    (void)state;
    setenv("MQTT", "x", 1);
    setenv("VIGIE_UNKNOWN", "x", 1);
    setenv("VIGIE_MQTT_FILE", "/nowhere", 1); /* no secret, so nobody's */
    assert_int_equal(load(""), ST_OK);
    assert_string_equal(set.mqtt, "mqtts://127.0.0.1:8884");
}

static void counts_understand_k_m_and_g(void **state)
{
    static const struct {
        const char *line;
        int64_t slots;
    } rows[] = {{"--queue-slots 0", 0},
                {"--queue-slots 12", 12},
                {"--queue-slots 2k", 2048},
                {"--queue-slots 2K", 2048},
                {"--queue-slots 3M", 3 << 20},
                {"--queue-slots 2G", INT64_C(2) << 30},
                {"--queue-slots 9007199254740992", INT64_C(1) << 53}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(load(rows[i].line), ST_OK);
        assert_true(set.slots == rows[i].slots);
    }
}

static void times_understand_their_units(void **state)
{
    static const struct {
        const char *line;
        int64_t ms;
    } rows[] = {{"--batch-wait 250", 250},     {"--batch-wait 250ms", 250},
                {"--batch-wait 2s", 2000},     {"--batch-wait 5m", 300000},
                {"--batch-wait 3h", 10800000}, {"--batch-wait 1d", 86400000},
                {"--batch-wait=0", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(load(rows[i].line), ST_OK);
        assert_true(set.wait_ms == rows[i].ms);
    }
}

static void bad_numbers_are_refused_with_the_flag_and_the_cure(void **state)
{
    (void)state;
    assert_refused("--queue-slots -1", "--queue-slots: \"-1\"", "write 0, 500, 8k");
    assert_refused("--queue-slots 1.5", "--queue-slots", "write");
    assert_refused("--queue-slots 8kb", "--queue-slots", "write");
    assert_refused("--queue-slots 9007199254740993", "--queue-slots", "write");
    assert_refused("--queue-slots 99999999999999999999999", "--queue-slots", "write");
    assert_refused("--queue-slots 9007199254740992G", "--queue-slots", "write");
    assert_refused("--batch-wait soon", "--batch-wait: \"soon\"", "write 250ms, 2s");
    assert_refused("--batch-wait 2S", "--batch-wait", "write");
    assert_refused("--batch-wait s", "--batch-wait", "write");
}

static void switches_have_four_forms(void **state)
{
    (void)state;
    assert_int_equal(load("--no-fast"), ST_OK);
    assert_false(set.fast);
    assert_int_equal(load("--fast=off --check"), ST_OK);
    assert_false(set.fast);
    assert_true(set.common.check);
    assert_int_equal(load("--no-fast --fast"), ST_OK);
    assert_true(set.fast);
    setenv("VIGIE_FAST", "false", 1);
    assert_int_equal(load(""), ST_OK);
    assert_false(set.fast);
    assert_int_equal(load("--fast=yes"), ST_OK);
    assert_true(set.fast);
    assert_refused("--fast=maybe", "--fast: \"maybe\"", "on or off");
    assert_refused("--no-mqtt", "--no-mqtt", "--help");
    assert_refused("--no-fast=off", "--no-fast", "--help");
}

static void unknown_flags_and_words_are_refused(void **state)
{
    (void)state;
    assert_refused("--mqt x", "--mqt is no setting", "vigie-sample --help");
    assert_refused("--mqt=x", "--mqt is no setting", "vigie-sample --help");
    assert_refused("--mqttt x", "--mqttt is no setting", "vigie-sample --help");
    assert_refused("-x", "-x is no setting", "vigie-sample --help");
    assert_refused("word", "\"word\"", "usage: vigie-sample [settings]");
}

static void a_flag_without_its_value_is_refused(void **state)
{
    (void)state;
    assert_refused("--mqtt", "--mqtt needs a value", "--mqtt=VALUE");
    assert_refused("--mqtt --check", "--mqtt needs a value", "--mqtt=VALUE");
    assert_int_equal(load("--mqtt=--check"), ST_OK);
    assert_string_equal(set.mqtt, "--check");
}

static void words_are_handed_back_in_order(void **state)
{
    char *rest[8] = {NULL};
    int count = -1;

    (void)state;
    assert_int_equal(load_from(table, "user add --note x - --no-fast -- --site", rest, &count),
                     ST_OK);
    assert_int_equal(count, 4);
    assert_string_equal(rest[0], "user");
    assert_string_equal(rest[1], "add");
    assert_string_equal(rest[2], "-");
    assert_string_equal(rest[3], "--site");
    assert_string_equal(set.note, "x");
    assert_false(set.fast);
    assert_int_equal(load_from(table, "--note x", rest, &count), ST_OK);
    assert_int_equal(count, 0);
}

static void words_may_be_handed_back_in_argv_itself(void **state)
{
    char name[] = "p", a[] = "a", flag[] = "--note", value[] = "v", b[] = "b";
    char *argv[] = {name, flag, value, a, b, NULL};
    int count = 0;

    (void)state;
    assert_int_equal(settings_load(&set, table, &program, 5, argv, argv + 1, &count, &fault),
                     ST_OK);
    assert_int_equal(count, 2);
    assert_ptr_equal(argv[1], a);
    assert_ptr_equal(argv[2], b);
    assert_string_equal(set.note, "v");
}

static void what_is_required_and_missing_is_named_with_the_cure(void **state)
{
    (void)state;
    setenv("VIGIE_KEY", "k", 1);
    assert_int_equal(load_from(strict_table, "", NULL, NULL), ST_REJECT);
    assert_non_null(strstr(fault.text, "--mqtt is required"));
    assert_non_null(strstr(fault.text, "set VIGIE_MQTT"));
    unsetenv("VIGIE_KEY");
    assert_int_equal(load_from(strict_table, "--mqtt x", NULL, NULL), ST_REJECT);
    assert_non_null(strstr(fault.text, "key is required"));
    assert_non_null(strstr(fault.text, "VIGIE_KEY_FILE"));
}

static void a_secret_comes_from_its_file_before_its_variable(void **state)
{
    char path[64];

    (void)state;
    snprintf(path, sizeof path, "/tmp/test_settings.%d", (int)getpid());
    setenv("VIGIE_PASS", "from-variable", 1);
    assert_int_equal(load(""), ST_OK);
    assert_string_equal(set.pass, "from-variable");
    assert_int_equal(text_write_file(path, "from file\r\nsecond\n", 18, 0600, &fault), ST_OK);
    setenv("VIGIE_PASS_FILE", path, 1);
    assert_int_equal(load(""), ST_OK);
    assert_string_equal(set.pass, "from file");
    assert_int_equal(text_write_file(path, "\nsecond\n", 8, 0600, &fault), ST_OK);
    assert_refused("", "VIGIE_PASS_FILE: the first line", "is empty");
    unlink(path);
    assert_refused("", "VIGIE_PASS_FILE: /tmp/test_settings.", "No such file");
}

static void a_secret_is_no_flag_and_appears_in_no_fault(void **state)
{
    char *longest = calloc(1, SETTING_TEXT_MAX + 1);

    (void)state;
    assert_non_null(longest);
    assert_refused("--pass hunter2", "--pass is a secret", "VIGIE_PASS_FILE");
    assert_null(strstr(fault.text, "hunter2"));
    assert_refused("--pass=hunter2", "--pass is a secret", "VIGIE_PASS_FILE");
    assert_null(strstr(fault.text, "hunter2"));
    memset(longest, 'z', SETTING_TEXT_MAX);
    setenv("VIGIE_PASS", longest, 1);
    assert_refused("", "VIGIE_PASS is too long", "at most 511 bytes");
    assert_null(strstr(fault.text, "zz"));
    setenv("VIGIE_PASS", longest + 1, 1);
    assert_int_equal(load(""), ST_OK);
    assert_int_equal(strlen(set.pass), 511);
    free(longest);
}

/* ---- what is printed */

static char printed[16384];

/* Load with stdout caught into `printed`. */
static enum status load_printing(const struct setting *rows, const char *line)
{
    FILE *file = tmpfile();
    int real = dup(STDOUT_FILENO);
    enum status st;
    size_t n;

    assert_non_null(file);
    fflush(stdout);
    dup2(fileno(file), STDOUT_FILENO);
    st = load_from(rows, line, NULL, NULL);
    fflush(stdout);
    dup2(real, STDOUT_FILENO);
    close(real);
    rewind(file);
    n = fread(printed, 1, sizeof printed - 1, file);
    printed[n] = '\0';
    fclose(file);
    return st;
}

static void version_is_one_line(void **state)
{
    char line[128];

    (void)state;
    assert_int_equal(load_printing(strict_table, "--version"), ST_NONE);
    snprintf(line, sizeof line, "vigie-sample %s (%s)\n", version_number, version_revision);
    assert_string_equal(printed, line);
}

/* Where `what` starts in the line of help that begins with `flag`. */
static long column_of(const char *flag, const char *what)
{
    const char *line = strstr(printed, flag);
    const char *end = line ? strchr(line, '\n') : NULL;
    const char *at = line ? strstr(line, what) : NULL;

    assert_non_null(line);
    assert_true(at && at < end);
    return at - line;
}

static void help_lists_flag_variable_default_and_help_in_columns(void **state)
{
    (void)state;
    assert_int_equal(load_printing(table, "--help"), ST_NONE);
    assert_non_null(strstr(printed, "vigie-sample - shows how settings work\n"));
    assert_non_null(strstr(printed, "usage: vigie-sample [settings]\n"));
    assert_int_equal(column_of("--mqtt TEXT", "VIGIE_MQTT"),
                     column_of("--queue-slots N", "VIGIE_QUEUE_SLOTS"));
    assert_int_equal(column_of("--mqtt TEXT", "mqtts://127.0.0.1:8884"),
                     column_of("--batch-wait TIME", "20"));
    assert_int_equal(column_of("--mqtt TEXT", "the broker"),
                     column_of("(secret, no flag)", "a password"));
    assert_int_equal(column_of("--note TEXT", " -  "), column_of("(secret, no flag)", " -  "));
    assert_non_null(strstr(printed, "VIGIE_PASS[_FILE]"));
    assert_non_null(strstr(printed, "--version"));
}

static void help_needs_nothing_and_prints_no_secret(void **state)
{
    (void)state;
    setenv("VIGIE_KEY", "hunter2", 1);
    assert_int_equal(load_printing(strict_table, "-h"), ST_NONE);
    assert_non_null(strstr(printed, "required"));
    assert_null(strstr(printed, "hunter2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(defaults_fill_everything, clear_environment),
        cmocka_unit_test_setup(a_flag_wins_over_the_environment_and_that_over_the_default,
                               clear_environment),
        cmocka_unit_test_setup(a_bad_variable_that_a_flag_overrides_does_no_harm,
                               clear_environment),
        cmocka_unit_test_setup(an_empty_variable_is_unset_and_an_empty_flag_is_empty,
                               clear_environment),
        cmocka_unit_test_setup(variables_of_others_do_not_disturb, clear_environment),
        cmocka_unit_test_setup(counts_understand_k_m_and_g, clear_environment),
        cmocka_unit_test_setup(times_understand_their_units, clear_environment),
        cmocka_unit_test_setup(bad_numbers_are_refused_with_the_flag_and_the_cure,
                               clear_environment),
        cmocka_unit_test_setup(switches_have_four_forms, clear_environment),
        cmocka_unit_test_setup(unknown_flags_and_words_are_refused, clear_environment),
        cmocka_unit_test_setup(a_flag_without_its_value_is_refused, clear_environment),
        cmocka_unit_test_setup(words_are_handed_back_in_order, clear_environment),
        cmocka_unit_test_setup(words_may_be_handed_back_in_argv_itself, clear_environment),
        cmocka_unit_test_setup(what_is_required_and_missing_is_named_with_the_cure,
                               clear_environment),
        cmocka_unit_test_setup(a_secret_comes_from_its_file_before_its_variable, clear_environment),
        cmocka_unit_test_setup(a_secret_is_no_flag_and_appears_in_no_fault, clear_environment),
        cmocka_unit_test_setup(version_is_one_line, clear_environment),
        cmocka_unit_test_setup(help_lists_flag_variable_default_and_help_in_columns,
                               clear_environment),
        cmocka_unit_test_setup(help_needs_nothing_and_prints_no_secret, clear_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
