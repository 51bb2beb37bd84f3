/* tests/unit/broker/test_guard_rules.c - who may do what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#include "proto/topic.h"
#include "services/broker/guard_rules.h"

#define CAR "WVWZZZ1KZAW000001"
#define OTHER "WVWZZZ1KZAW000002"

static struct deny_list *denied;

static char *own(const char *rest)
{
    static char topic[128];

    snprintf(topic, sizeof topic, "fleet/v1/%02x/" CAR "/%s", topic_shard(CAR), rest);
    return topic;
}

static enum guard_reason refused(const char *name, int access, const char *topic, bool retained)
{
    struct guard_ask ask = {name, topic, access, retained, GUARD_ISSUER_OTHER};
    enum guard_reason reason = GUARD_REASON_COUNT;
    enum guard_answer answer = guard_rules_judge(&ask, denied, &reason);

    assert_int_equal(answer == GUARD_DENY, reason != GUARD_FINE);
    return reason;
}

static void answers(enum guard_answer want, int access, const char *topic, bool retained)
{
    struct guard_ask ask = {CAR, topic, access, retained, GUARD_ISSUER_OTHER};
    enum guard_reason reason;

    assert_int_equal(guard_rules_judge(&ask, denied, &reason), want);
}

static void a_car_may_write_up_and_only_the_acl_file_has_the_last_word(void **state)
{
    (void)state;
    answers(GUARD_DEFER, MOSQ_ACL_WRITE, own("up/telemetry"), false);
    answers(GUARD_DEFER, MOSQ_ACL_WRITE, own("up/state"), true);
    answers(GUARD_DEFER, MOSQ_ACL_WRITE, own("up/state"), false);
}

static void a_car_may_subscribe_to_down_and_receive_it(void **state)
{
    (void)state;
    answers(GUARD_ALLOW, MOSQ_ACL_SUBSCRIBE, own("down/#"), false);
    answers(GUARD_ALLOW, MOSQ_ACL_SUBSCRIBE, own("down/ack"), false);
    answers(GUARD_ALLOW, MOSQ_ACL_UNSUBSCRIBE, own("down/#"), false);
    answers(GUARD_ALLOW, MOSQ_ACL_UNSUBSCRIBE, own("whatever"), false);
    answers(GUARD_DEFER, MOSQ_ACL_READ, own("down/ack"), false);
    answers(GUARD_DEFER, MOSQ_ACL_READ, own("down/config"), true);
}

static void only_state_may_be_retained(void **state)
{
    (void)state;
    assert_int_equal(refused(CAR, MOSQ_ACL_WRITE, own("up/telemetry"), true), GUARD_RETAINED);
    assert_int_equal(refused(CAR, MOSQ_ACL_WRITE, own("up/state/x"), true), GUARD_RETAINED);
    assert_int_equal(refused(CAR, MOSQ_ACL_WRITE, own("up/stat"), true), GUARD_RETAINED);
}

static void a_car_may_not_write_down_nor_read_up(void **state)
{
    (void)state;
    assert_int_equal(refused(CAR, MOSQ_ACL_WRITE, own("down/ack"), false), GUARD_WRONG_WAY);
    assert_int_equal(refused(CAR, MOSQ_ACL_WRITE, own("live"), false), GUARD_WRONG_WAY);
    assert_int_equal(refused(CAR, MOSQ_ACL_WRITE, own("up"), false), GUARD_WRONG_WAY);
    assert_int_equal(refused(CAR, MOSQ_ACL_SUBSCRIBE, own("up/#"), false), GUARD_WRONG_WAY);
    assert_int_equal(refused(CAR, MOSQ_ACL_SUBSCRIBE, own("#"), false), GUARD_WRONG_WAY);
    assert_int_equal(refused(CAR, MOSQ_ACL_SUBSCRIBE, own("+/ack"), false), GUARD_WRONG_WAY);
    assert_int_equal(refused(CAR, MOSQ_ACL_SUBSCRIBE, own("down"), false), GUARD_WRONG_WAY);
    assert_int_equal(refused(CAR, MOSQ_ACL_READ, own("up/state"), false), GUARD_WRONG_WAY);
    assert_int_equal(refused(CAR, 0, own("down/ack"), false), GUARD_WRONG_WAY);
    assert_int_equal(refused(CAR, MOSQ_ACL_READ | MOSQ_ACL_WRITE, own("up/state"), false),
                     GUARD_WRONG_WAY);
}

static void what_is_not_the_cars_own_tree_is_foreign(void **state)
{
    static const char *const filters[] = {
        "#",
        "+",
        "",
        "/",
        "$SYS/#",
        "$SYS/broker/version",
        "$CONTROL/dynamic-security/v1",
        "fleet/#",
        "fleet/v1/#",
        "fleet/v1/+/" CAR "/down/#",
        "fleet/v1/+/+/down/#",
        "$share/g/fleet/v1/+/+/up/#",
        "Fleet/v1/00/" CAR "/down/#",
        "fleet/v2/00/" CAR "/down/#",
        "/fleet/v1/00/" CAR "/down/#",
    };
    static const int accesses[] = {MOSQ_ACL_READ, MOSQ_ACL_WRITE, MOSQ_ACL_SUBSCRIBE,
                                   MOSQ_ACL_UNSUBSCRIBE};
    char topic[256];

    (void)state;
    for (size_t a = 0; a < sizeof accesses / sizeof *accesses; a++) {
        for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
            assert_int_equal(refused(CAR, accesses[a], filters[i], false), GUARD_FOREIGN_TOPIC);
        snprintf(topic, sizeof topic, "fleet/v1/%02x/" OTHER "/up/state", topic_shard(OTHER));
        assert_int_equal(refused(CAR, accesses[a], topic, false), GUARD_FOREIGN_TOPIC);
        snprintf(topic, sizeof topic, "fleet/v1/%02x/" OTHER "/up/state", topic_shard(CAR));
        assert_int_equal(refused(CAR, accesses[a], topic, false), GUARD_FOREIGN_TOPIC);
        snprintf(topic, sizeof topic, "fleet/v1/%02x/" CAR, topic_shard(CAR));
        assert_int_equal(refused(CAR, accesses[a], topic, false), GUARD_FOREIGN_TOPIC);
        snprintf(topic, sizeof topic, "fleet/v1/%02x/" CAR "up/state", topic_shard(CAR));
        assert_int_equal(refused(CAR, accesses[a], topic, false), GUARD_FOREIGN_TOPIC);
        snprintf(topic, sizeof topic, "$share/g/%s", own("down/#"));
        assert_int_equal(refused(CAR, accesses[a], topic, false), GUARD_FOREIGN_TOPIC);
    }
}

static void every_shard_but_the_right_one_is_foreign(void **state)
{
    char topic[256];
    unsigned right = 0;

    (void)state;
    for (unsigned shard = 0; shard < 256; shard++) {
        snprintf(topic, sizeof topic, "fleet/v1/%02x/" CAR "/up/event", shard);
        if (refused(CAR, MOSQ_ACL_WRITE, topic, false) == GUARD_FINE)
            right++;
    }
    assert_int_equal(right, 1);
}

/* Of a shard with a letter in it, the capital is another topic. */
static void a_shard_in_capitals_is_foreign(void **state)
{
    char vin[] = "WVWZZZ1KZAW000000", topic[256];
    unsigned shard;

    (void)state;
    do {
        vin[16]++;
        shard = topic_shard(vin);
    } while ((shard & 15) < 10 && vin[16] < '9');
    assert_true((shard & 15) >= 10);
    snprintf(topic, sizeof topic, "fleet/v1/%02X/%s/up/event", shard, vin);
    assert_int_equal(refused(vin, MOSQ_ACL_WRITE, topic, false), GUARD_FOREIGN_TOPIC);
    snprintf(topic, sizeof topic, "fleet/v1/%02x/%s/up/event", shard, vin);
    assert_int_equal(refused(vin, MOSQ_ACL_WRITE, topic, false), GUARD_FINE);
}

static void a_name_that_is_neither_vin_nor_service_gets_nothing(void **state)
{
    static const char *const names[] = {
        "",
        "#",
        "+",
        CAR "/x",
        CAR "X",
        "WVWZZZ1KZAW00000",
        "WVWZZZ1KZAW00000I",
        "wvwzzz1kzaw000001",
        "svc",
        "Svc-ingest",
        " svc-ingest",
        "admin",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(refused(names[i], MOSQ_ACL_WRITE, own("up/state"), false), GUARD_BAD_NAME);
    assert_int_equal(refused(NULL, MOSQ_ACL_WRITE, own("up/state"), false), GUARD_NO_NAME);
}

static void a_service_is_believed_only_with_the_services_ca(void **state)
{
    struct guard_ask ask = {"svc-ingest", "fleet/v1/+/+/up/#", MOSQ_ACL_SUBSCRIBE, false,
                            GUARD_ISSUER_SERVICE};
    enum guard_reason reason;

    (void)state;
    assert_int_equal(guard_rules_judge(&ask, denied, &reason), GUARD_DEFER);
    ask.issuer = GUARD_ISSUER_UNSEEN; /* a message is being queued for it while it is away */
    assert_int_equal(guard_rules_judge(&ask, denied, &reason), GUARD_DEFER);
    ask.issuer = GUARD_ISSUER_OTHER;
    assert_int_equal(guard_rules_judge(&ask, denied, &reason), GUARD_DENY);
    assert_int_equal(reason, GUARD_WRONG_CA);
}

static void a_revoked_car_gets_nothing_and_its_neighbour_everything(void **state)
{
    static const char text[] = OTHER "\n";
    char topic[256];
    size_t ignored;

    (void)state;
    assert_int_equal(deny_list_parse(&denied, text, sizeof text - 1, &ignored, NULL), ST_OK);
    snprintf(topic, sizeof topic, "fleet/v1/%02x/" OTHER "/up/state", topic_shard(OTHER));
    assert_int_equal(refused(OTHER, MOSQ_ACL_WRITE, topic, true), GUARD_REVOKED);
    snprintf(topic, sizeof topic, "fleet/v1/%02x/" OTHER "/down/#", topic_shard(OTHER));
    assert_int_equal(refused(OTHER, MOSQ_ACL_UNSUBSCRIBE, topic, false), GUARD_REVOKED);
    assert_int_equal(refused(CAR, MOSQ_ACL_WRITE, own("up/state"), true), GUARD_FINE);
    deny_list_close(denied);
    denied = NULL;
}

static void every_reason_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < GUARD_REASON_COUNT; i++)
        assert_string_not_equal(guard_rules_reason_name((enum guard_reason)i), "unknown");
    assert_string_equal(guard_rules_reason_name(GUARD_REASON_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_car_may_write_up_and_only_the_acl_file_has_the_last_word),
        cmocka_unit_test(a_car_may_subscribe_to_down_and_receive_it),
        cmocka_unit_test(only_state_may_be_retained),
        cmocka_unit_test(a_car_may_not_write_down_nor_read_up),
        cmocka_unit_test(what_is_not_the_cars_own_tree_is_foreign),
        cmocka_unit_test(every_shard_but_the_right_one_is_foreign),
        cmocka_unit_test(a_shard_in_capitals_is_foreign),
        cmocka_unit_test(a_name_that_is_neither_vin_nor_service_gets_nothing),
        cmocka_unit_test(a_service_is_believed_only_with_the_services_ca),
        cmocka_unit_test(a_revoked_car_gets_nothing_and_its_neighbour_everything),
        cmocka_unit_test(every_reason_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
