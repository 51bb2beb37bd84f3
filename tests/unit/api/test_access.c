/* tests/unit/api/test_access.c - the whole table of rights, role by action. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "services/api/access.h"

static void each_role_may_exactly_this(void **state)
{
    /* open, car, own, read, change, retire, history, track; commands: read, send, media, codes,
     * privacy, agent */
    static const struct {
        const char *role;
        bool may[ACTION_COUNT];
    } table[] = {
        {"owner", {1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
        {"admin", {1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
        {"dispatcher", {1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0}},
        {"mechanic", {1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0, 1, 0, 0}},
        {"driver", {1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
        {"auditor", {1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_true(access_role_is_known(table[i].role));
        for (int action = 0; action < ACTION_COUNT; action++)
            assert_int_equal(access_allows(table[i].role, (enum action)action),
                             table[i].may[action]);
    }
}

static void an_unknown_role_may_nothing(void **state)
{
    static const char *const roles[] = {"", "root", "Owner", "owner ", "superuser", "own"};

    (void)state;
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        assert_false(access_role_is_known(roles[i]));
        for (int action = ACTION_OWN; action < ACTION_COUNT; action++)
            assert_false(access_allows(roles[i], (enum action)action));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_role_may_exactly_this),
        cmocka_unit_test(an_unknown_role_may_nothing),
    };

    return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
