/* asyncapi.yaml and schema/ say what the code does.  Reads them from the source tree, and the
 * examples the fuzzers start from: run from the project's folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/ack.h"
#include "proto/command.h"
#include "proto/fact.h"
#include "proto/live.h"
#include "proto/state.h"
#include "proto/telemetry.h"

#define VIN "WVWZZZ1KZAW000001"

static struct fault fault;

static const char *read_file(const char *path)
{
    static char text[65536];
    FILE *file = fopen(path, "r");
    size_t len;

    if (!file)
        fail_msg("cannot open %s: run from the project's folder", path);
    len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = '\0';
    return text;
}

static json_t *load(const char *name)
{
    char path[128];
    json_t *root;

    snprintf(path, sizeof path, "proto/schema/%s.json", name);
    root = json_loads(read_file(path), JSON_REJECT_DUPLICATES, NULL);
    if (!root)
        fail_msg("%s is no JSON", path);
    return root;
}

/* The schema of a leaf: its last word, but for the alert that ingest sends. */
static const char *schema_of(enum leaf leaf)
{
    const char *name = topic_leaf_name(leaf), *slash = strrchr(name, '/');

    return leaf == LEAF_ALERT_CHANGE ? "alert-change" : slash ? slash + 1 : name;
}

static size_t occurrences(const char *text, const char *what)
{
    size_t n = 0;

    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}

static void every_topic_has_one_channel_and_no_channel_is_anything_else(void **state)
{
    const char *text = read_file("proto/asyncapi.yaml");
    char line[160];

    (void)state;
    assert_int_equal(occurrences(text, "    address: "), LEAF_COUNT);
    for (int leaf = 0; leaf < LEAF_COUNT; leaf++) {
        snprintf(line, sizeof line, "    address: fleet/v1/{shard}/{vin}/%s\n",
                 topic_leaf_name((enum leaf)leaf));
        if (occurrences(text, line) != 1)
            fail_msg("asyncapi.yaml has no channel %s", line);
        snprintf(line, sizeof line, "$ref: \"schema/%s.json\"}\n", schema_of((enum leaf)leaf));
        if (occurrences(text, line) != 1)
            fail_msg("asyncapi.yaml does not use %s", line);
    }
}

static void every_message_has_its_schema_and_no_schema_is_left_over(void **state)
{
    DIR *folder = opendir("proto/schema");
    size_t files = 0;

    (void)state;
    assert_non_null(folder);
    for (struct dirent *e; (e = readdir(folder));)
        files += strstr(e->d_name, ".json") != NULL;
    closedir(folder);
    assert_int_equal(files, LEAF_COUNT + 1); /* and common.json */
    for (int leaf = 0; leaf < LEAF_COUNT; leaf++) {
        const char *name = schema_of((enum leaf)leaf), *constant;
        json_t *root = load(name);
        char wanted[40];

        snprintf(wanted, sizeof wanted, "%s/1", name);
        assert_string_equal(json_string_value(json_object_get(root, "title")), wanted);
        assert_int_equal(
            json_unpack(root, "{s{s{ss}}}", "properties", "schema", "const", &constant), 0);
        assert_string_equal(constant, wanted);
        assert_string_equal(json_string_value(json_object_get(root, "$schema")),
                            "https://json-schema.org/draft/2020-12/schema");
        json_decref(root);
    }
}

/* ---- what is required, and what is not ---- */

static enum status read_message(enum leaf leaf, const char *text)
{
    struct telemetry t;
    struct vehicle_state s;
    struct fact f;
    struct live l;
    struct command c;
    struct ack a;
    enum status st;

    switch (leaf) {
    case LEAF_TELEMETRY:
        telemetry_init(&t);
        st = telemetry_read(&t, text, strlen(text), &fault);
        telemetry_done(&t);
        return st;
    case LEAF_STATE:
        return state_read(&s, text, strlen(text), &fault);
    case LEAF_ACK:
        return ack_read(&a, text, strlen(text), &fault);
    case LEAF_COMMAND:
        return command_read(&c, text, strlen(text), &fault);
    case LEAF_LIVE:
        return live_read(&l, text, strlen(text), &fault);
    default:
        return fact_read(&f, VIN, leaf, text, strlen(text), &fault);
    }
}

static bool is_required(const json_t *schema, const char *key)
{
    const json_t *required = json_object_get(schema, "required");

    for (size_t i = 0; i < json_array_size(required); i++)
        if (strcmp(json_string_value(json_array_get(required, i)), key) == 0)
            return true;
    return false;
}

/* Leave each member out in turn, then make each null. */
static void check_members(enum leaf leaf, const json_t *schema, const json_t *message)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)message, key, value)
    {
        json_t *less = json_copy((json_t *)message);
        char *text;
        enum status st;

        if (!json_object_get(json_object_get(schema, "properties"), key))
            fail_msg("%s is not in the schema of %s", key, topic_leaf_name(leaf));
        json_object_del(less, key);
        text = json_dumps(less, 0);
        st = read_message(leaf, text);
        if (strcmp(key, "lat") != 0 && strcmp(key, "lon") != 0 && /* they come together */
            (st == ST_OK) != !is_required(schema, key))
            fail_msg("%s without %s: %s", topic_leaf_name(leaf), key, status_name(st));
        free(text);
        json_object_set_new(less, key, json_null());
        text = json_dumps(less, 0);
        if (read_message(leaf, text) == ST_OK)
            fail_msg("%s with %s null was accepted", topic_leaf_name(leaf), key);
        free(text);
        json_decref(less);
    }
}

static void the_codecs_demand_exactly_what_the_schemas_require(void **state)
{
    static const struct {
        enum leaf leaf;
        const char *path;
        size_t skip; /* the byte that tells the fuzzer which */
    } examples[] = {
        {LEAF_STATE, "state/contract.json", 0},
        {LEAF_TELEMETRY, "telemetry/contract.json", 0},
        {LEAF_EVENT, "fact/event", 1},
        {LEAF_ALERT, "fact/alert", 1},
        {LEAF_DIAGNOSTICS, "fact/diagnostics", 1},
        {LEAF_MEDIA, "fact/media", 1},
        {LEAF_RESULT, "fact/result", 1},
        {LEAF_ACK, "ack/contract.json", 0},
        {LEAF_COMMAND, "command/contract.json", 0},
        {LEAF_LIVE, "live/contract.json", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        char path[128];
        json_t *schema = load(schema_of(examples[i].leaf)), *message;

        snprintf(path, sizeof path, "tests/fuzz/proto/seeds/%s", examples[i].path);
        message = json_loads(read_file(path) + examples[i].skip, 0, NULL);
        assert_non_null(message);
        check_members(examples[i].leaf, schema, message);
        json_decref(message);
        json_decref(schema);
    }
}

/* ---- words and limits ---- */

static const json_t *definition(const json_t *common, const char *name)
{
    return json_object_get(json_object_get(json_object_get(common, "$defs"), name), "enum");
}

static void check_words(const char *name, const char *type_format, size_t count)
{
    json_t *common = load("common");
    const json_t *words = definition(common, name);
    char text[512];

    assert_int_equal(json_array_size(words), count);
    for (size_t i = 0; i < count; i++) {
        snprintf(
            text, sizeof text,
            "{\"schema\":\"alert/1\",\"stream\":\"0197f3c2-5f0e-7abc-8def-0123456789ab\",\"seq\":1,"
            "\"clock\":\"gps\",\"id\":\"0197f3c2-5f0e-7abc-8def-0123456789ab\",\"t\":1,%s%s\"}",
            type_format, json_string_value(json_array_get(words, i)));
        if (read_message(LEAF_ALERT, text) != ST_OK)
            fail_msg("%s: %s", text, fault.text);
    }
    json_decref(common);
}

static void the_codecs_know_every_alert_type_and_severity(void **state)
{
    (void)state;
    check_words("alert_type", "\"severity\":\"info\",\"type\":\"", 22);
    check_words("severity", "\"type\":\"crash\",\"severity\":\"", 5);
}

static void the_codec_knows_every_command_type_and_the_documents_no_other(void **state)
{
    json_t *schema = load("command");
    const json_t *words =
        json_object_get(json_object_get(json_object_get(schema, "properties"), "type"), "enum");
    enum command_type type;

    (void)state;
    assert_int_equal(json_array_size(words), COMMAND_TYPES);
    for (size_t i = 0; i < COMMAND_TYPES; i++)
        assert_int_equal(
            command_type_of(json_string_value(json_array_get(words, i)), &type, &fault), ST_OK);
    json_decref(schema);
}

static void the_limits_are_the_same(void **state)
{
    json_t *ack = load("ack"), *telemetry = load("telemetry"), *common = load("common");
    json_int_t gaps, samples, most;

    (void)state;
    assert_int_equal(json_unpack(ack, "{s{s{sI}}}", "properties", "gaps", "maxItems", &gaps), 0);
    assert_int_equal(gaps, ACK_GAPS_MAX);
    assert_int_equal(
        json_unpack(telemetry, "{s{s{sI}}}", "properties", "samples", "maxItems", &samples), 0);
    assert_int_equal(samples, TELEMETRY_SAMPLES_MAX);
    assert_int_equal(json_unpack(common, "{s{s{sI}}}", "$defs", "seq", "maximum", &most), 0);
    assert_true(most == JSON_INTEGER_MAX);
    for (int clock = CLOCK_NONE; clock <= CLOCK_GPS; clock++) {
        const json_t *words = definition(common, "clock");
        bool found = false;

        for (size_t i = 0; i < json_array_size(words); i++)
            found |= strcmp(json_string_value(json_array_get(words, i)),
                            clock_name((enum clock_source)clock)) == 0;
        assert_true(found);
    }
    json_decref(ack);
    json_decref(telemetry);
    json_decref(common);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_topic_has_one_channel_and_no_channel_is_anything_else),
        cmocka_unit_test(every_message_has_its_schema_and_no_schema_is_left_over),
        cmocka_unit_test(the_codecs_demand_exactly_what_the_schemas_require),
        cmocka_unit_test(the_codecs_know_every_alert_type_and_severity),
        cmocka_unit_test(the_codec_knows_every_command_type_and_the_documents_no_other),
        cmocka_unit_test(the_limits_are_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
