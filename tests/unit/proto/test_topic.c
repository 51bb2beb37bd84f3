/* Topics: taken apart, put together, and nothing foreign let in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "proto/topic.h"

#define VIN "WVWZZZ1KZAW000001"

static enum status parse(struct topic *t, const char *text)
{
    struct fault fault;

    return topic_parse(t, text, strlen(text), &fault);
}

static void every_leaf_survives_the_round_trip(void **state)
{
    (void)state;
    for (int leaf = 0; leaf < LEAF_COUNT; leaf++) {
        char text[TOPIC_MAX];
        struct topic t;

        topic_format(text, VIN, (enum leaf)leaf);
        assert_int_equal(parse(&t, text), ST_OK);
        assert_string_equal(t.vin, VIN);
        assert_int_equal(t.leaf, leaf);
        assert_int_equal(t.shard, topic_shard(VIN));
    }
}

static void the_shard_is_the_crc_of_the_vin(void **state)
{
    char text[TOPIC_MAX], wanted[TOPIC_MAX];

    (void)state;
    assert_int_equal(topic_shard(VIN), crc32(0, (const unsigned char *)VIN, 17) % 64);
    snprintf(wanted, sizeof wanted, "fleet/v1/%02x/" VIN "/up/telemetry", topic_shard(VIN));
    topic_format(text, VIN, LEAF_TELEMETRY);
    assert_string_equal(text, wanted);
    topic_shard_filter(text, 10);
    assert_string_equal(text, "fleet/v1/0a/+/up/#");
}

static void another_shard_is_refused(void **state)
{
    unsigned own = topic_shard(VIN);

    (void)state;
    for (unsigned shard = 0; shard < 256; shard++) {
        char text[TOPIC_MAX];
        struct topic t;

        snprintf(text, sizeof text, "fleet/v1/%02x/" VIN "/up/state", shard);
        assert_int_equal(parse(&t, text), shard == own ? ST_OK : ST_REJECT);
    }
}

static void foreign_topics_are_refused_and_leave_the_output_alone(void **state)
{
    static const char *const tails[] = {"up/states", "up/stat",   "up",    "",         "up/#",
                                        "+",         "up/state/", "down/", "UP/state", "live/x"};
    struct topic t = {.shard = 99};
    char text[TOPIC_MAX + 8];

    (void)state;
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        snprintf(text, sizeof text, "fleet/v1/%02x/" VIN "/%s", topic_shard(VIN), tails[i]);
        assert_int_equal(parse(&t, text), ST_REJECT);
    }
    assert_int_equal(parse(&t, ""), ST_REJECT);
    assert_int_equal(parse(&t, "fleet/v1/"), ST_REJECT);
    assert_int_equal(parse(&t, "fleet/v2/00/" VIN "/live"), ST_REJECT);
    assert_int_equal(parse(&t, "fleet/v1/0X/" VIN "/live"), ST_REJECT);
    assert_int_equal(parse(&t, "fleet/v1/00/WVWZZZ1KZAW00000I/live"), ST_REJECT);
    assert_int_equal(t.shard, 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_leaf_survives_the_round_trip),
        cmocka_unit_test(the_shard_is_the_crc_of_the_vin),
        cmocka_unit_test(another_shard_is_refused),
        cmocka_unit_test(foreign_topics_are_refused_and_leave_the_output_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
