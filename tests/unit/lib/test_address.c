/* Where to listen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/address.h"

static void assert_reads(const char *text, const char *host, bool is_ipv6, int port)
{
    struct fault fault = {""};
    struct address a = {.port = -1};

    assert_int_equal(address_read(&a, text, &fault), ST_OK);
    assert_string_equal(a.host, host);
    assert_int_equal(a.is_ipv6, is_ipv6);
    assert_int_equal(a.port, port);
}

static void addresses_are_taken_apart(void **state)
{
    (void)state;
    assert_reads("127.0.0.1:8080", "127.0.0.1", false, 8080);
    assert_reads("0.0.0.0:0", "0.0.0.0", false, 0);
    assert_reads("[::1]:65535", "::1", true, 65535);
}

static void localhost_is_the_loopback_address(void **state)
{
    (void)state;
    assert_reads("localhost:8080", "127.0.0.1", false, 8080);
}

static void what_is_no_address_is_refused_and_repeated(void **state)
{
    static const char *const wrong[] = {"",
                                        "8080",
                                        ":8080",
                                        "127.0.0.1",
                                        "127.0.0.1:",
                                        "127.0.0.1:x",
                                        "127.0.0.1:65536",
                                        "127.0.0.1:000001",
                                        "example.org:80",
                                        "::1:8080",
                                        "[]:80",
                                        "[::1:80",
                                        "1.2.3:80",
                                        "[127.0.0.1]:80",
                                        "127.0.0.1:-1"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct fault fault = {""};
        struct address a = {.port = 7};

        assert_int_equal(address_read(&a, wrong[i], &fault), ST_REJECT);
        assert_non_null(strstr(fault.text, wrong[i]));
        assert_int_equal(a.port, 7);
    }
}

static void lists_hold_addresses_and_blocks(void **state)
{
    static const char list[] = "127.0.0.1, 10.32.0.0/11,2001:db8::/33 , fd00::7";
    static const char *const in[] = {"127.0.0.1",   "::ffff:127.0.0.1", "10.32.0.0",
                                     "10.63.255.9", "2001:db8:7fff::1", "fd00::7"};
    static const char *const out[] = {"127.0.0.2", "10.31.255.255", "10.64.0.0",
                                      "fd00::8",   "::127.0.0.1",   "2001:db8:8000::1",
                                      "",          "localhost",     "127.0.0.1/32"};
    struct fault fault = {""};

    (void)state;
    assert_int_equal(address_list_check(list, &fault), ST_OK);
    assert_int_equal(address_list_check("", &fault), ST_OK);
    for (size_t i = 0; i < sizeof in / sizeof *in; i++)
        assert_true(address_listed(list, in[i]));
    for (size_t i = 0; i < sizeof out / sizeof *out; i++)
        assert_false(address_listed(list, out[i]));
    assert_false(address_listed("", "127.0.0.1"));
    assert_true(address_listed("0.0.0.0/0", "9.9.9.9"));
    assert_false(address_listed("0.0.0.0/0", "2001:db8::1"));
    assert_true(address_listed("::/0", "2001:db8::1"));
}

static void what_is_no_list_is_refused_and_repeated(void **state)
{
    static const char *const wrong[] = {"proxy",   "10.0.0.0/33", "10.0.0.0/",   "10.0.0.0/8x",
                                        "::1/129", "/8",          "10.0.0.0/-1", "127.0.0.1:80",
                                        "[::1]",   "*",           "10.0.0/8"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct fault fault = {""};
        char list[64];

        snprintf(list, sizeof list, "::1,%s", wrong[i]);
        assert_int_equal(address_list_check(list, &fault), ST_REJECT);
        assert_non_null(strstr(fault.text, wrong[i]));
    }
}

static void a_trusted_peer_says_for_whom_it_speaks(void **state)
{
    static const struct {
        const char *peer, *forwarded, *client;
    } rows[] = {
        {"203.0.113.9", "198.51.100.1", "203.0.113.9"}, /* not trusted: it may say what it likes */
        {"10.0.0.1", "", "10.0.0.1"},
        {"10.0.0.1", "198.51.100.1", "198.51.100.1"},
        {"::ffff:10.0.0.1", " 198.51.100.1 ", "198.51.100.1"},
        {"10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"}, /* the client wrote 1.1.1.1 itself */
        {"10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2,::1", "198.51.100.1"},
        {"10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
        {"10.0.0.1", "2001:DB8:0:0::1", "2001:db8::1"},
        {"10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"},
        {"10.0.0.1", "<script>, 198.51.100.1", "198.51.100.1"},
        {"10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"},
        {"10.0.0.1", "198.51.100.1,", "10.0.0.1"},
        {"10.0.0.1", ",", "10.0.0.1"},
        {"10.0.0.1", "198.51.100.1, 10.0.0.2, _hidden", "10.0.0.1"},
        {"10.0.0.1", "198.51.100.1:4711", "10.0.0.1"},
        {"10.0.0.1", "198.51.100.0/24", "10.0.0.1"},
        {"10.0.0.1",
         "11111111111111111111111111111111111111111111111111111111111111111111111111111111",
         "10.0.0.1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char client[ADDRESS_HOST_MAX];

        address_of_client(client, "10.0.0.0/8, ::1", rows[i].peer, rows[i].forwarded);
        assert_string_equal(client, rows[i].client);
    }
}

static void origins_are_what_browsers_send(void **state)
{
    static const char *const right[] = {"http://localhost:8080", "https://fleet.example",
                                        "https://a.b-c.example:8443, http://127.0.0.1:8080,",
                                        "http://[::1]:8080,https://[2001:db8::1]"};
    static const char *const wrong[] = {"*",
                                        "https://*",
                                        "https://*.example",
                                        "fleet.example",
                                        "ws://a",
                                        "https://",
                                        "https://a/",
                                        "https://a/path",
                                        "https://a:",
                                        "https://a:x",
                                        "https://A",
                                        "http://a:65536",
                                        "null",
                                        "https://u@a",
                                        "http://[::1",
                                        "http://[a]",
                                        "http://[]:80",
                                        "http://[127.0.0.1]:1",
                                        "http://[::1]x:1",
                                        "https://a?b",
                                        "http://:8080"};
    struct fault fault = {""};

    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        assert_int_equal(origin_list_check(right[i], &fault), ST_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char list[96];

        snprintf(list, sizeof list, "https://fleet.example,%s", wrong[i]);
        assert_int_equal(origin_list_check(list, &fault), ST_REJECT);
        assert_non_null(strstr(fault.text, wrong[i]));
    }
    assert_int_equal(origin_list_check("", &fault), ST_REJECT);
    assert_int_equal(origin_list_check(" ,", &fault), ST_REJECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_taken_apart),
        cmocka_unit_test(localhost_is_the_loopback_address),
        cmocka_unit_test(what_is_no_address_is_refused_and_repeated),
        cmocka_unit_test(lists_hold_addresses_and_blocks),
        cmocka_unit_test(what_is_no_list_is_refused_and_repeated),
        cmocka_unit_test(origins_are_what_browsers_send),
        cmocka_unit_test(a_trusted_peer_says_for_whom_it_speaks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
