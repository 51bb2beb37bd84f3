/* The connection that cars' messages come in by, against Mosquitto with TLS and client certificates
 * (tests/integration/test_edges.py). */
#include "tests/unit/lib/heard.h"

#include <unistd.h>

#include "services/ingest/wire/receiver.h"

static struct receiver *receive_with(const struct mqtt_options *o)
{
    struct fault fault = {""};
    struct receiver *r = NULL;

    if (receiver_open(&r, o, &fault) != ST_OK)
        fail_msg("receiver_open: %s", fault.text);
    receiver_rest(r, false);
    return r;
}

static struct receiver *receive(struct heard *h, const char *id)
{
    const struct mqtt_options o = options_for(h, id);
    struct receiver *r = receive_with(&o);

    WAIT_FOR(receiver_is_connected(r));
    return r;
}

/* Somebody else, who sends. */
static struct mqtt *open_sender(struct heard *h)
{
    return open_connected(h, "sender");
}

/* Until what is sent is heard: a subscription takes a moment. */
#define WAIT_UNTIL_HEARD(h, sender, topic)                                                         \
    WAIT_FOR(send_text(sender, topic, "x", 1) == ST_OK &&                                          \
             (nap_ms(50), says(h, (h)->last_topic, topic)))

/* All that was sent before is heard: messages of one sender keep their order. */
static void hear_all_until_now(struct heard *h, struct mqtt *sender, const char *topic)
{
    static int fences;
    char fence[24];

    snprintf(fence, sizeof fence, "<%d>", fences++);
    WAIT_FOR(send_text(sender, topic, fence, 1) == ST_OK);
    WAIT_FOR(says(h, h->last_payload, fence));
}

/* `other` is subscribed to; what goes to `topic` is labelled, so that it is seen among the rest. */
static bool is_deaf_to(struct heard *h, struct mqtt *sender, const char *topic, const char *other)
{
    const struct mqtt_publish p = {
        .topic = topic, .payload = "\xc1", .len = 1, .qos = 1, .columnar = true};

    h->columnar = 0;
    WAIT_FOR(mqtt_publish(sender, &p, NULL) == ST_OK);
    hear_all_until_now(h, sender, other);
    return h->columnar == 0;
}

static void a_message_comes_with_its_topic_its_bytes_and_its_label(void **state)
{
    struct heard h, other;
    struct receiver *r = receive(&h, "label");
    struct mqtt *sender = open_sender(&other);
    struct mqtt_publish p = {
        .topic = "test/label", .payload = "\xc1\0\x01", .len = 3, .qos = 1, .columnar = true};

    (void)state;
    assert_int_equal(receiver_subscribe(r, "test/label", 0, NULL), ST_OK);
    WAIT_UNTIL_HEARD(&h, sender, "test/label");
    assert_int_equal(h.columnar, 0);
    assert_int_equal(mqtt_publish(sender, &p, NULL), ST_OK);
    WAIT_FOR(h.columnar == 1);
    assert_int_equal(h.last_len, 3);
    assert_false(h.last_retained);
    p.len = 0; /* a message of no bytes is one, too */
    assert_int_equal(mqtt_publish(sender, &p, NULL), ST_OK);
    WAIT_FOR(h.columnar == 2);
    assert_int_equal(h.last_len, 0);
    mqtt_close(sender);
    receiver_close(r);
}

static void what_the_broker_kept_comes_as_retained(void **state)
{
    struct heard h, other;
    struct receiver *r = receive(&h, "retained");
    struct mqtt *sender = open_sender(&other);
    const struct mqtt_publish p = {
        .topic = "test/kept", .payload = "old", .len = 3, .qos = 1, .retained = true};

    (void)state;
    assert_int_equal(mqtt_publish(sender, &p, NULL), ST_OK);
    WAIT_FOR(mqtt_unsent_bytes(sender) == 0);
    assert_int_equal(receiver_subscribe(r, "test/kept", 1, NULL), ST_OK);
    WAIT_FOR(h.messages == 1);
    assert_true(h.last_retained);
    mqtt_close(sender);
    receiver_close(r);
}

static void every_message_of_a_flood_comes_once_and_in_order_whatever_its_length(void **state)
{
    static char payload[30000];
    struct heard h, other;
    struct mqtt_options o = options_for(&h, "flood");
    struct receiver *r = receive_with(&o);
    struct mqtt *sender = open_sender(&other);
    struct mqtt_publish p = {.topic = "test/flood", .payload = payload, .qos = 1};
    int sent = 0, heard;

    (void)state;
    assert_int_equal(receiver_subscribe(r, "test/flood", 0, NULL), ST_OK);
    WAIT_UNTIL_HEARD(&h, sender, "test/flood");
    hear_all_until_now(&h, sender, "test/flood");
    heard = h.messages;
    while (sent < 3000) {
        p.len = (size_t)(sent * 7919 % 2000); /* records of TLS, and parts of them */
        if (sent % 100 == 99)
            p.len = sizeof payload;
        if (mqtt_publish(sender, &p, NULL) == ST_OK)
            sent++;
        else
            nap_ms(5);
    }
    WAIT_FOR(h.messages == heard + sent);
    assert_int_equal(h.last_len, sizeof payload);
    mqtt_close(sender);
    receiver_close(r);
}

static void filters_wished_for_before_the_connection_and_after_a_restart_are_heard(void **state)
{
    struct heard h, other;
    const struct mqtt_options o = options_for(&h, "early");
    struct receiver *r = receive_with(&o);
    struct mqtt *sender = open_sender(&other);

    (void)state;
    assert_int_equal(receiver_subscribe(r, "test/a/+", 0, NULL), ST_OK);
    assert_int_equal(receiver_subscribe(r, "test/b", 1, NULL), ST_OK);
    WAIT_UNTIL_HEARD(&h, sender, "test/a/1");
    receiver_unsubscribe(r, "test/a/+");
    receiver_unsubscribe(r, "test/never");
    ask("kill broker");
    WAIT_FOR(!receiver_is_connected(r) && !mqtt_is_connected(sender));
    ask("start broker");
    WAIT_FOR(receiver_is_connected(r) && mqtt_is_connected(sender));
    WAIT_UNTIL_HEARD(&h, sender, "test/b");
    assert_true(is_deaf_to(&h, sender, "test/a/1", "test/b"));
    mqtt_close(sender);
    receiver_close(r);
}

static void what_is_wished_for_again_is_heard_again(void **state)
{
    struct heard h, other;
    struct receiver *r = receive(&h, "again");
    struct mqtt *sender = open_sender(&other);

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(receiver_subscribe(r, "test/on", 0, NULL), ST_OK);
        WAIT_UNTIL_HEARD(&h, sender, "test/on");
        receiver_unsubscribe(r, "test/on");
        assert_int_equal(receiver_subscribe(r, "test/off", 0, NULL), ST_OK);
        WAIT_UNTIL_HEARD(&h, sender, "test/off");
        WAIT_FOR(is_deaf_to(&h, sender, "test/on", "test/off"));
    }
    mqtt_close(sender);
    receiver_close(r);
}

static void a_filter_that_is_none_is_refused_here(void **state)
{
    static char long_one[300];
    struct heard h;
    struct receiver *r = receive(&h, "filters");

    (void)state;
    memset(long_one, 'a', sizeof long_one - 1);
    assert_int_equal(receiver_subscribe(r, "", 0, NULL), ST_REJECT);
    assert_int_equal(receiver_subscribe(r, "test/\xff", 0, NULL), ST_REJECT);
    assert_int_equal(receiver_subscribe(r, "test/a+", 0, NULL), ST_REJECT);
    assert_int_equal(receiver_subscribe(r, long_one, 0, NULL), ST_REJECT);
    nap_ms(200);
    assert_true(receiver_is_connected(r));
    receiver_close(r);
}

static void a_broker_killed_or_stopped_is_found_again(void **state)
{
    struct heard h;
    struct receiver *r = receive(&h, "killed");

    (void)state;
    ask("kill broker");
    WAIT_FOR(h.downs >= 1);
    assert_false(receiver_is_connected(r));
    ask("start broker");
    WAIT_FOR(h.ups == 2);
    ask("stop broker");
    WAIT_FOR(!receiver_is_connected(r));
    ask("start broker");
    WAIT_FOR(h.ups == 3);
    receiver_close(r);
}

static void a_receiver_thrown_out_by_its_double_comes_back(void **state)
{
    struct heard h, other;
    struct receiver *r = receive(&h, "double"), *thief = receive(&other, "double");

    (void)state;
    WAIT_FOR(h.downs >= 1);
    receiver_close(thief);
    WAIT_FOR(receiver_is_connected(r));
    receiver_close(r);
}

static void a_connection_that_dies_silently_is_noticed(void **state)
{
    struct heard h;
    struct mqtt_options o = options_for(&h, "silent");
    struct receiver *r;

    (void)state;
    o.keepalive_s = 5; /* the least libmosquitto takes */
    r = receive_with(&o);
    WAIT_FOR(receiver_is_connected(r));
    ask("freeze broker");
    WAIT_FOR(!receiver_is_connected(r));
    ask("thaw broker");
    WAIT_FOR(receiver_is_connected(r));
    receiver_close(r);
}

static void a_broker_whose_packets_vanish_is_missed_in_seconds(void **state)
{
    struct heard h;
    struct mqtt_options o = options_for(&h, "vanished");
    struct receiver *r;

    (void)state;
    o.keepalive_s = 600;
    o.brokers = served("VIGIE_TEST_GATE");
    r = receive_with(&o);
    WAIT_FOR(receiver_is_connected(r));
    ask("let packets vanish");
    WAIT_FOR(!receiver_is_connected(r));
    receiver_close(r);
}

static void the_next_broker_is_taken_when_the_first_is_away(void **state)
{
    struct heard h;
    struct mqtt_options o = options_for(&h, "second");
    struct receiver *r;

    (void)state;
    o.brokers = served("VIGIE_TEST_BROKERS"); /* nobody listens on the first */
    r = receive_with(&o);
    WAIT_FOR(receiver_is_connected(r));
    receiver_close(r);
}

static void why_nobody_answers_or_hangs_up_is_told(void **state)
{
    struct heard h;
    struct mqtt_options o = options_for(&h, "why");
    struct receiver *r;

    (void)state;
    o.brokers = "mqtts://127.0.0.1:1";
    r = receive_with(&o);
    WAIT_FOR(h.downs >= 1);
    if (!says(&h, h.reason, "Connection refused"))
        fail_msg("said \"%s\"", h.reason);
    receiver_close(r);
    o = options_for(&h, "nowhere");
    o.brokers = "mqtts://no-such-host.invalid:8883";
    r = receive_with(&o);
    WAIT_FOR(h.downs >= 1);
    if (says(&h, h.reason, "no answer"))
        fail_msg("said \"%s\"", h.reason);
    receiver_close(r);
    o = options_for(&h, "kicked");
    o.brokers = served("VIGIE_TEST_KICKER"); /* says DISCONNECT 152 soon after every CONNACK */
    r = receive_with(&o);
    WAIT_FOR(h.downs >= 2 && h.ups >= 2);
    if (!says(&h, h.reason, "(152)"))
        fail_msg("said \"%s\"", h.reason);
    receiver_close(r);
}

static void a_connection_that_takes_its_time_comes_about(void **state)
{
    struct heard h;
    struct mqtt_options o = options_for(&h, "slow");
    struct receiver *r;

    (void)state;
    o.brokers = served("VIGIE_TEST_SLOW"); /* TCP is asked for again after a second */
    r = receive_with(&o);
    nap_ms(300);
    assert_false(receiver_is_connected(r));
    ask("open the door");
    WAIT_FOR(receiver_is_connected(r));
    assert_int_equal(h.downs, 0);
    receiver_close(r);
}

static void a_handshake_that_is_reset_is_told_at_once(void **state)
{
    struct heard h;
    struct mqtt_options o = options_for(&h, "reset");
    struct receiver *r;

    (void)state;
    o.brokers = served("VIGIE_TEST_RESETTER");
    r = receive_with(&o);
    WAIT_FOR(h.downs >= 1);
    if (says(&h, h.reason, "no answer"))
        fail_msg("said \"%s\"", h.reason);
    receiver_close(r);
}

static void files_are_read_again_when_asked_for(void **state)
{
    struct heard h, other;
    struct receiver *r = receive(&h, "renewed");
    struct mqtt *sender = open_sender(&other);

    (void)state;
    assert_int_equal(receiver_subscribe(r, "test/renewed", 0, NULL), ST_OK);
    receiver_reload(r);
    WAIT_FOR(h.ups == 2);
    assert_int_equal(h.downs, 1);
    WAIT_UNTIL_HEARD(&h, sender, "test/renewed");
    ask("freeze broker");
    receiver_reload(r); /* while it is away: closing may not wait for it */
    nap_ms(200);
    receiver_close(r);
    ask("thaw broker");
    mqtt_close(sender);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void copy_file(const char *from, const char *to)
{
    char text[20000];
    FILE *file = fopen(from, "r");
    size_t n;

    assert_non_null(file);
    n = fread(text, 1, sizeof text - 1, file);
    text[n] = '\0';
    fclose(file);
    write_file(to, text);
}

static void a_file_that_cannot_be_used_does_not_end_what_works(void **state)
{
    char folder[] = "/tmp/vigie-receiver-XXXXXX", cert[64];
    struct heard h;
    struct mqtt_options o = options_for(&h, "half-written");
    struct receiver *r;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(cert, sizeof cert, "%s/cert", folder);
    copy_file(o.cert, cert);
    o.cert = cert;
    r = receive_with(&o);
    WAIT_FOR(receiver_is_connected(r));
    write_file(cert, "-----BEGIN CERTIFICATE-----\nMIIB");
    receiver_reload(r);
    nap_ms(300);
    assert_true(receiver_is_connected(r));
    assert_int_equal(h.downs, 0);
    copy_file(served("VIGIE_TEST_CERT"), cert);
    receiver_reload(r);
    WAIT_FOR(h.ups == 2);
    receiver_close(r);
    unlink(cert);
    rmdir(folder);
}

static void is_turned_away(const struct mqtt_options *o, struct heard *h, const char *reason)
{
    struct receiver *r = receive_with(o);

    WAIT_FOR(h->downs >= 1);
    nap_ms(700); /* two more tries */
    assert_int_equal(h->ups, 0);
    assert_false(receiver_is_connected(r));
    if (!says(h, h->reason, reason))
        fail_msg("said \"%s\", not \"%s\"", h->reason, reason);
    receiver_close(r);
}

static void who_cannot_prove_who_it_is_is_not_talked_to(void **state)
{
    struct heard h;
    struct mqtt_options o = options_for(&h, "wrong-ca");

    (void)state;
    o.ca = served("VIGIE_TEST_OTHER_CA");
    is_turned_away(&o, &h, "certificate verify failed");
    o = options_for(&h, "wrong-name");
    o.brokers = served("VIGIE_TEST_MISNAMED"); /* the right authority, another host */
    is_turned_away(&o, &h, "certificate verify failed");
    o = options_for(&h, "wrong-client");
    o.cert = served("VIGIE_TEST_OTHER_CERT");
    o.key = served("VIGIE_TEST_OTHER_KEY");
    is_turned_away(&o, &h, "");
    o = options_for(&h, "no-certificate");
    o.cert = served("VIGIE_TEST_KEY"); /* a file, but none that holds one */
    is_turned_away(&o, &h, "certificate file");
}

static void what_is_not_a_receiver_is_refused_at_once(void **state)
{
    struct heard h;
    struct mqtt_options o = {.brokers = "mqtt://127.0.0.1:1",
                             .client_id = "x",
                             .ca = "/dev/null",
                             .cert = "/dev/null",
                             .key = "/dev/null",
                             .on_message = hear_message,
                             .self = &h};
    struct receiver *r = NULL;

    (void)state;
    assert_int_equal(receiver_open(&r, &o, NULL), ST_REJECT);
    o.brokers = "mqtts://127.0.0.1:1";
    o.ca = "/nonexistent";
    assert_int_equal(receiver_open(&r, &o, NULL), ST_REJECT);
    o.ca = "/dev/null";
    for (int i = 0; i < 3; i++) {
        assert_int_equal(receiver_open(&r, &o, NULL), ST_OK);
        receiver_rest(r, i == 0);
        receiver_close(r); /* before it ever connected */
    }
    receiver_close(NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest with_server[] = {
        cmocka_unit_test(a_message_comes_with_its_topic_its_bytes_and_its_label),
        cmocka_unit_test(what_the_broker_kept_comes_as_retained),
        cmocka_unit_test(every_message_of_a_flood_comes_once_and_in_order_whatever_its_length),
        cmocka_unit_test(filters_wished_for_before_the_connection_and_after_a_restart_are_heard),
        cmocka_unit_test(what_is_wished_for_again_is_heard_again),
        cmocka_unit_test(a_filter_that_is_none_is_refused_here),
        cmocka_unit_test(a_broker_killed_or_stopped_is_found_again),
        cmocka_unit_test(a_receiver_thrown_out_by_its_double_comes_back),
        cmocka_unit_test(a_connection_that_dies_silently_is_noticed),
        cmocka_unit_test(a_broker_whose_packets_vanish_is_missed_in_seconds),
        cmocka_unit_test(the_next_broker_is_taken_when_the_first_is_away),
        cmocka_unit_test(why_nobody_answers_or_hangs_up_is_told),
        cmocka_unit_test(a_connection_that_takes_its_time_comes_about),
        cmocka_unit_test(a_handshake_that_is_reset_is_told_at_once),
        cmocka_unit_test(files_are_read_again_when_asked_for),
        cmocka_unit_test(a_file_that_cannot_be_used_does_not_end_what_works),
        cmocka_unit_test(who_cannot_prove_who_it_is_is_not_talked_to),
    };
    const struct CMUnitTest alone[] = {
        cmocka_unit_test(what_is_not_a_receiver_is_refused_at_once),
    };

    return RUN_SERVED(argc, argv, "VIGIE_TEST_BROKER", with_server, alone);
}
