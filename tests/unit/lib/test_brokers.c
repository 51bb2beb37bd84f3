/* Which broker is tried next, and what is told of those that failed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/brokers.h"

static struct brokers taken(const char *list)
{
    struct brokers b;

    assert_int_equal(brokers_take(&b, list, NULL), ST_OK);
    return b;
}

static bool is_now(const struct brokers *b, const char *url)
{
    return strcmp(brokers_now(b), url) == 0;
}

static void only_mqtts_with_a_host_and_a_port_is_a_broker(void **state)
{
    (void)state;
    assert_true(broker_is_url("mqtts://host.example:8883"));
    assert_true(broker_is_url("mqtts://127.0.0.1:1"));
    assert_false(broker_is_url("mqtt://host:1883"));
    assert_false(broker_is_url("mqtts://host"));
    assert_false(broker_is_url("mqtts://:8883"));
    assert_false(broker_is_url("mqtts://host:"));
    assert_false(broker_is_url("mqtts://host:0"));
    assert_false(broker_is_url("mqtts://host:65536"));
    assert_false(broker_is_url("mqtts://host:88x"));
    assert_false(broker_is_url("mqtts://user@host:8883"));
    assert_false(broker_is_url("mqtts://host:8883/path"));
}

static void a_list_with_one_that_is_none_or_with_too_many_is_refused(void **state)
{
    char many[17 * sizeof "mqtts://h:1"] = "";
    struct fault fault;
    struct brokers b;

    (void)state;
    assert_int_equal(brokers_take(&b, "", &fault), ST_REJECT);
    brokers_free(&b);
    assert_int_equal(brokers_take(&b, "mqtts://a:1,b:2", &fault), ST_REJECT);
    assert_non_null(strstr(fault.text, "\"b:2\""));
    brokers_free(&b);
    for (int i = 0; i < 17; i++)
        strcat(many, i ? ",mqtts://h:1" : "mqtts://h:1");
    assert_int_equal(brokers_take(&b, many, &fault), ST_REJECT);
    brokers_free(&b);
}

static void one_that_fails_hands_over_and_after_the_last_comes_the_first(void **state)
{
    struct brokers b = taken("mqtts://a:1,mqtts://b:2");
    bool news;

    (void)state;
    assert_true(is_now(&b, "mqtts://a:1"));
    assert_in_range(brokers_failed(&b, "refused", &news), 200, 300);
    assert_true(is_now(&b, "mqtts://b:2"));
    assert_in_range(brokers_failed(&b, "refused", &news), 400, 600);
    assert_true(is_now(&b, "mqtts://a:1"));
    brokers_free(&b);
}

static void a_failure_is_news_once_a_broker_and_reason_until_one_was_reached(void **state)
{
    struct brokers b = taken("mqtts://a:1");
    bool news;

    (void)state;
    brokers_failed(&b, "refused", &news);
    assert_true(news);
    brokers_failed(&b, "refused", &news);
    assert_false(news);
    brokers_failed(&b, "no answer", &news);
    assert_true(news);
    brokers_connected(&b);
    brokers_failed(&b, "no answer", &news);
    assert_true(news);
    brokers_free(&b);
}

static void a_steady_connection_is_sought_where_it_was_and_a_short_one_is_not(void **state)
{
    struct brokers b = taken("mqtts://a:1,mqtts://b:2");
    bool news;

    (void)state;
    for (int i = 0; i < 8; i++)
        brokers_failed(&b, "refused", &news); /* the pauses have grown */
    assert_in_range(brokers_lost(&b, 10000), 200, 300);
    assert_true(is_now(&b, "mqtts://a:1"));
    assert_in_range(brokers_lost(&b, 9999), 400, 600);
    assert_true(is_now(&b, "mqtts://b:2"));
    brokers_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_mqtts_with_a_host_and_a_port_is_a_broker),
        cmocka_unit_test(a_list_with_one_that_is_none_or_with_too_many_is_refused),
        cmocka_unit_test(one_that_fails_hands_over_and_after_the_last_comes_the_first),
        cmocka_unit_test(a_failure_is_news_once_a_broker_and_reason_until_one_was_reached),
        cmocka_unit_test(a_steady_connection_is_sought_where_it_was_and_a_short_one_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
