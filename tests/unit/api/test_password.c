/* tests/unit/api/test_password.c - yescrypt, and the hash nobody has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <time.h>

#include "services/api/password.h"

static struct fault fault;

static void a_password_matches_its_own_hash_only(void **state)
{
    char hash[PASSWORD_HASH_MAX], again[PASSWORD_HASH_MAX];

    (void)state;
    assert_int_equal(password_hash("correct horse battery", hash, &fault), ST_OK);
    assert_int_equal(password_hash("correct horse battery", again, &fault), ST_OK);
    assert_int_equal(strncmp(hash, "$y$", 3), 0);
    assert_string_not_equal(hash, again); /* salted */
    assert_true(password_matches("correct horse battery", hash));
    assert_false(password_matches("correct horse batterz", hash));
    assert_false(password_matches("", hash));
    assert_false(password_is_stale(hash));
}

static void a_password_has_twelve_characters_whatever_they_are(void **state)
{
    char hash[PASSWORD_HASH_MAX], longest[PASSWORD_MOST + 2];

    (void)state;
    assert_int_equal(password_hash("elevenchars", hash, &fault), ST_REJECT);
    assert_int_equal(password_hash("éééééé", hash, &fault),
                     ST_REJECT); /* twelve bytes, six characters */
    assert_int_equal(password_hash("éàüéàüéàüéàü", hash, &fault), ST_OK);
    memset(longest, 'a', sizeof longest);
    longest[PASSWORD_MOST + 1] = '\0';
    assert_int_equal(password_hash(longest, hash, &fault), ST_REJECT);
    assert_false(password_matches(longest, hash));
}

static void nobody_costs_as_much_as_somebody(void **state)
{
    struct timespec a, b;
    double spent_ms;

    (void)state;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    assert_false(password_matches("correct horse battery", NULL));
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    /* a lower bound of the work done, not a timing: a hash that was refused at once costs
     * microseconds */
    spent_ms = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
    assert_true(spent_ms > 10);
}

static void a_cheaper_hash_is_stale(void **state)
{
    (void)state;
    assert_true(password_is_stale("$y$j9T$LdJMENpBABJJ3hIHjB1Bi.$x"));
    assert_true(password_is_stale("$6$salt$x"));
    assert_false(password_matches("correct horse battery", "*0"));
    assert_false(password_matches("correct horse battery", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_matches_its_own_hash_only),
        cmocka_unit_test(a_password_has_twelve_characters_whatever_they_are),
        cmocka_unit_test(nobody_costs_as_much_as_somebody),
        cmocka_unit_test(a_cheaper_hash_is_stale),
    };

    return cmocka_run_group_tests_name("password", tests, NULL, NULL);
}
