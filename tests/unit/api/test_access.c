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

/* Who may: o owner, a admin, d dispatcher, m mechanic, r driver, u auditor. */
static const char *const roles[] = {"owner",    "admin",  "dispatcher",
                                    "mechanic", "driver", "auditor"};
static const char letters[] = "oadmru";
static const char *const may[ACTION_COUNT] = {
    [ACTION_OPEN] = "oadmru",        [ACTION_CAR] = "",
    [ACTION_OWN] = "oadmru",         [ACTION_VEHICLE_READ] = "oadmu",
    [ACTION_VEHICLE_CHANGE] = "oad", [ACTION_VEHICLE_RETIRE] = "oa",
    [ACTION_HISTORY_READ] = "oadmu", [ACTION_TRACK_READ] = "oadu",
    [ACTION_COMMAND_READ] = "oadmu", [ACTION_COMMAND_SEND] = "oadm",
    [ACTION_MEDIA_ASK] = "oad",      [ACTION_CODES_CLEAR] = "oam",
    [ACTION_PRIVACY_SET] = "oad",    [ACTION_AGENT_CONTROL] = "oa",
    [ACTION_ALERT_READ] = "oadmu",   [ACTION_ALERT_HANDLE] = "oadm",
    [ACTION_SETUP_READ] = "oadmu",   [ACTION_CUSTOMER_CHANGE] = "oa",
    [ACTION_ZONE_CHANGE] = "oad",    [ACTION_RULE_CHANGE] = "oa",
    [ACTION_DRIVER_READ] = "oadu",   [ACTION_DRIVER_CHANGE] = "oa",
    [ACTION_ASSIGN] = "oad",         [ACTION_CONTRACT_READ] = "oau",
    [ACTION_CONTRACT_CHANGE] = "oa", [ACTION_UPKEEP_READ] = "oadmu",
    [ACTION_UPKEEP_CHANGE] = "oam",  [ACTION_STATISTICS_READ] = "oadu",
    [ACTION_FEED_READ] = "oadu",     [ACTION_AUDIT_READ] = "oau",
};

static void each_role_may_exactly_this(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        assert_true(access_role_is_known(roles[i]));
        for (int action = 0; action < ACTION_COUNT; action++) {
            bool wanted = strchr(may[action], letters[i]) != NULL;

            if (access_allows(roles[i], (enum action)action) != wanted)
                fail_msg("%s, action %d: %s", roles[i], action, wanted ? "denied" : "allowed");
        }
    }
}

static void an_unknown_role_may_nothing(void **state)
{
    static const char *const unknown[] = {"", "root", "Owner", "owner ", "superuser", "own"};

    (void)state;
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        assert_false(access_role_is_known(unknown[i]));
        for (int action = ACTION_CAR; action < ACTION_COUNT; action++)
            assert_false(access_allows(unknown[i], (enum action)action));
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
