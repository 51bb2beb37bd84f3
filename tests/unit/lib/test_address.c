/* Where to listen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_taken_apart),
        cmocka_unit_test(localhost_is_the_loopback_address),
        cmocka_unit_test(what_is_no_address_is_refused_and_repeated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
