/* tests/unit/api/test_assets.c - what a browser gets for an address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "services/api/assets.h"

static struct assets *site;
static struct request r;
static struct answer a;
static struct fault fault;

static void add(const char *path, enum coding coding, const char *bytes)
{
    assert_int_equal(assets_add(site, path, coding, bytes, strlen(bytes), &fault), ST_OK);
}

static int setup(void **state)
{
    (void)state;
    if (assets_new(&site, &fault) != ST_OK)
        return -1;
    add("/index.html", CODING_NONE, "<!doctype html>");
    add("/index.html", CODING_BROTLI, "br-html");
    add("/index.html", CODING_GZIP, "gz-html");
    add("/assets/app-1a2b.js", CODING_NONE, "0123456789");
    add("/assets/app-1a2b.js", CODING_GZIP, "gz-js");
    add("/manifest.webmanifest", CODING_NONE, "{}");
    add("/only.br", CODING_BROTLI, "orphan"); /* a twin without its file is no file */
    memset(&r, 0, sizeof r);
    answer_init(&a);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    answer_done(&a);
    assets_close(site);
    return 0;
}

static int get(const char *path)
{
    r.method = METHOD_GET;
    snprintf(r.path, sizeof r.path, "%s", path);
    answer_reset(&a);
    assets_answer(site, &r, &a);
    return a.code;
}

static const char *header(const char *name)
{
    for (size_t i = 0; i < a.header_count; i++)
        if (!strcmp(a.headers[i].name, name))
            return a.headers[i].value;
    return "";
}

static void body_is(const char *want)
{
    assert_int_equal(a.borrowed_len, strlen(want));
    assert_memory_equal(a.borrowed, want, strlen(want));
}

static void the_root_is_the_index(void **state)
{
    (void)state;
    assert_int_equal(get("/"), 200);
    body_is("<!doctype html>");
    assert_string_equal(a.content_type, "text/html; charset=utf-8");
    assert_string_equal(header("cache-control:"), "no-cache");
    assert_true(a.is_page);
}

static void an_address_inside_the_app_is_the_index_too(void **state)
{
    (void)state;
    snprintf(r.accept, sizeof r.accept, "text/html,application/xhtml+xml,*/*;q=0.8");
    assert_int_equal(get("/vehicles/WVWZZZ1KZAW000001"), 200);
    body_is("<!doctype html>");
    assert_int_equal(get("/no/such/page"), 200);
}

static void a_missing_file_is_missing(void **state)
{
    static const char *const missing[] = {
        "/assets/app-0000.js", "/assets/", "/assets", "/media/x",
        "/tiles/1/2/3",        "/live",    "/api/x",  "/.well-known/x"};

    (void)state;
    snprintf(r.accept, sizeof r.accept, "text/html");
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        assert_int_equal(get(missing[i]), 404);
    snprintf(r.accept, sizeof r.accept, "image/png");
    assert_int_equal(get("/favicon.png"), 404);
    r.accept[0] = '\0';
    assert_int_equal(get("/only.br"), 404);
    assert_int_equal(get("/only"), 404);
}

static void hashed_files_may_be_kept_for_ever(void **state)
{
    (void)state;
    assert_int_equal(get("/assets/app-1a2b.js"), 200);
    assert_string_equal(header("cache-control:"), "public, max-age=31536000, immutable");
    assert_string_equal(a.content_type, "text/javascript; charset=utf-8");
    assert_int_equal(get("/manifest.webmanifest"), 200);
    assert_string_equal(a.content_type, "application/manifest+json");
    assert_string_equal(header("cache-control:"), "no-cache");
}

static void the_best_coding_both_have_is_sent(void **state)
{
    (void)state;
    assert_int_equal(coding_choose("gzip, deflate, br", true, true), CODING_BROTLI);
    assert_int_equal(coding_choose("gzip, deflate, br", false, true), CODING_GZIP);
    assert_int_equal(coding_choose("gzip;q=0.5, br;q=0", true, true), CODING_GZIP);
    assert_int_equal(coding_choose("br;q=0.0", true, true), CODING_NONE);
    assert_int_equal(coding_choose("BR", true, false), CODING_BROTLI);
    assert_int_equal(coding_choose("brotli, xgzip", true, true), CODING_NONE);
    assert_int_equal(coding_choose("", true, true), CODING_NONE);
    snprintf(r.accept_encoding, sizeof r.accept_encoding, "gzip, br");
    assert_int_equal(get("/"), 200);
    body_is("br-html");
    assert_string_equal(header("content-encoding:"), "br");
    assert_string_equal(header("vary:"), "Accept-Encoding");
    assert_int_equal(get("/assets/app-1a2b.js"), 200);
    body_is("gz-js");
}

static void each_coding_has_a_tag_of_its_own_made_of_the_content(void **state)
{
    char plain[64], brotli[64];

    (void)state;
    get("/");
    snprintf(plain, sizeof plain, "%s", header("etag:"));
    snprintf(r.accept_encoding, sizeof r.accept_encoding, "br");
    get("/");
    snprintf(brotli, sizeof brotli, "%s", header("etag:"));
    assert_string_not_equal(plain, brotli);
    assert_int_equal(plain[0], '"');
    /* SHA-256 of "<!doctype html>", so the same at every site */
    assert_string_equal(plain, "\"fe26c59e91ac8de694b2531dc3bdc1b7\"");
}

static void a_copy_the_browser_has_is_not_sent_again(void **state)
{
    char tag[64];

    (void)state;
    get("/");
    snprintf(tag, sizeof tag, "%s", header("etag:"));
    snprintf(r.if_none_match, sizeof r.if_none_match, "%s", tag);
    assert_int_equal(get("/"), 304);
    assert_string_equal(header("etag:"), tag);
    assert_int_equal(a.borrowed_len, 0);
    snprintf(r.if_none_match, sizeof r.if_none_match, "\"x\", W/%s", tag);
    assert_int_equal(get("/"), 304);
    snprintf(r.if_none_match, sizeof r.if_none_match, "\"other\"");
    assert_int_equal(get("/"), 200);
    assert_true(tag_listed("*", "\"a\""));
    assert_false(tag_listed("\"ab\"", "\"a\""));
    assert_false(tag_listed("\"a\"b", "\"a\""));
    assert_false(tag_listed("", "\"a\""));
}

static void one_range_is_sent_as_asked(void **state)
{
    size_t first = 0, last = 0;

    (void)state;
    snprintf(r.range, sizeof r.range, "bytes=2-4");
    assert_int_equal(get("/assets/app-1a2b.js"), 206);
    body_is("234");
    assert_string_equal(header("content-range:"), "bytes 2-4/10");
    snprintf(r.accept_encoding, sizeof r.accept_encoding, "gzip");
    assert_int_equal(get("/assets/app-1a2b.js"),
                     206); /* of the plain bytes, whatever is accepted */
    body_is("234");
    snprintf(r.range, sizeof r.range, "bytes=10-");
    assert_int_equal(get("/assets/app-1a2b.js"), 416);
    assert_string_equal(header("content-range:"), "bytes */10");
    assert_int_equal(range_parse("bytes=-3", 10, &first, &last), ST_OK);
    assert_true(first == 7 && last == 9);
    assert_int_equal(range_parse("bytes=-30", 10, &first, &last), ST_OK);
    assert_true(first == 0 && last == 9);
    assert_int_equal(range_parse("bytes=5-", 10, &first, &last), ST_OK);
    assert_true(first == 5 && last == 9);
    assert_int_equal(range_parse("bytes=5-500", 10, &first, &last), ST_OK);
    assert_true(first == 5 && last == 9);
    assert_int_equal(range_parse("bytes=-0", 10, &first, &last), ST_REJECT);
}

static void a_range_we_do_not_know_is_no_range(void **state)
{
    static const char *const other[] = {"bytes=0-1,3-4",
                                        "bytes=",
                                        "bytes=-",
                                        "bytes=4-2",
                                        "lines=1-2",
                                        "bytes=a-b",
                                        "bytes=1",
                                        "bytes=1-2x",
                                        "bytes= 1-2",
                                        "",
                                        "bytes=99999999999999999999-"};
    size_t first, last;

    (void)state;
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        assert_int_equal(range_parse(other[i], 10, &first, &last), ST_NONE);
}

static void files_are_only_read(void **state)
{
    (void)state;
    r.method = METHOD_POST;
    snprintf(r.path, sizeof r.path, "/");
    assets_answer(site, &r, &a);
    assert_int_equal(a.code, 405);
    assert_string_equal(header("allow:"), "GET, HEAD");
}

static void a_dashboard_that_was_not_built_says_so(void **state)
{
    struct assets *empty = NULL, *built = site;

    (void)state;
    assert_int_equal(assets_open(&empty, "/nonexistent/dist", &fault), ST_NONE);
    site = empty;
    assert_int_equal(get("/"), 503);
    assert_non_null(strstr(a.body.bytes, "dashboard not built: make dashboard"));
    site = built;
    assets_close(empty);
}

static void no_path_leads_out_of_the_table(void **state)
{
    (void)state;
    assert_int_equal(get("/../etc/passwd"), 404);
    assert_int_equal(get("/assets/../index.html"), 404);
    assert_int_equal(get("//index.html"), 404);
    assert_int_equal(get("/index.html/"), 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_root_is_the_index, setup, teardown),
        cmocka_unit_test_setup_teardown(an_address_inside_the_app_is_the_index_too, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_missing_file_is_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(hashed_files_may_be_kept_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown(the_best_coding_both_have_is_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(each_coding_has_a_tag_of_its_own_made_of_the_content, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_copy_the_browser_has_is_not_sent_again, setup, teardown),
        cmocka_unit_test_setup_teardown(one_range_is_sent_as_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(a_range_we_do_not_know_is_no_range, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_only_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dashboard_that_was_not_built_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(no_path_leads_out_of_the_table, setup, teardown),
    };

    return cmocka_run_group_tests_name("assets", tests, NULL, NULL);
}
