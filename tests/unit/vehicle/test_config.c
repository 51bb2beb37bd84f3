/* What the server may ask of the car, and what enrolment answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vehicle/config.h"
#include "vehicle/enroll.h"

static struct config c;
static struct fault fault;

static enum status read_config(const char *text)
{
    return config_read(&c, text, strlen(text), &fault);
}

static void a_configuration_is_read(void **state)
{
    (void)state;
    assert_int_equal(
        read_config(
            "{\"schema\":\"config/"
            "1\",\"revision\":3,\"required_sites\":[\"illkirch\",\"esplanade\"],"
            "\"brokers\":[\"mqtts://a:8883\",\"mqtts://b:8883\"],\"rates\":{\"record_ms\":2000},"
            "\"detects\":\"agent\",\"new\":1}"),
        ST_OK);
    assert_int_equal(c.revision, 3);
    assert_int_equal(c.site_count, 2);
    assert_string_equal(c.sites[1], "esplanade");
    assert_string_equal(c.brokers, "mqtts://a:8883,mqtts://b:8883");
    assert_int_equal(c.record_ms, 2000);
    assert_false(c.detects_elsewhere);
}

static void which_end_detects_is_read_and_is_the_car_when_not_said(void **state)
{
    (void)state;
    assert_int_equal(read_config("{\"schema\":\"config/1\",\"revision\":1,\"detects\":\"ingest\"}"),
                     ST_OK);
    assert_true(c.detects_elsewhere);
    assert_int_equal(read_config("{\"schema\":\"config/1\",\"revision\":1}"), ST_OK);
    assert_false(c.detects_elsewhere);
    assert_int_equal(read_config("{\"schema\":\"config/1\",\"revision\":1,\"detects\":\"nobody\"}"),
                     ST_REJECT);
    assert_int_equal(read_config("{\"schema\":\"config/1\",\"revision\":1,\"detects\":7}"),
                     ST_REJECT);
}

static void without_required_sites_none_are_known(void **state)
{
    (void)state;
    assert_int_equal(read_config("{\"schema\":\"config/1\",\"revision\":1}"), ST_OK);
    assert_int_equal(c.site_count, 0);
    assert_string_equal(c.brokers, "");
    assert_int_equal(c.record_ms, 0);
}

static void a_record_never_gets_older_than_a_power_cut_may_cost(void **state)
{
    (void)state;
    assert_int_equal(
        read_config("{\"schema\":\"config/1\",\"revision\":1,\"rates\":{\"record_ms\":600000}}"),
        ST_OK);
    assert_int_equal(c.record_ms, CONFIG_RECORD_MS_HIGHEST);
    assert_int_equal(
        read_config("{\"schema\":\"config/1\",\"revision\":1,\"rates\":{\"record_ms\":1}}"), ST_OK);
    assert_int_equal(c.record_ms, CONFIG_RECORD_MS_LOWEST);
}

static void rates_say_how_a_parked_car_is_heard_of_and_who_watches(void **state)
{
    (void)state;
    assert_int_equal(
        read_config("{\"schema\":\"config/1\",\"revision\":1,\"rates\":{\"parked_ms\":20000,"
                    "\"heartbeat_ms\":9999999,\"watch\":{\"until\":1795248000000,"
                    "\"record_ms\":1}}}"),
        ST_OK);
    assert_int_equal(c.record_ms, 0);
    assert_int_equal(c.parked_ms, 20000);
    assert_int_equal(c.heartbeat_ms, CONFIG_HEARTBEAT_MS_HIGHEST);
    assert_int_equal(c.watch_until_ms, 1795248000000);
    assert_int_equal(c.watch_record_ms, CONFIG_RECORD_MS_LOWEST);
}

static void what_is_no_configuration_is_refused_and_leaves_nothing_of_it(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"schema\":\"config/2\",\"revision\":1}",
        "{\"schema\":\"config/1\"}",
        "{\"schema\":\"config/1\",\"revision\":0}",
        "{\"schema\":\"config/1\",\"revision\":\"1\"}",
        "{\"schema\":\"config/1\",\"revision\":1,\"required_sites\":\"illkirch\"}",
        "{\"schema\":\"config/1\",\"revision\":1,\"required_sites\":[\"\"]}",
        "{\"schema\":\"config/1\",\"revision\":1,\"required_sites\":[1]}",
        "{\"schema\":\"config/1\",\"revision\":1,\"required_sites\":"
        "[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\"]}",
        "{\"schema\":\"config/"
        "1\",\"revision\":1,\"required_sites\":[\"a-name-of-more-than-thirty-one-bytes\"]}",
        "{\"schema\":\"config/1\",\"revision\":1,\"brokers\":[\"mqtt://plain:1883\"]}",
        "{\"schema\":\"config/1\",\"revision\":1,\"brokers\":[\"mqtts://a:1,mqtt://b:2\"]}",
        "{\"schema\":\"config/1\",\"revision\":1,\"brokers\":[\"mqtts://without-port\"]}",
        "{\"schema\":\"config/1\",\"revision\":1,\"brokers\":[\"mqtts://a:1\",\"mqtts://"
        "b:65536\"]}",
        "{\"schema\":\"config/1\",\"revision\":1,\"brokers\":[\"mqtts://a:1/path\"]}",
        "{\"schema\":\"config/1\",\"revision\":1,\"brokers\":[\"mqtts://a:1\",\"mqtts://a:1\","
        "\"mqtts://a:1\",\"mqtts://a:1\",\"mqtts://a:1\",\"mqtts://a:1\",\"mqtts://a:1\",\"mqtts://"
        "a:1\","
        "\"mqtts://a:1\",\"mqtts://a:1\",\"mqtts://a:1\",\"mqtts://a:1\",\"mqtts://a:1\",\"mqtts://"
        "a:1\","
        "\"mqtts://a:1\",\"mqtts://a:1\",\"mqtts://a:1\"]}",
        "{\"schema\":\"config/1\",\"revision\":1,\"rates\":{\"record_ms\":\"fast\"}}",
        "{\"schema\":\"config/1\",\"revision\":1,\"rates\":7}",
        "{\"schema\":\"config/1\",\"revision\":1,\"rates\":{\"heartbeat_ms\":0}}",
        "{\"schema\":\"config/1\",\"revision\":1,\"rates\":{\"watch\":true}}",
        "{\"schema\":\"config/1\",\"revision\":1,\"rates\":{\"watch\":{\"until\":\"now\"}}}",
    };

    (void)state;
    assert_int_equal(read_config("{\"schema\":\"config/1\",\"revision\":7}"), ST_OK);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (read_config(texts[i]) != ST_REJECT)
            fail_msg("accepted: %s", texts[i]);
        assert_int_equal(c.site_count, 0);
        assert_string_equal(c.brokers, "");
    }
}

#define PEM "-----BEGIN CERTIFICATE-----\\nMII\\n-----END CERTIFICATE-----\\n"

static enum status read_answer(const char *text, struct text *chain, struct text *config)
{
    text_clear(chain);
    text_clear(config);
    return enroll_read_answer(text, strlen(text), chain, config, &fault);
}

static void an_enrolment_brings_certificate_and_configuration(void **state)
{
    struct text chain, config;

    (void)state;
    text_init(&chain);
    text_init(&config);
    assert_int_equal(
        read_answer("{\"certificate\":\"" PEM "\",\"brokers\":[\"mqtts://a:8883\"],\"config\":"
                    "{\"schema\":\"config/1\",\"revision\":1,\"required_sites\":[\"illkirch\"]}}",
                    &chain, &config),
        ST_OK);
    assert_non_null(strstr(chain.bytes, "BEGIN CERTIFICATE"));
    assert_int_equal(read_config(config.bytes), ST_OK);
    assert_string_equal(c.sites[0], "illkirch");
    assert_string_equal(c.brokers, "mqtts://a:8883");
    assert_int_equal(read_answer("{\"certificate\":\"" PEM "\",\"brokers\":[\"mqtts://a:8883\"]}",
                                 &chain, &config),
                     ST_OK);
    assert_int_equal(read_config(config.bytes), ST_OK);
    assert_int_equal(c.site_count, 0); /* then nothing may be forgotten */
    assert_int_equal(read_answer("{\"certificate\":\"" PEM "\"}", &chain, &config), ST_OK);
    assert_int_equal(config.len, 0);
    text_done(&chain);
    text_done(&config);
}

static void an_answer_without_certificate_is_refused(void **state)
{
    struct text chain, config;

    (void)state;
    text_init(&chain);
    text_init(&config);
    assert_int_equal(read_answer("{}", &chain, &config), ST_REJECT);
    assert_int_equal(read_answer("{\"certificate\":\"hello\"}", &chain, &config), ST_REJECT);
    assert_int_equal(read_answer("<html>", &chain, &config), ST_REJECT);
    text_done(&chain);
    text_done(&config);
}

static void one_that_is_refused_still_tells_its_revision(void **state)
{
    (void)state;
    assert_int_equal(
        read_config("{\"schema\":\"config/1\",\"revision\":9,\"required_sites\":\"illkirch\"}"),
        ST_REJECT);
    assert_int_equal(c.revision, 9);
    assert_int_equal(c.site_count, 0);
    assert_int_equal(read_config("{\"schema\":\"config/1\",\"revision\":0}"), ST_REJECT);
    assert_int_equal(c.revision, 0);
    assert_int_equal(read_config("{"), ST_REJECT);
    assert_int_equal(c.revision, 0);
}

static void hours_of_work_are_read_with_it(void **state)
{
    (void)state;
    assert_int_equal(
        read_config("{\"schema\":\"config/1\",\"revision\":9,\"privacy\":{\"zone\":\"CET-1\","
                    "\"work\":[{\"days\":[1],\"from\":480,\"to\":1080}],\"crash_place\":true}}"),
        ST_OK);
    assert_true(c.privacy.has_hours && c.privacy.crash_place);
    assert_int_equal(c.privacy.spans[0].from, 480);
    assert_int_equal(read_config("{\"schema\":\"config/1\",\"revision\":9,\"privacy\":[]}"),
                     ST_REJECT);
}

static bool only_watch_differs(const char *a, const char *b)
{
    return config_only_watch_differs(a, strlen(a), b, strlen(b));
}

#define MESSAGE(revision, rest) "{\"schema\":\"config/1\",\"revision\":" #revision rest "}"
#define WATCHED(until) ",\"rates\":{\"watch\":{\"until\":" #until "}}"

static void one_in_which_only_the_watch_is_another_is_known(void **state)
{
    (void)state;
    assert_true(only_watch_differs(MESSAGE(1, ), MESSAGE(2, WATCHED(5))));
    assert_true(only_watch_differs(MESSAGE(2, WATCHED(5)), MESSAGE(3, WATCHED(6))));
    assert_true(only_watch_differs(MESSAGE(3, WATCHED(6)), MESSAGE(4, )));
    assert_true(only_watch_differs(MESSAGE(1, ",\"rates\":{\"record_ms\":500}"),
                                   MESSAGE(2, ",\"rates\":{\"watch\":{\"until\":5},"
                                              "\"record_ms\":500}")));
}

static void one_in_which_more_or_nothing_is_another_is_no_mere_watch(void **state)
{
    (void)state;
    assert_false(only_watch_differs(MESSAGE(1, ), MESSAGE(2, )));
    assert_false(only_watch_differs(MESSAGE(1, WATCHED(5)), MESSAGE(2, WATCHED(5))));
    assert_false(only_watch_differs(MESSAGE(1, ), MESSAGE(2, WATCHED(5) ",\"new\":1")));
    assert_false(only_watch_differs(MESSAGE(1, ",\"detects\":\"agent\""),
                                    MESSAGE(2, ",\"detects\":\"ingest\"" WATCHED(5))));
    assert_false(
        only_watch_differs(MESSAGE(1, ",\"rates\":{\"record_ms\":500}"), MESSAGE(2, WATCHED(5))));
    assert_false(only_watch_differs("", MESSAGE(1, WATCHED(5))));
    assert_false(only_watch_differs("", ""));
    assert_false(only_watch_differs(MESSAGE(1, WATCHED(5)), "[]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_is_refused_still_tells_its_revision),
        cmocka_unit_test(hours_of_work_are_read_with_it),
        cmocka_unit_test(a_configuration_is_read),
        cmocka_unit_test(which_end_detects_is_read_and_is_the_car_when_not_said),
        cmocka_unit_test(without_required_sites_none_are_known),
        cmocka_unit_test(a_record_never_gets_older_than_a_power_cut_may_cost),
        cmocka_unit_test(rates_say_how_a_parked_car_is_heard_of_and_who_watches),
        cmocka_unit_test(what_is_no_configuration_is_refused_and_leaves_nothing_of_it),
        cmocka_unit_test(an_enrolment_brings_certificate_and_configuration),
        cmocka_unit_test(one_in_which_only_the_watch_is_another_is_known),
        cmocka_unit_test(one_in_which_more_or_nothing_is_another_is_no_mere_watch),
        cmocka_unit_test(an_answer_without_certificate_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
