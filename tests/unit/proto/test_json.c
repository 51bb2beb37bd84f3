/* The fences around jansson, and doubles in the fewest digits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/wild.h"

static enum status read_text(const char *text, size_t len)
{
    struct fault fault = {""};
    json_t *root = NULL;
    enum status st = json_read(&root, text, len, JSON_MAX_BYTES, &fault);

    if (st == ST_OK)
        json_decref(root);
    else
        assert_true(fault.text[0] && !strchr(fault.text, '\n'));
    return st;
}

#define READ(text) read_text(text, strlen(text))

static void an_object_is_read(void **state)
{
    (void)state;
    assert_int_equal(READ("{}"), ST_OK);
    assert_int_equal(READ(" {\"a\": [1, 2.5, \"x\", {\"b\": null}]}\n"), ST_OK);
}

static void what_is_no_plain_object_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "[]",
                                      "1",
                                      "null",
                                      "{",
                                      "{\"a\":1",
                                      "{\"a\":1}x",
                                      "{} {}",
                                      "{\"a\":NaN}",
                                      "{\"a\":Infinity}",
                                      "{\"a\":01}",
                                      "{\"a\":1e999+}",
                                      "{\"a\":01e999}",
                                      "{\"a\":1.e999}",
                                      "{\"a\":.1e999}",
                                      "{\"a\":099999999999999999999}",
                                      "{\"a\":99999999999999999999 1}",
                                      "{a:1}",
                                      "{'a':1}",
                                      "{\"a\":1,}",
                                      "{\"a\":\"\xff\"}",
                                      "{\"a\":\"\\u0000\"}",
                                      "{\"a\":1,\"a\":1}",
                                      "{\"b\":{\"a\":1,\"\\u0061\":2}}"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(READ(bad[i]), ST_REJECT);
    assert_int_equal(read_text("{}\0", 3), ST_REJECT);
    assert_int_equal(read_text("{\"a\":34\0,\"b\":1}", 15), ST_REJECT);
}

static double value_of(const char *text)
{
    json_t *root = NULL;
    double value;

    assert_int_equal(json_read(&root, text, strlen(text), JSON_MAX_BYTES, NULL), ST_OK);
    assert_int_equal(json_get_number(root, "a", &value, NULL), ST_OK);
    json_decref(root);
    return value;
}

static void a_number_may_be_of_any_size(void **state)
{
    char text[2000] = "{\"b\":18446744073709551616,\"c\":\"1e999 \\\" 9\",\"a\":1", *digits;

    (void)state;
    assert_true(value_of("{\"a\":99999999999999999999}") == 99999999999999999999.0);
    assert_true(value_of("{\"a\":-9223372036854775809}") == -9223372036854775809.0);
    assert_true(value_of("{\"a\":1e999}") == 1e308);
    assert_true(value_of("{\"a\":-1.5E+400}") == -1e308);
    assert_true(value_of("{\"b\":1e999,\"a\":1e-999}") == 0);
    assert_true(value_of("{\"b\":[1e999,-99999999999999999999],\"a\":12.25}") == 12.25);
    digits = text + strlen(text);
    memset(digits, '0', 1000);
    memcpy(digits + 1000, "}", 2);
    assert_true(value_of(text) == 1e308); /* 1 and a thousand zeros */
    memcpy(digits, ".5e-10}", 8);
    assert_true(value_of(text) == 1.5e-10);
}

static void an_integer_beyond_64_bits_is_no_time_and_no_sequence_number(void **state)
{
    static const char text[] = "{\"t\":99999999999999999999,\"n\":9223372036854775807}";
    int64_t n = 7;
    json_t *root = NULL;

    (void)state;
    assert_int_equal(json_read(&root, text, sizeof text - 1, JSON_MAX_BYTES, NULL), ST_OK);
    assert_int_equal(json_get_int64(root, "t", 0, INT64_MAX, &n, NULL), ST_REJECT);
    assert_int_equal(n, 7);
    json_decref(root);
}

static void what_a_database_made_of_it_is_read_too(void **state)
{
    json_t *list = json_stored("[100000000000000000000, 2]");

    (void)state;
    assert_true(json_number_value(json_array_get(list, 0)) == 1e20);
    assert_true(json_is_integer(json_array_get(list, 1)) || json_is_real(json_array_get(list, 1)));
    json_decref(list);
    assert_null(json_stored("[1"));
}

/* What PostgreSQL's numeric refuses: beyond 131,072 digits before the point and 16,383 behind it.
 */
static void what_goes_into_a_database_is_tamed_in_place(void **state)
{
    static const char *const pairs[][2] = {
        {"{\"a\":1e200000}", "{\"a\":1e308}"},
        {"{\"a\":-1e200000,\"b\":[1e-20000]}", "{\"a\":-1e308,\"b\":[0]}"},
        {"{\"1e999\":\"\\\"1e999\"}", "{\"1e999\":\"\\\"1e999\"}"},
        {"{\"a\":99999999999999999999,\"b\":1.50e10}",
         "{\"a\":99999999999999999999,\"b\":1.50e10}"},
        {"1e999x 1e999-", "1e308x 1e999-"},
        {"", ""}};
    char text[400], long_one[400] = "0.";
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        snprintf(text, sizeof text, "%s", pairs[i][0]);
        len = wild_tame(text, strlen(text));
        text[len] = '\0';
        assert_string_equal(text, pairs[i][1]);
    }
    memset(long_one + 2, '3', 300);
    len = wild_tame(long_one, 302);
    long_one[len] = '\0';
    assert_true(len < 30 && strtod(long_one, NULL) == 1.0 / 3);
}

static void the_fault_never_repeats_the_sender_s_bytes(void **state)
{
    struct fault fault;
    json_t *root;

    (void)state;
    assert_int_equal(json_read(&root, "{\"a\":secret}", 12, JSON_MAX_BYTES, &fault), ST_REJECT);
    assert_null(strstr(fault.text, "secret"));
}

static void why_it_was_refused_is_told_apart(void **state)
{
    static const struct {
        const char *text;
        enum json_why why;
        size_t at;
    } cases[] = {
        {"{\"a\":1,\"b\":2,\"a\":3}", JSON_DUPLICATE, 16},
        {"{\"a\":{\"b\":1,\"b\":1}}", JSON_DUPLICATE, 15},
        {"{\"a\":9223372036854775808}", JSON_HUGE, 24},
        {"{\"a\":1e999}", JSON_HUGE, 10},
        {"{\"a\":}", JSON_BROKEN, 6},
        {"[1]", JSON_OTHER, 0},
        {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", JSON_DEEP, 0},
        {"{\"a\":\"0123456789012345678901234567890123456789\"}", JSON_LONG, 0},
    };
    struct fault fault = {""};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum json_why why = JSON_FINE;
        json_t *root = NULL;
        size_t at = 99;

        assert_int_equal(
            json_read_why(&root, cases[i].text, strlen(cases[i].text), 40, &why, &at, &fault),
            ST_REJECT);
        assert_int_equal(why, cases[i].why);
        assert_int_equal(at, cases[i].at);
    }
}

static void sixteen_levels_are_read_and_seventeen_refused(void **state)
{
    char text[256];

    (void)state;
    for (int depth = 15; depth <= 18; depth++) {
        int len = 0;

        for (int i = 0; i < depth - 1; i++)
            len += sprintf(text + len, "{\"a\":");
        len += sprintf(text + len, "{}");
        for (int i = 0; i < depth - 1; i++)
            text[len++] = '}';
        assert_int_equal(read_text(text, (size_t)len), depth <= 16 ? ST_OK : ST_REJECT);
    }
    /* brackets inside a string are text */
    assert_int_equal(READ("{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[\\\"[[[\"}"), ST_OK);
}

static void thirty_two_kibibytes_are_the_limit(void **state)
{
    char *text = malloc(JSON_MAX_BYTES + 1);

    (void)state;
    memset(text, ' ', JSON_MAX_BYTES + 1);
    memcpy(text, "{}", 2);
    assert_int_equal(read_text(text, JSON_MAX_BYTES), ST_OK);
    assert_int_equal(read_text(text, JSON_MAX_BYTES + 1), ST_REJECT);
    free(text);
}

static void typed_reads_tell_absent_from_wrong(void **state)
{
    struct fault fault;
    json_t *o = json_loads(
        "{\"i\":5,\"r\":5.5,\"w\":1795248000000.0,\"e\":1e300,\"s\":\"abc\",\"b\":true,\"n\":null}",
        0, NULL);
    int64_t i = 77;
    double d = 77;
    bool b = false;
    char text[4] = "zz", small[3] = "zz";

    (void)state;
    assert_int_equal(json_get_int64(o, "x", 0, 9, &i, &fault), ST_NONE);
    assert_int_equal(json_get_int64(o, "n", 0, 9, &i, &fault), ST_REJECT);
    assert_int_equal(json_get_int64(o, "r", 0, 9, &i, &fault), ST_REJECT);
    assert_int_equal(json_get_int64(o, "i", 6, 9, &i, &fault), ST_REJECT);
    assert_int_equal(json_get_int64(o, "i", 0, 4, &i, &fault), ST_REJECT);
    assert_int_equal(json_get_int64(o, "e", 0, INT64_MAX, &i, &fault), ST_REJECT);
    assert_int_equal(i, 77);
    assert_int_equal(json_get_int64(o, "i", 5, 5, &i, &fault), ST_OK);
    assert_int_equal(i, 5);
    assert_int_equal(json_get_int64(o, "w", 0, JSON_INTEGER_MAX, &i, &fault), ST_OK);
    assert_true(i == INT64_C(1795248000000)); /* as JSON Schema has it */
    assert_int_equal(json_get_number(o, "s", &d, &fault), ST_REJECT);
    assert_int_equal(json_get_number(o, "x", &d, &fault), ST_NONE);
    assert_true(d == 77);
    assert_int_equal(json_get_number(o, "i", &d, &fault), ST_OK);
    assert_true(d == 5);
    assert_int_equal(json_get_text(o, "s", small, sizeof small, &fault), ST_REJECT);
    assert_string_equal(small, "zz");
    assert_int_equal(json_get_text(o, "s", text, sizeof text, &fault), ST_OK);
    assert_string_equal(text, "abc");
    assert_int_equal(json_get_text(o, "i", text, sizeof text, &fault), ST_REJECT);
    assert_int_equal(json_get_bool(o, "i", &b, &fault), ST_REJECT);
    assert_int_equal(json_get_bool(o, "b", &b, &fault), ST_OK);
    assert_true(b);
    json_decref(o);
}

static void assert_prints(double value, const char *wanted)
{
    char out[32];

    assert_int_equal(json_print_double(out, value), strlen(wanted));
    assert_string_equal(out, wanted);
}

static void short_numbers_print_short(void **state)
{
    char out[32];

    (void)state;
    assert_prints(0, "0");
    assert_prints(50, "50");
    assert_prints(-13, "-13");
    assert_prints(812.25, "812.25");
    assert_prints(48.5286, "48.5286");
    assert_prints(-0.05, "-0.05");
    assert_prints(0.000001, "0.000001");
    assert_prints(1795248000000, "1795248000000");
    assert_prints(0.1 + 0.2, "0.30000000000000004");
    assert_prints(5e-324, "5e-324");
    assert_prints(1e300, "1e+300");
    assert_prints(-1.7976931348623157e308, "-1.7976931348623157e+308");
    assert_int_equal(json_print_double(out, NAN), 0);
    assert_int_equal(json_print_double(out, INFINITY), 0);
}

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* The fewest digits libc finds by trying. */
static int fewest_digits(double value)
{
    char text[40];
    int digits = 1;

    for (; digits < 17; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return digits;
}

static int digits_of(const char *text)
{
    int digits = 0, zeros = 0;

    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (*text == '0' && digits == 0))
            continue;
        zeros = *text == '0' ? zeros + 1 : 0;
        digits++;
    }
    return digits - zeros;
}

static void any_double_reads_back_the_same_in_the_fewest_digits(void **state)
{
    (void)state;
    for (int i = 0; i < 200000; i++) {
        uint64_t bits = random_bits();
        double value;
        char out[32];

        if (i % 2 == 0)
            memcpy(&value, &bits, sizeof value);
        else
            value = (double)(int64_t)(bits >> 20) / (double)(1 << (bits & 15));
        if (!isfinite(value))
            continue;
        assert_in_range(json_print_double(out, value), 1, 31);
        assert_true(strtod(out, NULL) == value);
        if (value != 0)
            assert_int_equal(digits_of(out), fewest_digits(value));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_read),
        cmocka_unit_test(what_is_no_plain_object_is_refused),
        cmocka_unit_test(a_number_may_be_of_any_size),
        cmocka_unit_test(an_integer_beyond_64_bits_is_no_time_and_no_sequence_number),
        cmocka_unit_test(what_a_database_made_of_it_is_read_too),
        cmocka_unit_test(what_goes_into_a_database_is_tamed_in_place),
        cmocka_unit_test(the_fault_never_repeats_the_sender_s_bytes),
        cmocka_unit_test(why_it_was_refused_is_told_apart),
        cmocka_unit_test(sixteen_levels_are_read_and_seventeen_refused),
        cmocka_unit_test(thirty_two_kibibytes_are_the_limit),
        cmocka_unit_test(typed_reads_tell_absent_from_wrong),
        cmocka_unit_test(short_numbers_print_short),
        cmocka_unit_test(any_double_reads_back_the_same_in_the_fewest_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
