/* tests/unit/api/test_request.c - headers and arguments, read as strictly as they must be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "services/api/request.h"

static struct fault fault;

static enum status length_of(const char *text, int64_t *out)
{
    return content_length_parse(text, strlen(text), out, &fault);
}

static void a_content_length_is_one_to_eight_digits(void **state)
{
    static const char *const bad[] = {"",   " ",  "-5",  "+5",  "0x10",       "5, 6", "5,5",
                                      "5 ", " 5", "1e3", "5.0", "123456789",  "٣",    "5\t",
                                      "-",  "0x", "NaN", "5;",  "00000000000"};
    int64_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(length_of(bad[i], &n), ST_REJECT);
    assert_int_equal(length_of("0", &n), ST_OK);
    assert_int_equal(n, 0);
    assert_int_equal(length_of("65536", &n), ST_OK);
    assert_int_equal(n, 65536);
    assert_int_equal(length_of("99999999", &n), ST_OK);
    assert_int_equal(n, 99999999);
    assert_int_equal(content_length_parse("1\0", 2, &n, &fault), ST_REJECT);
}

static void a_cookie_is_found_by_its_whole_name(void **state)
{
    char v[16] = "";

    (void)state;
    assert_int_equal(cookie_read("vigie_refresh=abc", "vigie_refresh", v, sizeof v), ST_OK);
    assert_string_equal(v, "abc");
    assert_int_equal(cookie_read("a=1; vigie_refresh=xyz; b=2", "vigie_refresh", v, sizeof v),
                     ST_OK);
    assert_string_equal(v, "xyz");
    assert_int_equal(cookie_read("vigie_refresh=", "vigie_refresh", v, sizeof v), ST_OK);
    assert_string_equal(v, "");
    assert_int_equal(cookie_read("xvigie_refresh=abc", "vigie_refresh", v, sizeof v), ST_NONE);
    assert_int_equal(cookie_read("vigie_refresh_=abc", "vigie_refresh", v, sizeof v), ST_NONE);
    assert_int_equal(cookie_read("a=vigie_refresh=abc", "vigie_refresh", v, sizeof v), ST_NONE);
    assert_int_equal(cookie_read("", "vigie_refresh", v, sizeof v), ST_NONE);
    assert_int_equal(cookie_read(";;; ;", "vigie_refresh", v, sizeof v), ST_NONE);
}

static void a_cookie_given_twice_or_too_long_is_refused(void **state)
{
    char v[8];

    (void)state;
    assert_int_equal(cookie_read("c=1; c=2", "c", v, sizeof v), ST_REJECT);
    assert_int_equal(cookie_read("c=12345678", "c", v, sizeof v), ST_REJECT);
    assert_int_equal(cookie_read("c=1234567", "c", v, sizeof v), ST_OK);
}

static void an_origin_must_be_the_same_byte_for_byte(void **state)
{
    static const char list[] = "http://localhost:8080, https://a.example";

    (void)state;
    assert_true(origin_listed(list, "http://localhost:8080"));
    assert_true(origin_listed(list, "https://a.example"));
    assert_false(origin_listed(list, "https://a.example.evil"));
    assert_false(origin_listed(list, "https://a.exampl"));
    assert_false(origin_listed(list, "http://a.example"));
    assert_false(origin_listed(list, "HTTPS://a.example"));
    assert_false(origin_listed(list, "null"));
    assert_false(origin_listed(list, ""));
    assert_false(origin_listed(list, "http://localhost:8080, https://a.example"));
    assert_false(origin_listed("", "http://localhost"));
}

static void a_version_tag_is_strong_and_single(void **state)
{
    static const char *const bad[] = {
        "",        "v1",      "\"1\"",           "\"v\"",   "W/\"v1\"",
        "\"v1\"x", "\"v1",    "\"v1\", \"v2\"",  "\"v-1\"", "*",
        "\"V1\"",  "\"v1 \"", "\"v12345678901\""};
    int64_t v = 0;

    (void)state;
    assert_int_equal(version_tag_parse("\"v7\"", &v), ST_OK);
    assert_int_equal(v, 7);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(version_tag_parse(bad[i], &v), ST_REJECT);
}

static void what_is_wrong_with_an_if_match_is_said(void **state)
{
    static const char *const fine[] = {"\"v1\"", "\"\"", "\"anything\""};
    static const struct {
        const char *value, *word;
    } wrong[] = {{"*", "names no version"}, {"W/\"v1\"", "strong"}, {"\"v1\", \"v2\"", "list"},
                 {"v1", "quotes"},          {"\"v1", "quotes"},     {"v1\"", "quotes"},
                 {"\"", "quotes"},          {"\"v\"1\"", "quotes"}, {"\"v1\"x", "quotes"}};

    (void)state;
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        assert_null(if_match_fault(fine[i]));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_non_null(if_match_fault(wrong[i].value));
        assert_non_null(strstr(if_match_fault(wrong[i].value), wrong[i].word));
    }
}

static void media_types_are_compared_without_parameters(void **state)
{
    (void)state;
    assert_true(media_type_is("application/json", "application/json"));
    assert_true(media_type_is("Application/JSON; charset=utf-8", "application/json"));
    assert_false(media_type_is("application/jsonp", "application/json"));
    assert_false(media_type_is("text/plain", "application/json"));
    assert_false(media_type_is("", "application/json"));
    assert_true(accept_names("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "text/html"));
    assert_true(accept_names("a/b, text/csv;q=0.5", "text/csv"));
    assert_true(accept_names("text/csv,a/b", "text/csv"));
    assert_false(accept_names("*/*", "text/html"));
    assert_false(accept_names("text/csvx", "text/csv"));
    assert_false(accept_names("", "text/html"));
}

static void arguments_are_found_by_name(void **state)
{
    static struct request r;
    int64_t n = 0;

    (void)state;
    memcpy(r.args, "limit=20\0q=a=b\0limits=9\0empty=\0from=1795248000000\0", 51);
    assert_string_equal(request_arg(&r, "q"), "a=b");
    assert_string_equal(request_arg(&r, "empty"), "");
    assert_null(request_arg(&r, "limi"));
    assert_null(request_arg(&r, "x"));
    assert_int_equal(request_number(&r, "limit", 1, 500, 100, &n, &fault), ST_OK);
    assert_int_equal(n, 20);
    assert_int_equal(request_number(&r, "nothing", 1, 500, 100, &n, &fault), ST_OK);
    assert_int_equal(n, 100);
    assert_int_equal(request_number(&r, "limit", 1, 19, 5, &n, &fault), ST_REJECT);
    assert_int_equal(request_number(&r, "q", 1, 500, 5, &n, &fault), ST_REJECT);
    assert_int_equal(request_number(&r, "empty", 1, 500, 5, &n, &fault), ST_REJECT);
    assert_int_equal(request_time(&r, "from", 0, &n, &fault), ST_OK);
    assert_int_equal(n, INT64_C(1795248000000));
    assert_int_equal(request_time(&r, "q", 0, &n, &fault), ST_REJECT);
}

static void only_utf8_goes_on(void **state)
{
    static const char *const good[] = {"",
                                       "k-1",
                                       "\xc3\xa9",
                                       "\xe2\x82\xac",
                                       "\xf0\x9f\x9a\x97",
                                       "\xed\x9f\xbf",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {
        "\xff",         "\x80",      "a\xc3",        "\xc0\xaf",         "\xe0\x80\xaf",
        "\xed\xa0\x80", "\xe2\x82(", "\xf0\x9f\x9a", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(utf8_is_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(utf8_is_valid(bad[i], strlen(bad[i])));
}

static void the_first_of_a_list_is_taken(void **state)
{
    char out[16];

    (void)state;
    list_first("a,b", out, sizeof out);
    assert_string_equal(out, "a");
    list_first(" , x", out, sizeof out);
    assert_string_equal(out, "x");
    list_first("", out, sizeof out);
    assert_string_equal(out, "");
    list_first("12345678901234567890", out, sizeof out);
    assert_int_equal(strlen(out), 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_content_length_is_one_to_eight_digits),
        cmocka_unit_test(a_cookie_is_found_by_its_whole_name),
        cmocka_unit_test(a_cookie_given_twice_or_too_long_is_refused),
        cmocka_unit_test(an_origin_must_be_the_same_byte_for_byte),
        cmocka_unit_test(a_version_tag_is_strong_and_single),
        cmocka_unit_test(what_is_wrong_with_an_if_match_is_said),
        cmocka_unit_test(media_types_are_compared_without_parameters),
        cmocka_unit_test(arguments_are_found_by_name),
        cmocka_unit_test(only_utf8_goes_on),
        cmocka_unit_test(the_first_of_a_list_is_taken),
    };

    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
