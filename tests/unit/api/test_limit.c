/* tests/unit/api/test_limit.c - how often, and how long after a wrong password. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "services/api/limit.h"

static const struct rate twenty = {20, 60};
static struct limits *limits;
static struct delays *delays;
static struct fault fault;

static int setup(void **state)
{
    (void)state;
    return limits_open(&limits, &fault) != ST_OK || delays_open(&delays, &fault) != ST_OK;
}

static int teardown(void **state)
{
    (void)state;
    limits_close(limits);
    delays_close(delays);
    return 0;
}

static void a_burst_of_sixty_and_then_twenty_a_second(void **state)
{
    int retry_s = 0, passed = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        passed += limits_take(limits, "ada", twenty, 1000, &retry_s);
    assert_int_equal(passed, 60);
    assert_int_equal(retry_s, 1);
    assert_false(limits_take(limits, "ada", twenty, 1049, &retry_s));
    assert_true(limits_take(limits, "ada", twenty, 1101, &retry_s));
    passed = 0;
    for (int i = 0; i < 100; i++)
        passed += limits_take(limits, "ada", twenty, 2101, &retry_s);
    assert_in_range(passed, 20, 21);
}

static void one_users_rush_is_not_anothers(void **state)
{
    int retry_s = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        (void)limits_take(limits, "ada", twenty, 1000, &retry_s);
    assert_true(limits_take(limits, "bob", twenty, 1000, &retry_s));
}

static void a_clock_that_stands_still_gives_nothing(void **state)
{
    int retry_s = 0;

    (void)state;
    for (int i = 0; i < 60; i++)
        assert_true(limits_take(limits, "ada", twenty, 5000, &retry_s));
    assert_false(limits_take(limits, "ada", twenty, 4000, &retry_s));
    assert_false(limits_take(limits, "ada", twenty, 5000, &retry_s));
}

static void twenty_thousand_keys_are_remembered_and_the_quiet_ones_make_room(void **state)
{
    int retry_s = 0;
    char key[24];

    (void)state;
    for (int i = 0; i < LIMIT_KEYS_MAX; i++) {
        snprintf(key, sizeof key, "%d", i);
        assert_true(limits_take(limits, key, twenty, 1000, &retry_s));
    }
    assert_false(limits_take(limits, "one more", twenty, 1000, &retry_s));
    assert_true(limits_take(limits, "one more", twenty, 61001, &retry_s));
}

static void sources_are_networks_not_addresses(void **state)
{
    char a[64], b[64];

    (void)state;
    source_of(a, "192.0.2.1");
    source_of(b, "192.0.2.254");
    assert_string_equal(a, b);
    assert_string_equal(a, "192.0.2.0/24");
    source_of(b, "192.0.3.1");
    assert_string_not_equal(a, b);
    source_of(b, "::ffff:192.0.2.7");
    assert_string_equal(a, b);
    source_of(a, "2001:db8:1:2:3:4:5:6");
    source_of(b, "2001:db8:1:2::9");
    assert_string_equal(a, b);
    source_of(b, "2001:db8:1:3::9");
    assert_string_not_equal(a, b);
    source_of(a, "nonsense");
    assert_string_equal(a, "unknown");
}

static void an_account_is_held_back_longer_and_longer_but_never_locked(void **state)
{
    static const int64_t wanted[] = {0, 0, 0, 250, 500, 1000, 2000, 4000, 8000, 8000, 8000};
    int64_t hold_ms = -1;
    char source[64];
    int retry_s = 0;

    (void)state;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        snprintf(source, sizeof source, "192.0.%zu.0/24", i); /* from everywhere */
        assert_true(delays_admit(delays, "ada", source, 1000, &hold_ms, &retry_s));
        assert_int_equal(hold_ms, wanted[i]);
        delays_failed(delays, "ada", source, 1000);
    }
    assert_true(delays_admit(delays, "bob", "198.51.100.0/24", 1000, &hold_ms, &retry_s));
    assert_int_equal(hold_ms, 0);
}

static void a_source_that_keeps_failing_is_refused_for_longer_and_longer(void **state)
{
    int64_t hold_ms = 0, now_ms = 1000;
    char account[16];
    int retry_s = 0;

    (void)state;
    for (int i = 0; i < 10; i++) {
        snprintf(account, sizeof account, "user%d", i);
        assert_true(delays_admit(delays, account, "192.0.2.0/24", now_ms, &hold_ms, &retry_s));
        delays_failed(delays, account, "192.0.2.0/24", now_ms);
    }
    assert_false(delays_admit(delays, "x", "192.0.2.0/24", now_ms, &hold_ms, &retry_s));
    assert_int_equal(retry_s, 1);
    assert_true(delays_admit(delays, "x", "192.0.2.0/24", now_ms + 1001, &hold_ms, &retry_s));
    delays_failed(delays, "x", "192.0.2.0/24", now_ms + 1001);
    assert_false(delays_admit(delays, "x", "192.0.2.0/24", now_ms + 1002, &hold_ms, &retry_s));
    assert_int_equal(retry_s, 2);
    for (int i = 0; i < 50; i++)
        delays_failed(delays, "x", "192.0.2.0/24", now_ms + 2000);
    assert_false(delays_admit(delays, "x", "192.0.2.0/24", now_ms + 2000, &hold_ms, &retry_s));
    assert_int_equal(retry_s, 300);
    assert_true(delays_admit(delays, "x", "192.0.3.0/24", now_ms + 2000, &hold_ms, &retry_s));
}

static void success_and_time_forgive(void **state)
{
    int64_t hold_ms = -1;
    int retry_s = 0;

    (void)state;
    for (int i = 0; i < 6; i++)
        delays_failed(delays, "ada", "192.0.2.0/24", 1000);
    delays_succeeded(delays, "ada");
    assert_true(delays_admit(delays, "ada", "192.0.3.0/24", 1000, &hold_ms, &retry_s));
    assert_int_equal(hold_ms, 0);
    for (int i = 0; i < 6; i++)
        delays_failed(delays, "ada", "192.0.2.0/24", 2000);
    assert_true(
        delays_admit(delays, "ada", "192.0.3.0/24", 2000 + 15 * 60 * 1000, &hold_ms, &retry_s));
    assert_int_equal(hold_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_burst_of_sixty_and_then_twenty_a_second, setup, teardown),
        cmocka_unit_test_setup_teardown(one_users_rush_is_not_anothers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_clock_that_stands_still_gives_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(
            twenty_thousand_keys_are_remembered_and_the_quiet_ones_make_room, setup, teardown),
        cmocka_unit_test_setup_teardown(sources_are_networks_not_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(an_account_is_held_back_longer_and_longer_but_never_locked,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_source_that_keeps_failing_is_refused_for_longer_and_longer, setup, teardown),
        cmocka_unit_test_setup_teardown(success_and_time_forgive, setup, teardown),
    };

    return cmocka_run_group_tests_name("limit", tests, NULL, NULL);
}
