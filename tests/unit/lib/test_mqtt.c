/* The MQTT client, against Mosquitto with TLS and client certificates
 * (tests/integration/test_edges.py). */
#include "tests/unit/served.h"

#include <pthread.h>
#include <stdatomic.h>

#include "lib/mqtt.h"

/* What a client told us; written on Paho's thread. */
struct heard {
    pthread_mutex_t lock;
    atomic_int ups, downs, messages, columnar, refusals, last_refusal;
    atomic_size_t last_len;
    char reason[256], refused_what[128], last_topic[128], last_payload[128];
    bool last_retained;
};

static void keep(char *to, size_t size, const char *from, size_t len)
{
    if (len >= size)
        len = size - 1;
    memcpy(to, from, len);
    to[len] = '\0';
}

static void hear_message(void *self, const struct mqtt_message *m)
{
    struct heard *h = self;

    pthread_mutex_lock(&h->lock);
    keep(h->last_topic, sizeof h->last_topic, m->topic, m->topic_len);
    keep(h->last_payload, sizeof h->last_payload, m->payload, m->len);
    h->last_len = m->len;
    h->last_retained = m->retained;
    pthread_mutex_unlock(&h->lock);
    atomic_fetch_add(&h->columnar, m->columnar);
    atomic_fetch_add(&h->messages, 1);
}

static void hear_connection(void *self, bool connected, const char *broker, const char *reason)
{
    struct heard *h = self;

    (void)broker;
    pthread_mutex_lock(&h->lock);
    keep(h->reason, sizeof h->reason, reason, strlen(reason));
    pthread_mutex_unlock(&h->lock);
    atomic_fetch_add(connected ? &h->ups : &h->downs, 1);
}

static void hear_refusal(void *self, int reason, const char *what)
{
    struct heard *h = self;

    pthread_mutex_lock(&h->lock);
    keep(h->refused_what, sizeof h->refused_what, what, strlen(what));
    pthread_mutex_unlock(&h->lock);
    h->last_refusal = reason;
    atomic_fetch_add(&h->refusals, 1);
}

static bool says(struct heard *h, const char *field, const char *what)
{
    bool found;

    pthread_mutex_lock(&h->lock);
    found = strstr(field, what) != NULL;
    pthread_mutex_unlock(&h->lock);
    return found;
}

static struct mqtt_options options_for(struct heard *h, const char *id)
{
    static const struct heard empty = {.lock = PTHREAD_MUTEX_INITIALIZER};

    memcpy(h, &empty, sizeof *h);
    return (struct mqtt_options){.brokers = served("VIGIE_TEST_BROKER"),
                                 .client_id = id,
                                 .ca = served("VIGIE_TEST_CA"),
                                 .cert = served("VIGIE_TEST_CERT"),
                                 .key = served("VIGIE_TEST_KEY"),
                                 .on_message = hear_message,
                                 .on_connection = hear_connection,
                                 .on_refused = hear_refusal,
                                 .self = h};
}

static struct mqtt *open_with(const struct mqtt_options *o)
{
    struct fault fault = {""};
    struct mqtt *m = NULL;

    if (mqtt_open(&m, o, &fault) != ST_OK)
        fail_msg("mqtt_open: %s", fault.text);
    return m;
}

static struct mqtt *open_connected(struct heard *h, const char *id)
{
    const struct mqtt_options o = options_for(h, id);
    struct mqtt *m = open_with(&o);

    WAIT_FOR(mqtt_is_connected(m));
    return m;
}

static enum status send_text(struct mqtt *m, const char *topic, const char *payload, int qos)
{
    const struct mqtt_publish p = {
        .topic = topic, .payload = payload, .len = strlen(payload), .qos = qos};

    return mqtt_publish(m, &p, NULL);
}

static void a_message_comes_back_with_its_label(void **state)
{
    struct heard h;
    struct mqtt *m = open_connected(&h, "label");
    struct mqtt_publish p = {.topic = "test/label", .payload = "\xc1\x01", .len = 2, .qos = 1};

    (void)state;
    assert_int_equal(mqtt_subscribe(m, "test/label", 1, NULL), ST_OK);
    p.columnar = true;
    p.expiry_s = 60;
    assert_int_equal(mqtt_publish(m, &p, NULL), ST_OK);
    WAIT_FOR(h.messages == 1);
    assert_int_equal(h.columnar, 1);
    assert_true(says(&h, h.last_topic, "test/label"));
    assert_int_equal(h.last_len, 2);
    p.columnar = false;
    assert_int_equal(mqtt_publish(m, &p, NULL), ST_OK);
    WAIT_FOR(h.messages == 2);
    assert_int_equal(h.columnar, 1);
    WAIT_FOR(mqtt_unsent_bytes(m) == 0);
    mqtt_close(m);
}

static void a_subscription_made_before_the_connection_is_asked_for_after_it(void **state)
{
    struct heard h;
    const struct mqtt_options o = options_for(&h, "early");
    struct mqtt *m = open_with(&o);
    enum status st = mqtt_subscribe(m, "test/early/+", 1, NULL);

    (void)state;
    assert_true(st == ST_RETRY || st == ST_OK);
    WAIT_FOR(mqtt_is_connected(m));
    WAIT_FOR(send_text(m, "test/early/1", "x", 1) == ST_OK && (nap_ms(50), h.messages > 0));
    mqtt_close(m);
}

static void an_unsubscribed_filter_stays_away_after_a_reconnect(void **state)
{
    struct heard h;
    struct mqtt *m = open_connected(&h, "unsub");

    (void)state;
    assert_int_equal(mqtt_subscribe(m, "test/a", 1, NULL), ST_OK);
    assert_int_equal(mqtt_subscribe(m, "test/b", 1, NULL), ST_OK);
    assert_int_equal(mqtt_unsubscribe(m, "test/a", NULL), ST_OK);
    assert_int_equal(mqtt_unsubscribe(m, "test/a", NULL), ST_OK);
    ask("kill broker");
    WAIT_FOR(!mqtt_is_connected(m));
    ask("start broker");
    WAIT_FOR(mqtt_is_connected(m));
    /* test/b is subscribed after CONNACK, so its message says that test/a would have been too */
    WAIT_FOR(send_text(m, "test/a", "no", 1) == ST_OK &&
             send_text(m, "test/b", "yes", 1) == ST_OK && (nap_ms(50), h.messages > 0));
    assert_true(says(&h, h.last_topic, "test/b"));
    mqtt_close(m);
}

static void a_broker_killed_and_restarted_is_found_again(void **state)
{
    struct heard h;
    struct mqtt *m = open_connected(&h, "killed");

    (void)state;
    assert_int_equal(mqtt_subscribe(m, "test/back/#", 1, NULL), ST_OK);
    for (int round = 1; round <= 2; round++) {
        int before;

        ask("kill broker");
        WAIT_FOR(!mqtt_is_connected(m));
        assert_int_equal(send_text(m, "test/back/1", "away", 1), ST_RETRY);
        assert_int_equal(send_text(m, "test/back/1", "away", 0), ST_RETRY);
        ask("start broker");
        WAIT_FOR(h.ups == round + 1);
        before = h.messages;
        WAIT_FOR(send_text(m, "test/back/1", "here", 1) == ST_OK &&
                 (nap_ms(50), h.messages > before));
        assert_false(says(&h, h.last_payload, "away"));
    }
    WAIT_FOR(mqtt_unsent_bytes(m) == 0);
    mqtt_close(m);
}

static void a_broker_that_shuts_down_in_an_orderly_way_is_noticed(void **state)
{
    struct heard h;
    struct mqtt *m = open_connected(&h, "shutdown");

    (void)state;
    ask("stop broker");
    WAIT_FOR(!mqtt_is_connected(m));
    ask("start broker");
    WAIT_FOR(h.ups == 2);
    mqtt_close(m);
}

static void a_client_thrown_out_by_its_double_comes_back(void **state)
{
    struct heard h, other;
    struct mqtt *m = open_connected(&h, "double"), *thief;
    struct mqtt_options o = options_for(&other, "double");

    (void)state;
    thief = open_with(&o);
    WAIT_FOR(h.downs >= 1);
    mqtt_close(thief);
    WAIT_FOR(mqtt_is_connected(m));
    mqtt_close(m);
}

static void a_connection_that_dies_silently_is_noticed(void **state)
{
    struct heard h;
    struct mqtt_options o = options_for(&h, "silent");
    struct mqtt *m;

    (void)state;
    o.keepalive_s = 1;
    m = open_with(&o);
    WAIT_FOR(mqtt_is_connected(m));
    ask("freeze broker");
    WAIT_FOR(!mqtt_is_connected(m));
    ask("thaw broker");
    WAIT_FOR(mqtt_is_connected(m));
    mqtt_close(m);
}

static void the_next_broker_is_taken_when_the_first_is_away(void **state)
{
    struct heard h;
    struct mqtt_options o = options_for(&h, "second");
    struct mqtt *m;

    (void)state;
    o.brokers = served("VIGIE_TEST_BROKERS"); /* nobody listens on the first */
    m = open_with(&o);
    WAIT_FOR(mqtt_is_connected(m));
    ask("kill broker");
    WAIT_FOR(!mqtt_is_connected(m));
    ask("start broker");
    WAIT_FOR(mqtt_is_connected(m));
    mqtt_close(m);
}

static void what_no_broker_takes_is_refused_here(void **state)
{
    struct heard h;
    struct mqtt *m = open_connected(&h, "topics");

    (void)state;
    assert_int_equal(send_text(m, "", "x", 1), ST_REJECT);
    assert_int_equal(send_text(m, "test/+", "x", 1), ST_REJECT);
    assert_int_equal(send_text(m, "test/#", "x", 0), ST_REJECT);
    assert_int_equal(send_text(m, "test/\xff", "x", 1), ST_REJECT);
    assert_int_equal(send_text(m, "test/x", "x", 3), ST_REJECT);
    assert_int_equal(mqtt_subscribe(m, "", 0, NULL), ST_REJECT);
    assert_int_equal(mqtt_subscribe(m, "test/\xff", 0, NULL), ST_REJECT);
    assert_int_equal(mqtt_unsent_bytes(m), 0);
    assert_true(mqtt_is_connected(m));
    assert_int_equal(h.downs, 0);
    mqtt_close(m);
}

static void what_the_acl_forbids_is_told_with_135_and_its_topic(void **state)
{
    struct heard h;
    struct mqtt *m = open_connected(&h, "acl");

    (void)state;
    assert_int_equal(send_text(m, "forbidden/x", "1", 1), ST_OK);
    WAIT_FOR(h.refusals == 1);
    assert_int_equal(h.last_refusal, 135);
    assert_true(says(&h, h.refused_what, "forbidden/x"));
    WAIT_FOR(mqtt_unsent_bytes(m) == 0);
    assert_true(mqtt_is_connected(m));
    mqtt_close(m);
}

static void a_payload_over_the_limit_is_told_with_149(void **state)
{
    static char big[40000];
    struct heard h;
    struct mqtt *m = open_connected(&h, "big");
    const struct mqtt_publish p = {
        .topic = "test/big", .payload = big, .len = sizeof big, .qos = 1};

    (void)state;
    assert_int_equal(mqtt_publish(m, &p, NULL), ST_OK);
    WAIT_FOR(h.refusals == 1);
    assert_int_equal(h.last_refusal, 149);
    mqtt_close(m);
}

static void a_broker_that_says_why_it_hangs_up_is_quoted_and_found_again(void **state)
{
    struct heard h;
    struct mqtt_options o = options_for(&h, "kicked");
    struct mqtt *m;

    (void)state;
    o.brokers = served("VIGIE_TEST_KICKER"); /* says DISCONNECT 152 soon after every CONNACK */
    m = open_with(&o);
    WAIT_FOR(h.downs >= 2 && h.ups >= 2);
    if (!says(&h, h.reason, "(152)"))
        fail_msg("said \"%s\"", h.reason);
    mqtt_close(m);
}

static void unsent_bytes_count_until_the_broker_has_answered(void **state)
{
    struct heard h;
    struct mqtt *m = open_connected(&h, "unsent");

    (void)state;
    ask("freeze broker");
    assert_int_equal(send_text(m, "test/unsent", "0123456789", 1), ST_OK);
    nap_ms(300);
    assert_true(mqtt_unsent_bytes(m) >= 10);
    ask("thaw broker");
    WAIT_FOR(mqtt_unsent_bytes(m) == 0);
    mqtt_close(m);
}

static void a_broker_that_does_not_read_fills_the_window_and_no_more(void **state)
{
    static char payload[16000];
    struct heard h;
    struct mqtt *m = open_connected(&h, "full");
    const struct mqtt_publish p = {
        .topic = "test/full", .payload = payload, .len = sizeof payload, .qos = 0};
    int taken = 0, refused = 0;

    (void)state;
    ask("freeze broker");
    for (int i = 0; i < 5000 && !refused; i++) {
        if (mqtt_publish(m, &p, NULL) == ST_OK)
            taken++;
        else
            refused++;
    }
    assert_int_equal(refused, 1);
    assert_true(taken >= 250);
    assert_true(mqtt_unsent_bytes(m) <= 4 * 1024 * 1024);
    ask("thaw broker");
    WAIT_FOR(mqtt_unsent_bytes(m) == 0);
    assert_int_equal(mqtt_publish(m, &p, NULL), ST_OK);
    mqtt_close(m);
}

static void what_was_unsent_is_forgotten_or_sent_but_never_counted_for_ever(void **state)
{
    static char payload[16000];
    struct heard h;
    struct mqtt *m = open_connected(&h, "cut");
    struct mqtt_publish p = {.topic = "test/cut", .payload = payload, .len = sizeof payload};

    (void)state;
    ask("freeze broker");
    for (int i = 0; i < 200; i++) {
        p.qos = i % 2;
        assert_int_equal(mqtt_publish(m, &p, NULL), ST_OK);
    }
    ask("kill broker");
    WAIT_FOR(!mqtt_is_connected(m));
    ask("start broker");
    WAIT_FOR(mqtt_is_connected(m));
    WAIT_FOR(mqtt_unsent_bytes(m) == 0);
    mqtt_close(m);
}

static void closing_while_the_broker_is_frozen_takes_its_two_seconds_and_returns(void **state)
{
    struct heard h;
    struct mqtt *m = open_connected(&h, "close");

    (void)state;
    ask("freeze broker");
    for (int i = 0; i < 100; i++)
        assert_int_equal(send_text(m, "test/close", "x", i % 2), ST_OK);
    mqtt_close(m);
    ask("thaw broker");
}

static void the_last_will_is_sent_for_who_is_lost_and_not_for_who_says_goodbye(void **state)
{
    struct heard h, victim, other;
    struct mqtt *watcher = open_connected(&h, "watcher"), *m, *thief;
    struct mqtt_options o = options_for(&victim, "willed");
    struct mqtt_options plain = options_for(&other, "willed");

    (void)state;
    assert_int_equal(mqtt_subscribe(watcher, "test/will", 1, NULL), ST_OK);
    assert_int_equal(mqtt_subscribe(watcher, "test/end", 1, NULL), ST_OK);
    o.will_topic = "test/will";
    o.will_payload = "gone\0!";
    o.will_len = 6;
    m = open_with(&o);
    WAIT_FOR(mqtt_is_connected(m));
    thief = open_with(&plain);
    WAIT_FOR(h.messages == 1);
    assert_int_equal(h.last_len, 6);
    mqtt_close(m);
    mqtt_close(thief);
    m = open_with(&o);
    WAIT_FOR(mqtt_is_connected(m));
    h.messages = 0;
    mqtt_close(m);
    assert_int_equal(send_text(watcher, "test/end", "end", 1), ST_OK);
    WAIT_FOR(h.messages == 1); /* the end, and no will before it */
    assert_true(says(&h, h.last_payload, "end"));
    mqtt_close(watcher);
}

/* Wait for the first failure and hold that nobody ever got in. */
static void is_turned_away(struct mqtt *m, struct heard *h, const char *reason)
{
    WAIT_FOR(h->downs >= 1);
    nap_ms(700); /* two more tries */
    assert_int_equal(h->ups, 0);
    assert_false(mqtt_is_connected(m));
    if (!says(h, h->reason, reason))
        fail_msg("said \"%s\", not \"%s\"", h->reason, reason);
    mqtt_close(m);
}

static void a_broker_of_another_authority_is_not_trusted(void **state)
{
    struct heard h;
    struct mqtt_options o = options_for(&h, "wrong-ca");

    (void)state;
    o.ca = served("VIGIE_TEST_OTHER_CA");
    is_turned_away(open_with(&o), &h, "certificate verify failed");
}

static void a_broker_of_another_name_is_not_trusted(void **state)
{
    struct heard h;
    struct mqtt_options o = options_for(&h, "wrong-name");

    (void)state;
    o.brokers =
        served("VIGIE_TEST_MISNAMED"); /* the right authority, a certificate of another host */
    is_turned_away(open_with(&o), &h, "");
}

static void a_client_of_another_authority_is_refused(void **state)
{
    struct heard h;
    struct mqtt_options o = options_for(&h, "wrong-client");

    (void)state;
    o.cert = served("VIGIE_TEST_OTHER_CERT");
    o.key = served("VIGIE_TEST_OTHER_KEY");
    is_turned_away(open_with(&o), &h, "");
}

static void two_clients_publish_from_their_own_threads_while_others_come_and_go(void **state)
{
    struct heard h, g, v;
    struct mqtt *reader = open_connected(&h, "reader"), *writer = open_connected(&g, "writer");

    (void)state;
    assert_int_equal(mqtt_subscribe(reader, "test/busy", 0, NULL), ST_OK);
    WAIT_FOR(send_text(reader, "test/busy", "first", 1) == ST_OK && (nap_ms(50), h.messages > 0));
    for (int i = 0; i < 5; i++) {
        struct mqtt *visitor = open_connected(&v, "visitor");

        for (int k = 0; k < 100; k++)
            assert_int_equal(send_text(writer, "test/busy", "x", k % 2), ST_OK);
        mqtt_close(visitor);
    }
    WAIT_FOR(h.messages >= 501);
    mqtt_close(writer);
    mqtt_close(reader);
}

struct shards_heard {
    struct heard h;
    atomic_bool each[64];
};

static void hear_shard(void *self, const struct mqtt_message *m)
{
    struct shards_heard *s = self;
    char topic[64];
    int shard;

    keep(topic, sizeof topic, m->topic, m->topic_len);
    if (sscanf(topic, "test/shard/%d", &shard) == 1 && shard >= 0 && shard < 64)
        s->each[shard] = true;
}

static bool hears_all_shards(struct shards_heard *s, struct mqtt *m)
{
    char topic[64];

    for (int i = 0; i < 64; i++)
        s->each[i] = false;
    for (int i = 0; i < 64; i++) {
        snprintf(topic, sizeof topic, "test/shard/%d", i);
        if (send_text(m, topic, "x", i % 2) != ST_OK)
            return false;
    }
    for (int tries = 0; tries < 100; tries++) {
        bool all = true;

        for (int i = 0; i < 64; i++)
            all = all && s->each[i];
        if (all)
            return true;
        nap_ms(10);
    }
    return false;
}

static void sixty_four_subscriptions_survive_restarts_under_traffic(void **state)
{
    struct shards_heard s = {0};
    struct mqtt_options o = options_for(&s.h, "shards");
    char filter[64];
    struct mqtt *m;

    (void)state;
    o.self = &s;
    o.on_message = hear_shard;
    m = open_with(&o);
    for (int i = 0; i < 64; i++) {
        enum status st;

        snprintf(filter, sizeof filter, "test/shard/%d", i);
        st = mqtt_subscribe(m, filter, i % 2, NULL);
        assert_true(st == ST_OK || st == ST_RETRY);
    }
    WAIT_FOR(hears_all_shards(&s, m));
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 500; i++)
            assert_int_equal(send_text(m, "test/other", "some more", i % 2), ST_OK);
        ask("kill broker"); /* with messages on their way */
        WAIT_FOR(!mqtt_is_connected(m));
        ask("start broker");
        WAIT_FOR(hears_all_shards(&s, m));
    }
    WAIT_FOR(mqtt_unsent_bytes(m) == 0);
    mqtt_close(m);
}

static enum status try_open(const char *brokers, const char *file)
{
    const struct mqtt_options o = {
        .brokers = brokers, .client_id = "x", .ca = file, .cert = file, .key = file};
    struct mqtt *m = NULL;
    enum status st = mqtt_open(&m, &o, NULL);

    mqtt_close(m);
    return st;
}

static void a_broker_list_that_is_no_list_of_mqtts_addresses_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "mqtt://localhost:1883",
                                      "mqtts://localhost",
                                      "mqtts://:8883",
                                      "mqtts://localhost:0",
                                      "mqtts://localhost:70000",
                                      "mqtts://localhost:88x",
                                      "mqtts://localhost:8883/path",
                                      "mqtts://user@localhost:8883",
                                      "mqtts://localhost:8883,,mqtts://localhost:8884",
                                      "mqtts://localhost:8883,mqtt://localhost:1883"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (try_open(bad[i], "/dev/null") != ST_REJECT)
            fail_msg("\"%s\" was accepted", bad[i]);
}

static void a_missing_file_is_refused_by_name(void **state)
{
    const struct mqtt_options o = {.brokers = "mqtts://localhost:8883",
                                   .client_id = "x",
                                   .ca = "/nowhere/ca.pem",
                                   .cert = "/dev/null",
                                   .key = "/dev/null"};
    struct fault fault = {""};
    struct mqtt *m = NULL;

    (void)state;
    assert_int_equal(mqtt_open(&m, &o, &fault), ST_REJECT);
    assert_non_null(strstr(fault.text, "/nowhere/ca.pem"));
    assert_null(m);
}

static void a_client_can_be_closed_before_it_ever_connected(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(try_open("mqtts://127.0.0.1:1", "/dev/null"), ST_OK);
    mqtt_close(NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest with_server[] = {
        cmocka_unit_test(a_message_comes_back_with_its_label),
        cmocka_unit_test(a_subscription_made_before_the_connection_is_asked_for_after_it),
        cmocka_unit_test(an_unsubscribed_filter_stays_away_after_a_reconnect),
        cmocka_unit_test(a_broker_killed_and_restarted_is_found_again),
        cmocka_unit_test(a_broker_that_shuts_down_in_an_orderly_way_is_noticed),
        cmocka_unit_test(a_client_thrown_out_by_its_double_comes_back),
        cmocka_unit_test(a_connection_that_dies_silently_is_noticed),
        cmocka_unit_test(the_next_broker_is_taken_when_the_first_is_away),
        cmocka_unit_test(what_no_broker_takes_is_refused_here),
        cmocka_unit_test(what_the_acl_forbids_is_told_with_135_and_its_topic),
        cmocka_unit_test(a_payload_over_the_limit_is_told_with_149),
        cmocka_unit_test(a_broker_that_says_why_it_hangs_up_is_quoted_and_found_again),
        cmocka_unit_test(unsent_bytes_count_until_the_broker_has_answered),
        cmocka_unit_test(a_broker_that_does_not_read_fills_the_window_and_no_more),
        cmocka_unit_test(what_was_unsent_is_forgotten_or_sent_but_never_counted_for_ever),
        cmocka_unit_test(closing_while_the_broker_is_frozen_takes_its_two_seconds_and_returns),
        cmocka_unit_test(the_last_will_is_sent_for_who_is_lost_and_not_for_who_says_goodbye),
        cmocka_unit_test(a_broker_of_another_authority_is_not_trusted),
        cmocka_unit_test(a_broker_of_another_name_is_not_trusted),
        cmocka_unit_test(a_client_of_another_authority_is_refused),
        cmocka_unit_test(sixty_four_subscriptions_survive_restarts_under_traffic),
        cmocka_unit_test(two_clients_publish_from_their_own_threads_while_others_come_and_go),
    };
    const struct CMUnitTest alone[] = {
        cmocka_unit_test(a_broker_list_that_is_no_list_of_mqtts_addresses_is_refused),
        cmocka_unit_test(a_missing_file_is_refused_by_name),
        cmocka_unit_test(a_client_can_be_closed_before_it_ever_connected),
    };

    return RUN_SERVED(argc, argv, "VIGIE_TEST_BROKER", with_server, alone);
}
