/* tests/unit/api/test_refresh.c - a spent token is answered with its one successor for a while,
 * then it ends all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "services/api/refresh.h"

static const unsigned char secret[REFRESH_SECRET_LEN] = "0123456789abcdef0123456789abcde";
static const unsigned char other[REFRESH_SECRET_LEN] = "x123456789abcdef0123456789abcde";
#define NOW INT64_C(1795248000000)

static void the_successor_is_always_the_same_and_never_guessed(void **state)
{
    char token[REFRESH_TEXT + 1], a[REFRESH_TEXT + 1], b[REFRESH_TEXT + 1], c[REFRESH_TEXT + 1];

    (void)state;
    refresh_new(token);
    assert_true(refresh_is_valid(token));
    refresh_successor(a, token, secret);
    refresh_successor(b, token, secret);
    refresh_successor(c, token, other);
    assert_true(refresh_is_valid(a));
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    assert_string_not_equal(a, token);
    refresh_successor(b, a, secret);
    assert_string_not_equal(a, b);
}

static void two_tokens_are_never_alike(void **state)
{
    char a[REFRESH_TEXT + 1], b[REFRESH_TEXT + 1];

    (void)state;
    refresh_new(a);
    refresh_new(b);
    assert_string_not_equal(a, b);
}

static void only_the_hash_is_stored(void **state)
{
    char hash[67];

    (void)state;
    refresh_hash(hash, "abc");
    assert_string_equal(hash,
                        "\\xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void what_is_no_token_is_not_looked_up(void **state)
{
    (void)state;
    assert_false(refresh_is_valid(""));
    assert_false(refresh_is_valid("-"));
    assert_false(refresh_is_valid("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    assert_false(refresh_is_valid("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    assert_false(refresh_is_valid("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'"));
    assert_false(refresh_is_valid("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
}

static struct refresh_row fresh(void)
{
    return (struct refresh_row){.issued_ms = NOW - 1000, .family_started_ms = NOW - 5000};
}

static void a_token_is_judged_by_its_age_and_its_past(void **state)
{
    struct refresh_row row = fresh();

    (void)state;
    assert_int_equal(refresh_judge(&row, NOW), REFRESH_ROTATE);
    row.spent_ms = NOW - REFRESH_GRACE_MS;
    assert_int_equal(refresh_judge(&row, NOW), REFRESH_REPEAT);
    row.spent_ms--;
    assert_int_equal(refresh_judge(&row, NOW), REFRESH_REUSED);
    row.revoked = true;
    assert_int_equal(refresh_judge(&row, NOW), REFRESH_ENDED);
    row = fresh();
    row.user_disabled = true;
    assert_int_equal(refresh_judge(&row, NOW), REFRESH_ENDED);
    row = fresh();
    row.issued_ms = NOW - REFRESH_IDLE_MS - 1;
    assert_int_equal(refresh_judge(&row, NOW), REFRESH_ENDED);
    row = fresh();
    row.family_started_ms = NOW - REFRESH_LIFE_MS - 1;
    assert_int_equal(refresh_judge(&row, NOW), REFRESH_ENDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_successor_is_always_the_same_and_never_guessed),
        cmocka_unit_test(two_tokens_are_never_alike),
        cmocka_unit_test(only_the_hash_is_stored),
        cmocka_unit_test(what_is_no_token_is_not_looked_up),
        cmocka_unit_test(a_token_is_judged_by_its_age_and_its_past),
    };

    return cmocka_run_group_tests_name("refresh", tests, NULL, NULL);
}
