/* tests/unit/lib/test_health.c - the admin listener on a loopback port of the kernel's choice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/health.h"
#include "lib/metrics.h"
#include "lib/version.h"

static struct health *health;
static struct fault fault;
static char got[262144];

static int open_health(void **state)
{
    (void)state;
    return health_open(&health, "127.0.0.1:0", &fault) == ST_OK ? 0 : -1;
}

static int close_health(void **state)
{
    (void)state;
    health_close(health);
    health = NULL;
    return 0;
}

static int connect_to(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval guard = {20, 0}; /* a test that hangs fails */
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof guard);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* Read to the end into got and close; -1 when it broke or never ended. */
static ssize_t read_rest(int fd)
{
    size_t len = 0;
    ssize_t n;

    while ((n = recv(fd, got + len, sizeof got - 1 - len, 0)) > 0)
        len += (size_t)n;
    got[len] = '\0';
    close(fd);
    return n < 0 ? -1 : (ssize_t)len;
}

static void ask_bytes(const char *request, size_t len)
{
    int fd = connect_to(health_port(health));

    assert_int_equal(send(fd, request, len, MSG_NOSIGNAL), len);
    assert_true(read_rest(fd) > 0);
}

static void ask(const char *request)
{
    ask_bytes(request, strlen(request));
}

static void get(const char *path)
{
    char request[256];

    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    ask(request);
}

/* got starts with that status line and ends with that body. */
static void assert_answer(const char *status, const char *body)
{
    const char *blank = strstr(got, "\r\n\r\n");
    char length[64];

    assert_memory_equal(got, "HTTP/1.1 ", 9);
    assert_memory_equal(got + 9, status, strlen(status));
    assert_non_null(blank);
    assert_string_equal(blank + 4, body);
    snprintf(length, sizeof length, "\r\nContent-Length: %zu\r\n", strlen(body));
    assert_non_null(strstr(got, length));
    assert_non_null(strstr(got, "\r\nConnection: close\r\n"));
}

static void it_is_alive_whatever_is_missing(void **state)
{
    (void)state;
    health_set(health, "postgres", false);
    get("/healthz");
    assert_answer("200 OK", "alive\n");
}

static void it_is_ready_when_every_part_is_and_it_does_not_drain(void **state)
{
    (void)state;
    get("/readyz");
    assert_answer("503 Service Unavailable", "starting\n");
    health_set(health, "mqtt", false);
    health_set(health, "postgres", true);
    health_set(health, "influx", false);
    get("/readyz");
    assert_answer("503 Service Unavailable", "not ready: mqtt, influx\n");
    health_set(health, "mqtt", true);
    health_set(health, "influx", true);
    get("/readyz");
    assert_answer("200 OK", "ready\n");
    health_set(health, "mqtt", false);
    get("/readyz");
    assert_answer("503 Service Unavailable", "not ready: mqtt\n");
    health_set(health, "mqtt", true);
    health_drain(health);
    get("/readyz");
    assert_answer("503 Service Unavailable", "draining\n");
}

static void what_takes_too_long_is_not_ready_and_is_again_when_it_is_over(void **state)
{
    (void)state;
    health_set(health, "mqtt", true);
    health_set(health, "postgres", true);
    health_begin(health, "postgres", 3600000);
    get("/readyz");
    assert_answer("200 OK", "ready\n");
    health_begin(health, "postgres", -1); /* it was to be over before now */
    get("/readyz");
    assert_answer("503 Service Unavailable", "not ready: postgres (takes too long)\n");
    health_set(health, "mqtt", false);
    health_set(health, "postgres", false);
    get("/readyz");
    assert_answer("503 Service Unavailable", "not ready: mqtt, postgres\n");
    health_set(health, "mqtt", true);
    health_set(health, "postgres", true);
    health_end(health, "postgres");
    get("/readyz");
    assert_answer("200 OK", "ready\n");
}

static void metrics_are_prometheus_text(void **state)
{
    (void)state;
    metric_add(metric_counter("vigie_test_seen_total", "Seen.", NULL), NULL, 3);
    get("/metrics");
    assert_non_null(strstr(got, "200 OK\r\n"));
    assert_non_null(strstr(got, "\r\nContent-Type: text/plain; version=0.0.4\r\n"));
    assert_non_null(strstr(got, "\nvigie_test_seen_total 3\n"));
    assert_non_null(strstr(got, "\nvigie_build_info{"));
}

static void the_version_is_json(void **state)
{
    char body[128];

    (void)state;
    get("/version?x=1");
    snprintf(body, sizeof body, "{\"version\":\"%s\",\"revision\":\"%s\"}\n", version_number,
             version_revision);
    assert_answer("200 OK", body);
    assert_non_null(strstr(got, "\r\nContent-Type: application/json\r\n"));
}

static void head_has_the_length_and_no_body(void **state)
{
    (void)state;
    ask("HEAD /healthz HTTP/1.0\r\n\r\n");
    assert_non_null(strstr(got, "200 OK"));
    assert_non_null(strstr(got, "\r\nContent-Length: 6\r\n"));
    assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\n");
}

static void everything_else_is_refused(void **state)
{
    (void)state;
    get("/");
    assert_memory_equal(got, "HTTP/1.1 404 ", 13);
    get("/healthz/");
    assert_memory_equal(got, "HTTP/1.1 404 ", 13);
    get("/metrics/../healthz");
    assert_memory_equal(got, "HTTP/1.1 404 ", 13);
    ask("POST /healthz HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody");
    assert_memory_equal(got, "HTTP/1.1 405 ", 13);
    assert_non_null(strstr(got, "\r\nAllow: GET, HEAD\r\n"));
    ask("GET /healthz\r\n\r\n");
    assert_memory_equal(got, "HTTP/1.1 400 ", 13);
    ask("GET healthz HTTP/1.1\r\n\r\n");
    assert_memory_equal(got, "HTTP/1.1 400 ", 13);
    ask("\r\n\r\n");
    assert_memory_equal(got, "HTTP/1.1 400 ", 13);
    ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_memory_equal(got, "HTTP/1.1 400 ", 13);
    ask_bytes("GET /\0 HTTP/1.1\r\n\r\n", 19);
    assert_memory_equal(got, "HTTP/1.1 400 ", 13);
    ask_bytes("\x16\x03\x01\x00\xf5", 5); /* a TLS hello */
    assert_memory_equal(got, "HTTP/1.1 400 ", 13);
}

static void a_request_of_more_than_4_kib_is_refused(void **state)
{
    static char request[12000];

    (void)state;
    memset(request, 'a', sizeof request - 1);
    memcpy(request, "GET /healthz HTTP/1.1\r\nX: ", 26);
    ask(request);
    assert_memory_equal(got, "HTTP/1.1 431 ", 13);
}

static void a_request_may_come_in_pieces(void **state)
{
    int fd = connect_to(health_port(health));

    (void)state;
    for (const char *c = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"; *c; c++)
        assert_int_equal(send(fd, c, 1, MSG_NOSIGNAL), 1);
    assert_true(read_rest(fd) > 0);
    assert_answer("200 OK", "alive\n");
}

static void who_says_nothing_is_cut_and_does_not_hold_up_others(void **state)
{
    int slow[40]; /* more than are served at once: the rest waits in line */

    (void)state;
    for (int i = 0; i < 40; i++) {
        slow[i] = connect_to(health_port(health));
        if (i % 2)
            assert_int_equal(send(slow[i], "GET /hea", 8, MSG_NOSIGNAL), 8);
        if (i == 5) {
            get("/healthz");
            assert_answer("200 OK", "alive\n");
        }
        if (i >= 12 && i < 39)
            close(slow[i]); /* half-open ones and ones that left */
    }
    get("/healthz");
    assert_answer("200 OK", "alive\n");
    assert_int_equal(read_rest(slow[0]), 0);
    for (int i = 1; i < 12; i++)
        (void)read_rest(slow[i]);
    close(slow[39]);
}

static void closing_does_not_wait_for_clients(void **state)
{
    int fd = connect_to(health_port(health));

    (void)state;
    get("/healthz"); /* accepted after the first, so that one is in */
    health_close(health);
    health = NULL;
    assert_int_equal(read_rest(fd), 0);
}

static void a_taken_port_is_a_clear_fault(void **state)
{
    struct health *second = NULL;
    char address[64];

    (void)state;
    snprintf(address, sizeof address, "localhost:%d", health_port(health));
    assert_int_equal(health_open(&second, address, &fault), ST_FATAL);
    assert_null(second);
    assert_non_null(strstr(fault.text, address));
    assert_non_null(strstr(fault.text, "Address already in use"));
    assert_non_null(strstr(fault.text, "--admin"));
}

static void a_port_can_be_taken_again_at_once(void **state)
{
    char address[64];

    (void)state;
    get("/healthz");
    snprintf(address, sizeof address, "127.0.0.1:%d", health_port(health));
    health_close(health);
    assert_int_equal(health_open(&health, address, &fault), ST_OK);
    get("/healthz");
    assert_answer("200 OK", "alive\n");
}

static void no_address_means_no_listener(void **state)
{
    struct health *none = (struct health *)&got;

    (void)state;
    assert_int_equal(health_open(&none, "none", &fault), ST_OK);
    assert_null(none);
    none = (struct health *)&got;
    assert_int_equal(health_open(&none, "", &fault), ST_OK);
    assert_null(none);
    assert_int_equal(health_port(NULL), 0);
    health_set(NULL, "x", true);
    health_drain(NULL);
    health_close(NULL);
}

static void addresses_are_literals_with_a_port(void **state)
{
    static const char *const bad[] = {"9101",         ":9101",         "127.0.0.1",
                                      "127.0.0.1:",   "127.0.0.1:x",   "127.0.0.1:65536",
                                      "127.0.0.1:-1", "127.0.0.1: 1",  "127.0.0.1:1x",
                                      "127.0.0:1",    "example.org:1", "::1:9101",
                                      "[::1:9101",    "[::1]9101",     "[127.0.0.1]:1",
                                      "[]:1"};
    struct health *h = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(health_open(&h, bad[i], &fault), ST_REJECT);
        assert_null(h);
        assert_non_null(strstr(fault.text, bad[i]));
    }
}

static void ipv6_is_fine(void **state)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct health *six = NULL;
    int fd;

    (void)state;
    if (health_open(&six, "[::1]:0", &fault) != ST_OK) {
        assert_null(strstr(fault.text, "write")); /* understood, but this machine has no IPv6 */
        skip();
    }
    to.sin6_port = htons((uint16_t)health_port(six));
    fd = socket(AF_INET6, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(send(fd, "GET /healthz HTTP/1.1\r\n\r\n", 25, MSG_NOSIGNAL), 25);
    assert_true(read_rest(fd) > 0);
    assert_answer("200 OK", "alive\n");
    health_close(six);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_alive_whatever_is_missing, open_health, close_health),
        cmocka_unit_test_setup_teardown(
            what_takes_too_long_is_not_ready_and_is_again_when_it_is_over, open_health,
            close_health),
        cmocka_unit_test_setup_teardown(it_is_ready_when_every_part_is_and_it_does_not_drain,
                                        open_health, close_health),
        cmocka_unit_test_setup_teardown(metrics_are_prometheus_text, open_health, close_health),
        cmocka_unit_test_setup_teardown(the_version_is_json, open_health, close_health),
        cmocka_unit_test_setup_teardown(head_has_the_length_and_no_body, open_health, close_health),
        cmocka_unit_test_setup_teardown(everything_else_is_refused, open_health, close_health),
        cmocka_unit_test_setup_teardown(a_request_of_more_than_4_kib_is_refused, open_health,
                                        close_health),
        cmocka_unit_test_setup_teardown(a_request_may_come_in_pieces, open_health, close_health),
        cmocka_unit_test_setup_teardown(who_says_nothing_is_cut_and_does_not_hold_up_others,
                                        open_health, close_health),
        cmocka_unit_test_setup_teardown(closing_does_not_wait_for_clients, open_health,
                                        close_health),
        cmocka_unit_test_setup_teardown(a_taken_port_is_a_clear_fault, open_health, close_health),
        cmocka_unit_test_setup_teardown(a_port_can_be_taken_again_at_once, open_health,
                                        close_health),
        cmocka_unit_test(no_address_means_no_listener),
        cmocka_unit_test(addresses_are_literals_with_a_port),
        cmocka_unit_test(ipv6_is_fine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
