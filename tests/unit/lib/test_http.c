/* The HTTP client, against a server with good and bad manners (tests/integration/test_edges.py). */
#include "tests/unit/served.h"

#include <zlib.h>

#include "lib/http.h"

struct answer {
    enum status st;
    int code;
    struct text body;
    struct fault fault;
};

static struct http *open_for(const struct http_options *options)
{
    struct http *h = NULL;

    assert_int_equal(http_open(&h, options, NULL), ST_OK);
    return h;
}

static struct http *open_patient(int timeout_ms)
{
    const struct http_options o = {.timeout_ms = timeout_ms};

    return open_for(&o);
}

static void address(char *out, size_t size, const char *server, const char *path)
{
    snprintf(out, size, "%s%s", served(server), path);
}

/* One call; *a is the caller's to finish with text_done(&a->body). */
static void call(struct http *h, struct answer *a, const struct http_request *request)
{
    text_init(&a->body);
    text_add(&a->body, "old", 3); /* cleared first, says the header */
    a->code = -1;
    a->fault.text[0] = '\0';
    a->st = http_call(h, request, &a->code, &a->body, &a->fault);
}

static void get(struct http *h, struct answer *a, const char *server, const char *path)
{
    char url[256];
    const struct http_request request = {.method = "GET", .url = url};

    address(url, sizeof url, server, path);
    call(h, a, &request);
}

static void expect_status(struct http *h, const char *server, const char *path, enum status st)
{
    struct answer a;

    get(h, &a, server, path);
    if (a.st != st)
        fail_msg("%s: %s (%s), not %s", path, status_name(a.st), a.fault.text, status_name(st));
    text_done(&a.body);
}

static void expect_body(struct http *h, const char *path, int code, const char *body)
{
    struct answer a;

    get(h, &a, "VIGIE_TEST_HTTP", path);
    assert_int_equal(a.st, ST_OK);
    assert_int_equal(a.code, code);
    assert_string_equal(a.body.bytes, body);
    text_done(&a.body);
}

static void an_answer_comes_with_its_status_whatever_it_is(void **state)
{
    struct http *h = open_patient(0);

    (void)state;
    expect_body(h, "/status/200", 200, "200");
    expect_body(h, "/status/404", 404, "404");
    expect_body(h, "/status/503", 503, "503");
    http_close(h);
}

static void calls_share_one_connection(void **state)
{
    struct http *h = open_patient(0);

    (void)state;
    for (int i = 0; i < 5; i++)
        expect_body(h, "/connection", 200, "1");
    http_close(h);
}

static void a_connection_the_server_has_dropped_is_replaced_unseen(void **state)
{
    struct http *h = open_patient(0);

    (void)state;
    expect_status(h, "VIGIE_TEST_HTTP", "/hang-up", ST_OK);
    nap_ms(100);
    expect_status(h, "VIGIE_TEST_HTTP", "/status/200", ST_OK);
    http_close(h);
}

static void a_body_arrives_as_it_is_without_expect(void **state)
{
    static char body[3000];
    struct http *h = open_patient(0);
    char url[256];
    const char *const headers[] = {"X-Test: yes", NULL};
    struct http_request r = {.method = "POST",
                             .url = url,
                             .content_type = "text/plain",
                             .body = body,
                             .len = sizeof body,
                             .headers = headers};
    struct answer a;

    (void)state;
    memset(body, 'x', sizeof body);
    body[1] = '\0'; /* bytes, not a string */
    address(url, sizeof url, "VIGIE_TEST_HTTP", "/echo");
    call(h, &a, &r);
    assert_int_equal(a.st, ST_OK);
    assert_string_equal(a.body.bytes, "POST text/plain expect=None test=yes 3000");
    text_done(&a.body);
    r.method = "PUT";
    call(h, &a, &r);
    assert_string_equal(a.body.bytes, "PUT text/plain expect=None test=yes 3000");
    text_done(&a.body);
    http_close(h);
}

/* A body of so many bytes, each another than the one before, in pieces of any length. */
struct made {
    size_t len, at, step;
};

static size_t made_read(void *self, char *out, size_t room)
{
    struct made *m = self;
    size_t n = m->len - m->at;

    m->step = m->step * 7 % 65537;
    n = n < room ? n : room;
    n = n < m->step ? n : m->step;
    for (size_t i = 0; i < n; i++)
        out[i] = (char)((m->at + i) * 31 >> 3);
    m->at += n;
    return n;
}

static void made_rewind(void *self)
{
    ((struct made *)self)->at = 0;
}

/* `told`: its length goes before it. */
static void expect_made(struct http *h, struct made *m, bool told)
{
    const struct http_body body = {
        .len = told ? m->len : 0, .read = made_read, .rewind = made_rewind, .self = m};
    char url[256], expected[64], *whole = malloc(m->len + 1);
    const struct http_request r = {
        .method = "POST", .url = url, .content_type = "text/plain", .made = &body};
    struct answer a;

    assert_non_null(whole);
    for (size_t i = 0; i < m->len; i++)
        whole[i] = (char)(i * 31 >> 3);
    address(url, sizeof url, "VIGIE_TEST_HTTP", "/sum");
    call(h, &a, &r);
    if (a.st != ST_OK)
        fail_msg("%s", a.fault.text);
    snprintf(expected, sizeof expected, "%zu %lu%s", m->len,
             crc32(0, (const unsigned char *)whole, (unsigned)m->len), told ? " told" : "");
    assert_string_equal(a.body.bytes, expected);
    text_done(&a.body);
    free(whole);
}

static void a_body_can_be_made_while_it_is_sent(void **state)
{
    static const size_t lengths[] = {1, 3000, 262144, 3000000};
    struct http *h = open_patient(0);

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int told = 0; told < 2; told++)
            expect_made(h, &(struct made){.len = lengths[i], .step = 3}, told);
    expect_status(h, "VIGIE_TEST_HTTP", "/status/200", ST_OK);
    http_close(h);
}

static void a_body_that_is_made_finds_a_new_connection_too(void **state)
{
    struct http *h = open_patient(0);
    struct made m = {.len = 500000, .step = 3};

    (void)state;
    expect_body(h, "/hang-up", 200, "bye");
    nap_ms(100);
    expect_made(h, &m, false);
    expect_body(h, "/hang-up", 200, "bye");
    nap_ms(100);
    expect_made(h, &m, true);
    http_close(h);
}

/* Three pieces, then its maker gives up. */
static size_t made_in_vain(void *self, char *out, size_t room)
{
    struct made *m = self;

    if (m->step++ == 3)
        return HTTP_BODY_FAILS;
    memset(out, 'x', room < 100 ? room : 100);
    return room < 100 ? room : 100;
}

static void a_body_that_cannot_be_made_ends_the_call(void **state)
{
    struct http *h = open_patient(0);
    char url[256];

    (void)state;
    address(url, sizeof url, "VIGIE_TEST_HTTP", "/sum");
    for (size_t len = 0; len <= 1000; len += 1000) {
        struct made m = {.step = 0};
        const struct http_body body = {
            .len = len, .read = made_in_vain, .rewind = made_rewind, .self = &m};
        const struct http_request r = {.method = "POST", .url = url, .made = &body};
        struct answer a;

        call(h, &a, &r);
        assert_int_equal(a.st, ST_RETRY);
        text_done(&a.body);
        expect_status(h, "VIGIE_TEST_HTTP", "/status/200", ST_OK);
    }
    http_close(h);
}

static void a_redirect_is_an_answer_and_not_followed(void **state)
{
    struct http *h = open_patient(0);

    (void)state;
    expect_body(h, "/moved", 302, "");
    http_close(h);
}

static void an_answer_longer_than_allowed_is_refused(void **state)
{
    const struct http_options o = {.max_answer_bytes = 1000};
    struct http *h = open_for(&o);

    (void)state;
    expect_status(h, "VIGIE_TEST_HTTP", "/long/1000", ST_OK);
    expect_status(h, "VIGIE_TEST_HTTP", "/long/1001", ST_REJECT);
    expect_status(h, "VIGIE_TEST_HTTP", "/long/1000", ST_OK);
    http_close(h);
}

static void silence_ends_at_the_deadline(void **state)
{
    struct http *h = open_patient(300);

    (void)state;
    expect_status(h, "VIGIE_TEST_HTTP", "/silence", ST_RETRY);
    expect_status(h, "VIGIE_TEST_HTTP", "/status/200", ST_OK);
    http_close(h);
}

static void an_answer_cut_short_is_no_answer(void **state)
{
    struct http *h = open_patient(0);

    (void)state;
    expect_status(h, "VIGIE_TEST_HTTP", "/cut", ST_RETRY);
    http_close(h);
}

static void nobody_listening_is_a_reason_to_try_later(void **state)
{
    struct http *h = open_patient(0);

    (void)state;
    expect_status(h, "VIGIE_TEST_NOBODY", "/", ST_RETRY);
    http_close(h);
}

static void a_server_of_another_authority_is_refused(void **state)
{
    const struct http_options wrong = {.ca = served("VIGIE_TEST_OTHER_CA")};
    const struct http_options system = {0};
    struct http *h = open_for(&wrong);

    (void)state;
    expect_status(h, "VIGIE_TEST_HTTPS", "/status/200", ST_REJECT);
    http_close(h);
    h = open_for(&system);
    expect_status(h, "VIGIE_TEST_HTTPS", "/status/200", ST_REJECT);
    http_close(h);
}

static void a_server_that_asks_for_a_certificate_gets_ours(void **state)
{
    const struct http_options o = {.ca = served("VIGIE_TEST_CA"),
                                   .cert = served("VIGIE_TEST_CERT"),
                                   .key = served("VIGIE_TEST_KEY")};
    const struct http_options anonymous = {.ca = served("VIGIE_TEST_CA")};
    struct http *h = open_for(&o);

    (void)state;
    expect_status(h, "VIGIE_TEST_HTTPS", "/status/200", ST_OK);
    http_close(h);
    h = open_for(&anonymous);
    expect_status(h, "VIGIE_TEST_HTTPS", "/status/200", ST_RETRY);
    http_close(h);
}

static void only_http_is_spoken(void **state)
{
    static const char *const bad[] = {"file:///etc/hostname", "ftp://localhost/",
                                      "gopher://localhost/",  "http://",
                                      "nonsense://x",         ""};
    struct http *h = open_patient(1000);

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct http_request r = {.method = "GET", .url = bad[i]};
        struct answer a;

        call(h, &a, &r);
        if (a.st != ST_REJECT)
            fail_msg("\"%s\": %s (%s)", bad[i], status_name(a.st), a.fault.text);
        assert_int_equal(a.body.len, 0);
        text_done(&a.body);
    }
    http_close(h);
    http_close(NULL);
}

static void escaping_leaves_nothing_that_parts_a_query(void **state)
{
    struct text t;

    (void)state;
    text_init(&t);
    http_escape(&t, "a-Z_0.9~");
    http_escape(&t, " &=?#%/\"\n\xc3\xa9");
    assert_string_equal(t.bytes, "a-Z_0.9~%20%26%3D%3F%23%25%2F%22%0A%C3%A9");
    text_done(&t);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest with_server[] = {
        cmocka_unit_test(an_answer_comes_with_its_status_whatever_it_is),
        cmocka_unit_test(calls_share_one_connection),
        cmocka_unit_test(a_connection_the_server_has_dropped_is_replaced_unseen),
        cmocka_unit_test(a_body_arrives_as_it_is_without_expect),
        cmocka_unit_test(a_body_can_be_made_while_it_is_sent),
        cmocka_unit_test(a_body_that_cannot_be_made_ends_the_call),
        cmocka_unit_test(a_body_that_is_made_finds_a_new_connection_too),
        cmocka_unit_test(a_redirect_is_an_answer_and_not_followed),
        cmocka_unit_test(an_answer_longer_than_allowed_is_refused),
        cmocka_unit_test(silence_ends_at_the_deadline),
        cmocka_unit_test(an_answer_cut_short_is_no_answer),
        cmocka_unit_test(nobody_listening_is_a_reason_to_try_later),
        cmocka_unit_test(a_server_of_another_authority_is_refused),
        cmocka_unit_test(a_server_that_asks_for_a_certificate_gets_ours),
    };
    const struct CMUnitTest alone[] = {
        cmocka_unit_test(only_http_is_spoken),
        cmocka_unit_test(escaping_leaves_nothing_that_parts_a_query),
    };

    return RUN_SERVED(argc, argv, "VIGIE_TEST_HTTP", with_server, alone);
}
