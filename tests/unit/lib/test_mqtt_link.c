/* The MQTT client's connection: who is let in, who is lost, who is found again
 * (tests/integration/test_edges.py). */
#include "tests/unit/lib/heard.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <unistd.h>

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
        WAIT_FOR(h.ups >= round + 1);
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

static void files_renewed_while_a_try_is_under_way_are_used_after_it(void **state)
{
    struct heard h;
    struct mqtt_options o = options_for(&h, "renewed");
    struct mqtt *m;

    (void)state;
    ask("freeze broker");
    m = open_with(&o);
    nap_ms(1500); /* it has read its files and waits for the broker's side of the handshake */
    mqtt_reload(m);
    ask("thaw broker");
    WAIT_FOR(h.ups >= 2);
    mqtt_close(m);
}

static void put(const char *path, const char *from, long most)
{
    FILE *in = fopen(from, "rb"), *out = fopen(path, "wb");
    int c;

    assert_true(in && out);
    while (most-- > 0 && (c = fgetc(in)) != EOF)
        fputc(c, out);
    assert_int_equal(fclose(out), 0);
    fclose(in);
}

/* A certificate of the key, good from `from_s` until `to_s` from now. */
static void put_valid(const char *path, const char *key_path, long from_s, long to_s)
{
    FILE *in = fopen(key_path, "rb"), *out = fopen(path, "wb");
    EVP_PKEY *key = in ? PEM_read_PrivateKey(in, NULL, NULL, NULL) : NULL;
    X509 *cert = X509_new();

    assert_true(key && out && cert);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), from_s));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), to_s));
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509(out, cert), 1);
    X509_free(cert);
    EVP_PKEY_free(key);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static void a_certificate_of_another_time_or_none_at_all_is_said_to_be_so(void **state)
{
    char cert[] = "/tmp/vigie-cert-XXXXXX";
    struct heard h;
    struct mqtt_options o = options_for(&h, "times");
    struct fault fault = {""};

    (void)state;
    close(mkstemp(cert));
    o.cert = cert;
    put_valid(cert, o.key, -7200, -3600);
    assert_int_equal(mqtt_check_files(&o, &fault), ST_RETRY);
    assert_non_null(strstr(fault.text, "it has expired"));
    put_valid(cert, o.key, 3600, 7200);
    assert_int_equal(mqtt_check_files(&o, &fault), ST_RETRY);
    assert_non_null(strstr(fault.text, "it is not valid yet"));
    put_valid(cert, o.key, -3600, 3600);
    assert_int_equal(mqtt_check_files(&o, &fault), ST_OK);
    remove(cert);
    assert_int_equal(mqtt_check_files(&o, &fault), ST_RETRY);
    assert_non_null(strstr(fault.text, "No such file or directory"));
}

static void with_files_that_cannot_be_used_what_works_is_kept(void **state)
{
    char cert[] = "/tmp/vigie-cert-XXXXXX";
    struct heard h;
    struct mqtt_options o = options_for(&h, "kept");
    struct mqtt *m;

    (void)state;
    close(mkstemp(cert));
    put(cert, o.cert, 1L << 20);
    o.cert = cert;
    m = open_with(&o);
    WAIT_FOR(mqtt_is_connected(m));
    put(cert, served("VIGIE_TEST_CERT"), 100);
    mqtt_reload(m);
    WAIT_FOR(h.kept == 1);
    assert_true(says(&h, h.reason, "certificate file /tmp/vigie-cert-"));
    put(cert, served("VIGIE_TEST_OTHER_CERT"), 1L << 20);
    mqtt_reload(m);
    WAIT_FOR(h.kept == 2);
    assert_true(says(&h, h.reason, "key file ")); /* it is another one's */
    remove(cert);
    mqtt_reload(m);
    WAIT_FOR(h.kept == 3);
    assert_true(mqtt_is_connected(m));
    assert_int_equal(h.downs, 0);
    put(cert, served("VIGIE_TEST_CERT"), 1L << 20);
    mqtt_reload(m);
    WAIT_FOR(h.ups == 2);
    assert_int_equal(h.kept, 3);
    remove(cert);
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
    WAIT_FOR(h.messages >= 1); /* the two throw each other out again and again */
    assert_int_equal(h.last_len, 6);
    mqtt_close(m);
    mqtt_close(thief);
    assert_int_equal(send_text(watcher, "test/end", "so far", 1), ST_OK);
    WAIT_FOR(says(&h, h.last_payload, "so far"));
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
        cmocka_unit_test(a_broker_killed_and_restarted_is_found_again),
        cmocka_unit_test(a_broker_that_shuts_down_in_an_orderly_way_is_noticed),
        cmocka_unit_test(a_client_thrown_out_by_its_double_comes_back),
        cmocka_unit_test(a_connection_that_dies_silently_is_noticed),
        cmocka_unit_test(files_renewed_while_a_try_is_under_way_are_used_after_it),
        cmocka_unit_test(a_certificate_of_another_time_or_none_at_all_is_said_to_be_so),
        cmocka_unit_test(with_files_that_cannot_be_used_what_works_is_kept),
        cmocka_unit_test(the_next_broker_is_taken_when_the_first_is_away),
        cmocka_unit_test(a_broker_that_says_why_it_hangs_up_is_quoted_and_found_again),
        cmocka_unit_test(closing_while_the_broker_is_frozen_takes_its_two_seconds_and_returns),
        cmocka_unit_test(the_last_will_is_sent_for_who_is_lost_and_not_for_who_says_goodbye),
        cmocka_unit_test(a_broker_of_another_authority_is_not_trusted),
        cmocka_unit_test(a_broker_of_another_name_is_not_trusted),
        cmocka_unit_test(a_client_of_another_authority_is_refused),
        cmocka_unit_test(sixty_four_subscriptions_survive_restarts_under_traffic),
    };
    const struct CMUnitTest alone[] = {
        cmocka_unit_test(a_client_can_be_closed_before_it_ever_connected),
    };

    return RUN_SERVED(argc, argv, "VIGIE_TEST_BROKER", with_server, alone);
}
