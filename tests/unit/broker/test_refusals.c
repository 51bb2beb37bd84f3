/* tests/unit/broker/test_refusals.c - a flood of refusals becomes a few lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#include "services/broker/refusals.h"

#define CAR "WVWZZZ1KZAW000001"

static struct refusals all;

static int setup(void **state)
{
    (void)state;
    refusals_init(&all);
    return 0;
}

static void refuse(const char *name, int access, const char *topic, enum guard_reason reason)
{
    struct guard_ask ask = {name, topic, access, false, GUARD_ISSUER_OTHER};

    refusals_add(&all, &ask, reason, "127.0.0.1");
}

static void the_same_again_only_counts(void **state)
{
    char line[REFUSALS_LINE_MAX];

    (void)state;
    for (int i = 0; i < 1000; i++)
        refuse(CAR, MOSQ_ACL_WRITE, i ? "later" : "fleet/v1/first", GUARD_FOREIGN_TOPIC);
    assert_int_equal(all.used, 1);
    refusals_format(line, &all.kinds[0]);
    assert_string_equal(line, "event=guard.refused name=\"" CAR "\" from=127.0.0.1 access=publish "
                              "reason=foreign_topic count=1000 topic=\"fleet/v1/first\"");
}

static void another_access_reason_or_name_is_another_line(void **state)
{
    (void)state;
    refuse(CAR, MOSQ_ACL_WRITE, "t", GUARD_FOREIGN_TOPIC);
    refuse(CAR, MOSQ_ACL_SUBSCRIBE, "t", GUARD_FOREIGN_TOPIC);
    refuse(CAR, MOSQ_ACL_WRITE, "t", GUARD_RETAINED);
    refuse("#", MOSQ_ACL_WRITE, "t", GUARD_BAD_NAME);
    refuse(NULL, MOSQ_ACL_WRITE, "t", GUARD_NO_NAME);
    assert_int_equal(all.used, 5);
    assert_int_equal(all.others, 0);
}

static void beyond_the_room_they_are_counted_and_known_ones_still_are(void **state)
{
    char name[18];

    (void)state;
    for (int i = 0; i < REFUSALS_KINDS + 10; i++) {
        snprintf(name, sizeof name, "ZZ%015d", i);
        refuse(name, MOSQ_ACL_WRITE, "t", GUARD_REVOKED);
    }
    refuse("ZZ000000000000000", MOSQ_ACL_WRITE, "t", GUARD_REVOKED);
    assert_int_equal(all.used, REFUSALS_KINDS);
    assert_int_equal(all.others, 10);
    assert_int_equal(all.kinds[0].count, 2);
    refusals_init(&all);
    assert_int_equal(all.used + all.others, 0);
}

static void no_byte_of_a_client_can_break_the_line(void **state)
{
    char line[REFUSALS_LINE_MAX], huge[4096];

    (void)state;
    refuse("a\nlevel=info \"x\" \x1b[31m\xc3\xa9\\", MOSQ_ACL_SUBSCRIBE, "x\r\ny\"",
           GUARD_BAD_NAME);
    memset(huge, 'h', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    refuse(huge, 99, huge, GUARD_BAD_NAME);
    for (size_t i = 0; i < all.used; i++) {
        refusals_format(line, &all.kinds[i]);
        for (const char *c = line; *c; c++)
            assert_true(*c >= ' ' && *c <= '~');
        assert_int_equal(line[strlen(line) - 1], '"'); /* whole: nothing was cut by the buffer */
    }
    assert_string_equal(all.kinds[0].topic, "x??y?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_same_again_only_counts, setup),
        cmocka_unit_test_setup(another_access_reason_or_name_is_another_line, setup),
        cmocka_unit_test_setup(beyond_the_room_they_are_counted_and_known_ones_still_are, setup),
        cmocka_unit_test_setup(no_byte_of_a_client_can_break_the_line, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
