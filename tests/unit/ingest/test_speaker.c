/* What we say, against Mosquitto with TLS and client certificates
 * (tests/integration/test_edges.py); somebody else listens. */
#include "tests/unit/lib/heard.h"

#include "lib/clock.h"
#include "services/ingest/wire/speaker.h"

static struct speaker *speak_with(const struct mqtt_options *o)
{
    struct fault fault = {""};
    struct speaker *s = NULL;

    if (speaker_open(&s, o, &fault) != ST_OK)
        fail_msg("speaker_open: %s", fault.text);
    speaker_rest(s, false);
    return s;
}

static struct speaker *speak(struct heard *h, const char *id)
{
    const struct mqtt_options o = options_for(h, id);
    struct speaker *s = speak_with(&o);

    WAIT_FOR(speaker_is_connected(s));
    return s;
}

static enum status say(struct speaker *s, const char *topic, const char *payload, int qos)
{
    const struct mqtt_publish p = {
        .topic = topic, .payload = payload, .len = strlen(payload), .qos = qos};

    return speaker_publish(s, &p, NULL);
}

/* Numbers that were heard, each the first word of a message, and whether those of a QoS came in
 * order: more is not promised by MQTT. */
struct numbers {
    struct heard h;
    atomic_int last[2], came, noughts;
    atomic_bool disordered;
};

static void hear_number(void *self, const struct mqtt_message *m)
{
    struct numbers *n = self;
    char text[16];
    int number;

    keep(text, sizeof text, m->payload, m->len);
    number = atoi(text);
    if (number == 0) { /* the listener's own */
        n->noughts++;
        return;
    }
    if (number <= n->last[m->qos > 0])
        n->disordered = true;
    n->last[m->qos > 0] = number;
    n->came++; /* what the other thread waits for comes last */
}

static struct mqtt *listen_with(struct numbers *n)
{
    struct mqtt_options o;
    struct mqtt *m;

    memset(n, 0, sizeof *n);
    o = options_for(&n->h, "listener");
    o.self = n;
    o.on_message = hear_number;
    o.on_connection = NULL;
    o.on_refused = NULL;
    m = open_with(&o);
    WAIT_FOR(mqtt_is_connected(m));
    return m;
}

/* From when this returns all is heard. */
static struct mqtt *listen_for_numbers(struct numbers *n, const char *topic)
{
    struct mqtt *m = listen_with(n);

    assert_int_equal(mqtt_subscribe(m, topic, 1, NULL), ST_OK);
    WAIT_FOR(send_text(m, topic, "0", 1) == ST_OK && (nap_ms(50), n->noughts > 0));
    return m;
}

/* Every third of QoS 0 and of a length of its own, up to more than a gathering holds. */
static void say_numbers(struct speaker *s, const char *topic, int first, int last)
{
    static char payload[30000];
    struct mqtt_publish p = {.topic = topic, .payload = payload};

    memset(payload, ' ', sizeof payload);
    for (int i = first; i <= last; i++) {
        int n = snprintf(payload, sizeof payload, "%d", i);

        payload[n] = ' ';
        p.len = (size_t)n + (size_t)(i * 7919 % 1500);
        if (i % 100 == 99)
            p.len = sizeof payload;
        p.qos = i % 3 != 0;
        WAIT_FOR(speaker_publish(s, &p, NULL) == ST_OK);
    }
}

static void what_is_said_comes_in_order_whatever_its_length(void **state)
{
    struct numbers n;
    struct heard h;
    struct mqtt *listener = listen_for_numbers(&n, "test/order");
    struct speaker *s = speak(&h, "speaker");

    (void)state;
    say_numbers(s, "test/order", 1, 3000);
    WAIT_FOR(n.came == 3000);
    assert_false(n.disordered);
    speaker_close(s);
    mqtt_close(listener);
}

static void what_is_no_message_is_refused_here(void **state)
{
    static char long_one[70000];
    struct heard h;
    struct speaker *s = speak(&h, "topics");
    const struct mqtt_publish big = {.topic = "test/x", .payload = "", .len = 3 << 20};
    const struct mqtt_publish labelled = {.topic = "test/x", .payload = "", .columnar = true};
    const struct mqtt_publish expiring = {.topic = "test/x", .payload = "", .expiry_s = 1};

    (void)state;
    memset(long_one, 'a', sizeof long_one - 1);
    assert_int_equal(say(s, "", "x", 1), ST_REJECT);
    assert_int_equal(say(s, "test/+", "x", 1), ST_REJECT);
    assert_int_equal(say(s, "test/\xff", "x", 1), ST_REJECT);
    assert_int_equal(say(s, long_one, "x", 1), ST_REJECT);
    assert_int_equal(say(s, "test/x", "x", 2), ST_REJECT);
    assert_int_equal(speaker_publish(s, &big, NULL), ST_REJECT);
    assert_int_equal(speaker_publish(s, &labelled, NULL), ST_REJECT);
    assert_int_equal(speaker_publish(s, &expiring, NULL), ST_REJECT);
    assert_int_equal(say(s, "test/x", "x", 0), ST_OK);
    assert_true(speaker_is_connected(s));
    assert_int_equal(h.downs, 0);
    speaker_close(s);
}

static void what_the_broker_does_not_take_is_told_with_its_reason_and_topic(void **state)
{
    static char bytes[40000];
    struct heard h;
    struct speaker *s = speak(&h, "acl");
    const struct mqtt_publish big = {
        .topic = "test/big", .payload = bytes, .len = sizeof bytes, .qos = 1};

    (void)state;
    assert_int_equal(say(s, "forbidden/x", "1", 1), ST_OK);
    WAIT_FOR(h.refusals == 1);
    assert_int_equal(h.last_refusal, 135);
    assert_true(says(&h, h.refused_what, "forbidden/x"));
    assert_int_equal(speaker_publish(s, &big, NULL), ST_OK);
    WAIT_FOR(h.refusals == 2);
    assert_int_equal(h.last_refusal, 149);
    assert_true(speaker_is_connected(s));
    speaker_close(s);
}

static void a_broker_that_does_not_read_fills_the_room_and_no_more(void **state)
{
    static char payload[16000];
    struct numbers n;
    struct heard h;
    struct mqtt *listener = listen_for_numbers(&n, "test/full");
    struct speaker *s = speak(&h, "full");
    struct mqtt_publish p = {.topic = "test/full", .payload = payload, .len = sizeof payload};
    int taken = 0;

    (void)state;
    payload[0] = '1';
    ask("freeze broker");
    while (taken < 5000 && speaker_publish(s, &p, NULL) == ST_OK)
        taken++;
    assert_true(taken >= 250 && taken < 5000);
    ask("thaw broker");
    WAIT_FOR(n.came == taken);
    for (int i = 0; i < 10; i++) /* there is room again */
        assert_int_equal(say(s, "test/full", "1", 1), ST_OK);
    WAIT_FOR(n.came == taken + 10);
    speaker_close(s);
    mqtt_close(listener);
}

/* To topics of their own, kept by the broker: who listens later hears them, too. */
static void say_kept(struct speaker *s, int number)
{
    char topic[32], text[16];
    struct mqtt_publish p = {.topic = topic, .payload = text, .qos = 1, .retained = true};

    snprintf(topic, sizeof topic, "test/kept/%d", number);
    p.len = (size_t)snprintf(text, sizeof text, "%d", number);
    WAIT_FOR(speaker_publish(s, &p, NULL) == ST_OK);
}

static void what_waited_behind_a_cut_burst_goes_out_after_the_next_connect(void **state)
{
    struct numbers n;
    struct heard h;
    struct speaker *s = speak(&h, "burst");
    struct mqtt *listener;

    (void)state;
    ask("freeze broker");
    for (int i = 1; i <= 1000; i++)
        say_kept(s, i);
    nap_ms(200);               /* the first are handed over */
    ask("kill frozen broker"); /* it reads none of it */
    WAIT_FOR(!speaker_is_connected(s));
    assert_int_equal(say(s, "test/kept/x", "x", 1), ST_RETRY);
    ask("start broker");
    WAIT_FOR(speaker_is_connected(s));
    listener = listen_with(&n);
    assert_int_equal(mqtt_subscribe(listener, "test/kept/+", 1, NULL), ST_OK);
    WAIT_FOR(n.came >= 900); /* the others were on their way */
    speaker_close(s);
    mqtt_close(listener);
}

/* Who leaves waits for what is unsent, though not for ever: where the machine is too busy for that
 * nothing can be said of what went out.  False: it may have been so. */
static bool lets_a_burst_go_out(const char *topic, int most, bool closes)
{
    const int64_t patience_ms = closes ? 2000 : 500; /* wire/connection.c */
    struct numbers n;
    struct heard h;
    struct mqtt *listener = listen_for_numbers(&n, topic);
    struct speaker *s = speak(&h, "leaver");
    int64_t asked_ms;
    bool in_time;

    say_numbers(s, topic, 1, most); /* the last of QoS 1: its answer is that to all of them */
    asked_ms = clock_boot_ms();
    if (closes)
        speaker_close(s);
    else
        speaker_reload(s);
    WAIT_FOR(closes || h.downs > 0);
    in_time = clock_boot_ms() - asked_ms < patience_ms;
    if (in_time)
        WAIT_FOR(n.came == most);
    assert_false(n.disordered);
    if (!closes) {
        WAIT_FOR(h.ups == 2 && speaker_is_connected(s));
        speaker_close(s);
    }
    mqtt_close(listener);
    return in_time;
}

static void closing_lets_a_burst_go_out(void **state)
{
    char topic[32];
    int in_time = 0;

    (void)state;
    for (int i = 0, most = 899; i < 30 && in_time < 2; i++) { /* not of the third that is QoS 0 */
        snprintf(topic, sizeof topic, "test/last/%d", i);
        if (lets_a_burst_go_out(topic, most, in_time == 1))
            in_time++;
        else if (most > 9) /* less, a busy machine sends in time */
            most = most / 2 - (most / 2 % 3 == 0);
    }
    assert_int_equal(in_time, 2); /* one that is reloaded, and one that closes, was seen */
}

static void closing_while_the_broker_is_frozen_returns(void **state)
{
    struct heard h;
    struct speaker *s = speak(&h, "frozen");

    (void)state;
    ask("freeze broker");
    for (int i = 0; i < 500; i++)
        assert_int_equal(say(s, "test/frozen", "x", i % 2), ST_OK);
    speaker_close(s);
    ask("thaw broker");
}

struct talker {
    struct speaker *s;
    pthread_t thread;
};

static void *talk(void *self)
{
    struct talker *t = self;

    for (int i = 0; i < 1000; i++)
        while (say(t->s, "test/busy", "1", i % 2) != ST_OK)
            nap_ms(1);
    return NULL;
}

static void what_many_threads_say_all_comes(void **state)
{
    struct numbers n;
    struct heard h;
    struct mqtt *listener = listen_for_numbers(&n, "test/busy");
    struct talker talkers[3];
    struct speaker *s = speak(&h, "busy");

    (void)state;
    for (int i = 0; i < 3; i++) {
        talkers[i].s = s;
        assert_int_equal(pthread_create(&talkers[i].thread, NULL, talk, &talkers[i]), 0);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(talkers[i].thread, NULL);
    WAIT_FOR(n.came == 3000);
    speaker_close(s);
    mqtt_close(listener);
}

static void what_is_not_a_speaker_is_refused_at_once(void **state)
{
    struct heard h;
    struct mqtt_options o = {.brokers = "mqtt://127.0.0.1:1",
                             .client_id = "x",
                             .ca = "/dev/null",
                             .cert = "/dev/null",
                             .key = "/dev/null",
                             .self = &h};
    struct speaker *s = NULL;

    (void)state;
    assert_int_equal(speaker_open(&s, &o, NULL), ST_REJECT);
    o.brokers = "mqtts://127.0.0.1:1";
    assert_int_equal(speaker_open(&s, &o, NULL), ST_OK);
    speaker_rest(s, false);
    assert_int_equal(say(s, "test/x", "x", 1), ST_RETRY); /* nobody there */
    speaker_close(s);
    speaker_close(NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest with_server[] = {
        cmocka_unit_test(what_is_said_comes_in_order_whatever_its_length),
        cmocka_unit_test(what_is_no_message_is_refused_here),
        cmocka_unit_test(what_the_broker_does_not_take_is_told_with_its_reason_and_topic),
        cmocka_unit_test(a_broker_that_does_not_read_fills_the_room_and_no_more),
        cmocka_unit_test(what_waited_behind_a_cut_burst_goes_out_after_the_next_connect),
        cmocka_unit_test(closing_lets_a_burst_go_out),
        cmocka_unit_test(closing_while_the_broker_is_frozen_returns),
        cmocka_unit_test(what_many_threads_say_all_comes),
    };
    const struct CMUnitTest alone[] = {
        cmocka_unit_test(what_is_not_a_speaker_is_refused_at_once),
    };

    return RUN_SERVED(argc, argv, "VIGIE_TEST_BROKER", with_server, alone);
}
