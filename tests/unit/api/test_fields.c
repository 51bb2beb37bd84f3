/* tests/unit/api/test_fields.c - members of a body, by their table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "services/api/fields.h"

static const char *const words[] = {"", "one", "two", NULL};
static const struct field table[] = {
    {"name", FIELD_TEXT, FIELD_NEEDED | FIELD_FILLED, 0, 5, NULL, NULL},
    {"note", FIELD_TEXT, FIELD_NULLABLE, 0, 5, NULL, NULL},
    {"word", FIELD_WORD, 0, 0, 0, words, NULL},
    {"number", FIELD_NUMBER, 0, -1, 2.5, NULL, NULL},
    {"whole", FIELD_INTEGER, FIELD_NULLABLE, 1, 3, NULL, NULL},
    {"money", FIELD_NUMBER, FIELD_CENTS, 0, 1e9, NULL, NULL},
    {"flag", FIELD_FLAG, 0, 0, 0, NULL, NULL},
    {"at", FIELD_TIME, 0, 0, 0, NULL, NULL},
    {"on", FIELD_DATE, 0, 0, 0, NULL, NULL},
    {"vin", FIELD_VIN, FIELD_FIXED, 0, 0, NULL, NULL},
    {"id", FIELD_ID, 0, 0, 0, NULL, "geofence"},
    {"signal", FIELD_SIGNAL, 0, 0, 0, NULL, NULL},
    {"zone", FIELD_ZONE, 0, 0, 0, NULL, NULL},
    {"points", FIELD_POINTS, 0, 0, 0, NULL, NULL},
    {"privacy", FIELD_PRIVACY, FIELD_NULLABLE, 0, 0, NULL, NULL},
    {"schedule", FIELD_SCHEDULE, FIELD_NULLABLE, 0, 0, NULL, NULL},
    {0},
};

static struct answer a;
static json_t *body;

/* What is wrong with it, as "/pointer code"; "": nothing. */
static const char *fault_of(const char *text, bool making)
{
    static char out[128];
    struct request r = {.id = 1};
    const char *pointer, *code;

    json_decref(body);
    body = NULL;
    answer_reset(&a);
    text_init(&r.body);
    text_add(&r.body, text, strlen(text));
    out[0] = '\0';
    if (fields_read(&r, table, making, &body, &a) != ST_OK) {
        pointer = strstr(a.body.bytes, "\"pointer\":\"");
        code = strstr(a.body.bytes, "\"code\":\"");
        snprintf(out, sizeof out, "%.*s %.*s", pointer ? (int)strcspn(pointer + 11, "\"") : 0,
                 pointer ? pointer + 11 : "", code ? (int)strcspn(code + 8, "\"") : 0,
                 code ? code + 8 : "");
    }
    text_done(&r.body);
    return out;
}

/* One member besides the one that is needed. */
static const char *member(const char *text)
{
    char whole[4096];

    snprintf(whole, sizeof whole, "{\"name\":\"x\",%s}", text);
    return fault_of(whole, true);
}

static void what_fits_is_taken(void **state)
{
    (void)state;
    assert_string_equal(fault_of("{\"name\":\"x\"}", true), "");
    assert_string_equal(
        member("\"note\":\"\",\"word\":\"\",\"number\":2.5,\"whole\":3,\"flag\":false"), "");
    assert_string_equal(member("\"note\":null,\"whole\":null,\"schedule\":null"), "");
    assert_string_equal(member("\"at\":\"2026-01-31T09:00:00+02:00\",\"on\":\"2028-02-29\""), "");
    assert_string_equal(member("\"vin\":\"WVWZZZ1KZAW000001\",\"signal\":\"Vehicle.Speed\""), "");
    assert_string_equal(member("\"note\":\"ééééé\",\"zone\":\"Europe/Paris\""), "");
    assert_string_equal(member("\"points\":[[7.7,48.5],[-180,90]]"), "");
    assert_string_equal(member("\"schedule\":{\"spans\":[{\"days\":[1,7],\"from\":\"22:00\",\"to\":"
                               "\"06:00\"}],\"except\":true}"),
                        "");
    assert_string_equal(
        member("\"privacy\":{\"zone\":\"CET-1CEST,M3.5.0,M10.5.0/3\",\"work\":[{\"days\":[1,5],"
               "\"from\":480,\"to\":1080}],\"crash_place\":true}"),
        "");
}

static void what_does_not_is_pointed_at(void **state)
{
    static const struct {
        const char *text, *fault;
    } wrong[] = {
        {"\"name\":\"\"", "/name length"},
        {"\"note\":\"abcdef\"", "/note length"},
        {"\"note\":\"a\\u0001\"", "/note length"},
        {"\"note\":1", "/note type"},
        {"\"word\":\"three\"", "/word unknown"},
        {"\"word\":null", "/word type"},
        {"\"number\":2.6", "/number range"},
        {"\"number\":\"1\"", "/number type"},
        {"\"whole\":1.0", "/whole type"},
        {"\"whole\":0", "/whole range"},
        {"\"flag\":0", "/flag type"},
        {"\"at\":\"yesterday\"", "/at time"},
        {"\"at\":\"1795248000000\"", "/at time"},
        {"\"on\":\"2026-02-29\"", "/on date"},
        {"\"on\":\"2026-2-1\"", "/on date"},
        {"\"on\":\"2026-01-01x\"", "/on date"},
        {"\"vin\":\"WVWZZZ1KZAW00000\"", "/vin vin"},
        {"\"id\":\"1\"", "/id id"},
        {"\"signal\":\"Vehicle.Nothing\"", "/signal unknown"},
        {"\"zone\":\"Europe/'; DROP\"", "/zone unknown"},
        {"\"zone\":\"localtime\"", "/zone unknown"},
        {"\"zone\":\"posixrules\"", "/zone unknown"},
        {"\"zone\":\"Factory\"", "/zone unknown"},
        {"\"zone\":\"posix/Europe/Paris\"", "/zone unknown"},
        {"\"zone\":\"right/Europe/Paris\"", "/zone unknown"},
        {"\"points\":[]", "/points points"},
        {"\"points\":[[7.7]]", "/points points"},
        {"\"points\":[[181,0]]", "/points points"},
        {"\"points\":[[0,91]]", "/points points"},
        {"\"points\":[[\"7\",48]]", "/points points"},
        {"\"points\":{}", "/points points"},
        {"\"schedule\":{}", "/schedule schedule"},
        {"\"schedule\":{\"spans\":[{\"days\":[0],\"from\":\"08:00\",\"to\":\"09:00\"}]}",
         "/schedule schedule"},
        {"\"schedule\":{\"spans\":[{\"days\":[1],\"from\":\"8:00\",\"to\":\"09:00\"}]}",
         "/schedule schedule"},
        {"\"schedule\":{\"spans\":[{\"days\":[1],\"from\":\"08:00\",\"to\":\"24:01\"}]}",
         "/schedule schedule"},
        {"\"schedule\":{\"spans\":[{\"days\":[],\"from\":\"08:00\",\"to\":\"09:00\"}]}",
         "/schedule schedule"},
        {"\"schedule\":{\"spans\":[],\"more\":1}", "/schedule schedule"},
        {"\"schedule\":{\"spans\":[]}", "/schedule empty"},
        {"\"note\":\" \"", "/note blank"},
        {"\"note\":\"\\u2003\\u00a0\"", "/note blank"},
        {"\"note\":\"a\\u0085\"", "/note length"},
        {"\"money\":12.345", "/money decimals"},
        {"\"money\":0.001", "/money decimals"},
        {"\"money\":999999999.999", "/money decimals"},
        {"\"privacy\":{\"work\":[{\"days\":[1],\"from\":480,\"to\":1441}]}", "/privacy privacy"},
        {"\"privacy\":{\"work\":[{\"days\":[1],\"from\":\"08:00\",\"to\":1080}]}",
         "/privacy privacy"},
        {"\"privacy\":{\"zone\":\"Europe Paris\"}", "/privacy privacy"},
        {"\"privacy\":{\"hours\":[]}", "/privacy privacy"},
        {"\"privacy\":[]", "/privacy privacy"},
        {"\"customer_id\":\"x\"", "/customer_id unknown"},
        {"\"version\":1", "/version unknown"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *got = member(wrong[i].text);

        /* a name given twice is no JSON of ours */
        if (strcmp(wrong[i].fault, "/name length") == 0)
            got = fault_of("{\"name\":\"\"}", true);
        assert_string_equal(got, wrong[i].fault);
    }
}

static void a_double_that_stands_for_cents_is_money(void **state)
{
    static const char *const right[] = {
        "0",   "0.29",  "0.28999999", "0.30000000000000004", "12.340000152587891",
        "1.1", "64.35", "1e2",        "999999999.99",        "123456789.01"};
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        snprintf(text, sizeof text, "\"money\":%s", right[i]);
        assert_string_equal(member(text), "");
    }
}

static void what_is_needed_is_needed_once_and_what_is_fixed_stays(void **state)
{
    (void)state;
    assert_string_equal(fault_of("{}", true), "/name missing");
    assert_string_equal(fault_of("{}", false), "");
    assert_string_equal(fault_of("{\"name\":null}", false), "/name type");
    assert_string_equal(fault_of("{\"vin\":\"WVWZZZ1KZAW000001\"}", false), "/vin fixed");
}

static void a_thousand_points_and_no_more(void **state)
{
    struct text t;

    (void)state;
    for (int n = 1000; n <= 1001; n++) {
        text_init(&t);
        text_print(&t, "{\"name\":\"x\",\"points\":[");
        for (int i = 0; i < n; i++)
            text_print(&t, "%s[7,%d]", i ? "," : "", i % 90);
        text_print(&t, "]}");
        assert_string_equal(fault_of(t.bytes, true), n == 1000 ? "" : "/points points");
        text_done(&t);
    }
}

static void columns_come_from_the_table_alone(void **state)
{
    struct text sql;

    (void)state;
    assert_string_equal(fault_of("{\"flag\":true,\"note\":\"x\"}", false), "");
    text_init(&sql);
    fields_print(&sql, table, body, ", ", " = p.", "");
    assert_string_equal(sql.bytes, ", note = p.note, flag = p.flag");
    text_clear(&sql);
    fields_print(&sql, table, body, ", p.", NULL, NULL);
    assert_string_equal(sql.bytes, ", p.note, p.flag");
    text_done(&sql);
}

static int teardown(void **state)
{
    (void)state;
    json_decref(body);
    body = NULL;
    answer_done(&a);
    answer_init(&a);
    return 0;
}

#define T(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_fits_is_taken),
        T(what_does_not_is_pointed_at),
        T(a_double_that_stands_for_cents_is_money),
        T(what_is_needed_is_needed_once_and_what_is_fixed_stays),
        T(a_thousand_points_and_no_more),
        T(columns_come_from_the_table_alone),
    };

    answer_init(&a);
    return cmocka_run_group_tests_name("fields", tests, NULL, NULL);
}
