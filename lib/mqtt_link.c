/* lib/mqtt_link.c - the connection: what Paho tells of it, and one thread of ours that brings it
 * back. */
#include "lib/mqtt_inside.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"

#define CONNECT_TIMEOUT_S 10
#define CLOSE_MS 2000
#define RELOAD_MS 500
#define LEAVE_MS 10000
#define GIVE_UP_MS (2 * CONNECT_TIMEOUT_S * 1000)

/* ---- what Paho tells, on its side */

static void tell(struct mqtt *m, bool connected, const char *broker, const char *reason)
{
    if (m->options.on_connection)
        m->options.on_connection(m->options.self, connected, broker, reason);
}

static void on_connected(void *self, MQTTAsync_successData5 *answer)
{
    struct mqtt *m = self;
    const char *broker;

    (void)answer;
    pthread_mutex_lock(&m->lock);
    m->phase = PHASE_UP;
    m->connections++;
    m->up_since_ms = clock_boot_ms();
    brokers_connected(&m->brokers);
    broker = brokers_now(&m->brokers);
    atomic_store(&m->connected, true); /* before the filters are read: see mqtt_subscribe */
    if (m->reload) /* asked for during the try, which had read the files by then */
        pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
    mqtt_send_at_once(broker);
    tell(m, true, broker, "");
    mqtt_ask_for_all(m);
    mqtt_hand_on(m);
}

/* Under lock: there is a next try. */
static void plan(struct mqtt *m, int64_t pause_ms)
{
    m->phase = PHASE_DOWN;
    m->pause_ms = pause_ms;
    pthread_cond_broadcast(&m->changed);
}

/* A try came to nothing.  The owner hears of it once per broker and reason. */
static void try_failed(struct mqtt *m, const char *reason)
{
    const char *broker;
    bool news;

    pthread_mutex_lock(&m->lock);
    broker = brokers_now(&m->brokers);
    plan(m, brokers_failed(&m->brokers, reason, &news));
    news = news && !m->closing;
    pthread_mutex_unlock(&m->lock);
    if (news)
        tell(m, false, broker, reason);
}

static void on_refused_connect(void *self, MQTTAsync_failureData5 *answer)
{
    struct mqtt *m = self;
    char reason[BROKERS_REASON_MAX];
    int code = 0;

    if (answer)
        code = answer->reasonCode ? (int)answer->reasonCode : answer->code;
    pthread_mutex_lock(&m->lock);
    if (code >= MQTTREASONCODE_UNSPECIFIED_ERROR)
        snprintf(reason, sizeof reason, "refused: %s (%d)",
                 MQTTReasonCode_toString((enum MQTTReasonCodes)code), code);
    else if (m->tls_reason[0])
        snprintf(reason, sizeof reason, "%.*s", BROKERS_REASON_MAX - 1, m->tls_reason);
    else
        snprintf(reason, sizeof reason, "%s",
                 answer && answer->message ? answer->message : "no connection");
    m->tls_reason[0] = '\0';
    pthread_mutex_unlock(&m->lock);
    try_failed(m, reason);
}

static void lost(struct mqtt *m, const char *reason)
{
    const char *broker;

    pthread_mutex_lock(&m->lock);
    if (m->phase != PHASE_UP) { /* told already */
        pthread_mutex_unlock(&m->lock);
        return;
    }
    atomic_store(&m->connected, false);
    broker = brokers_now(&m->brokers);
    plan(m, brokers_lost(&m->brokers, clock_boot_ms() - m->up_since_ms));
    pthread_mutex_unlock(&m->lock);
    tell(m, false, broker, reason);
}

/* The broker said DISCONNECT.  Paho 1.3.12 does not report the loss as well, so this is it. */
static void on_bye(void *self, MQTTProperties *properties, enum MQTTReasonCodes code)
{
    const char *name = MQTTReasonCode_toString(code);
    char reason[BROKERS_REASON_MAX];

    (void)properties;
    snprintf(reason, sizeof reason, "the broker hung up: %s (%d)", name ? name : "unknown",
             (int)code);
    lost(self, reason);
}

static void on_lost(void *self, char *cause)
{
    lost(self, cause ? cause : "connection lost");
}

/* OpenSSL's words about a failed handshake, "thread:error:code:library:function:reason:file:line:":
 * the reason. */
static int on_tls_error(const char *text, size_t len, void *self)
{
    struct mqtt *m = self;

    (void)len;
    for (int field = 0; field < 5 && strchr(text, ':'); field++)
        text = strchr(text, ':') + 1;
    pthread_mutex_lock(&m->lock);
    snprintf(m->tls_reason, sizeof m->tls_reason, "TLS: %.*s", (int)strcspn(text, ":\n"), text);
    pthread_mutex_unlock(&m->lock);
    return 1;
}

/* ---- our own thread */

static int try_broker(struct mqtt *m, const char *url)
{
    MQTTAsync_connectOptions connect = MQTTAsync_connectOptions_initializer5;
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;

    tls.trustStore = m->options.ca;
    tls.keyStore = m->options.cert;
    tls.privateKey = m->options.key;
    tls.enabledCipherSuites = MQTT_TLS_SUITES;
    tls.sslVersion = MQTT_SSL_VERSION_TLS_1_2;
    tls.enableServerCertAuth = 1;
    tls.verify = 1; /* the host's name, too */
    tls.ssl_error_cb = on_tls_error;
    tls.ssl_error_context = m;
    if (m->options.will_topic) {
        will.topicName = m->options.will_topic;
        will.payload.data = m->options.will_payload;
        will.payload.len = (int)m->options.will_len;
        will.qos = 1;
        will.retained = 1;
        connect.will = &will;
    }
    connect.ssl = &tls;
    connect.keepAliveInterval = m->options.keepalive_s;
    connect.connectTimeout = CONNECT_TIMEOUT_S;
    connect.cleanstart = 1;
    connect.onSuccess5 = on_connected;
    connect.onFailure5 = on_refused_connect;
    connect.context = m;
    connect.serverURIcount = 1;
    connect.serverURIs = (char *const *)&url;
    return MQTTAsync_connect(m->client, &connect);
}

static void wait_ms(struct mqtt *m, int64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&m->changed, &m->lock, &until);
}

static int64_t monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Under lock: the pause before a try; false when there is nothing to try any more. */
static bool pause_before_try(struct mqtt *m)
{
    int64_t until = monotonic_ms() + m->pause_ms, left;

    while (!m->closing && m->phase == PHASE_DOWN && (left = until - monotonic_ms()) > 0)
        wait_ms(m, left);
    return !m->closing && m->phase == PHASE_DOWN;
}

void mqtt_reload(struct mqtt *m)
{
    pthread_mutex_lock(&m->lock);
    m->reload = true;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

static void on_disconnected(void *self, MQTTAsync_successData5 *answer)
{
    struct mqtt *m = self;

    (void)answer;
    pthread_mutex_lock(&m->lock);
    m->disconnected = true;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

static void on_disconnect_failed(void *self, MQTTAsync_failureData5 *answer)
{
    (void)answer;
    on_disconnected(self, NULL);
}

/* Under lock: until nothing is unsent, or `until`. */
static void wait_for_unsent(struct mqtt *m, int64_t until)
{
    int64_t left;

    while (atomic_load(&m->unsent_messages) > 0 && (left = until - monotonic_ms()) > 0)
        wait_ms(m, left);
}

/* Under lock, which is let go meanwhile: DISCONNECT, and wait until Paho has done with it.  Whoever
 * connects again before that gets a yes and never an answer. */
static void end_session(struct mqtt *m, int64_t until)
{
    MQTTAsync_disconnectOptions bye = MQTTAsync_disconnectOptions_initializer5;
    int64_t left;
    int rc;

    m->disconnected = false;
    pthread_mutex_unlock(&m->lock);
    bye.timeout = 0;
    bye.onSuccess5 = on_disconnected;
    bye.onFailure5 = on_disconnect_failed;
    bye.context = m;
    rc = MQTTAsync_disconnect(m->client, &bye);
    pthread_mutex_lock(&m->lock);
    while (rc == MQTTASYNC_SUCCESS && !m->disconnected && (left = until - monotonic_ms()) > 0)
        wait_ms(m, left);
}

/* Under lock, which is let go meanwhile: with files that cannot be used now what works is kept. */
static bool may_leave(struct mqtt *m)
{
    struct fault fault = {""};
    enum status st;

    pthread_mutex_unlock(&m->lock);
    st = mqtt_check_files(&m->options, &fault);
    if (st != ST_OK && m->options.on_kept)
        m->options.on_kept(m->options.self, fault.text);
    pthread_mutex_lock(&m->lock);
    return st == ST_OK;
}

/* Under lock, which is let go meanwhile: leave in an orderly way, to come back with the files as
 * they are now. */
static void leave(struct mqtt *m)
{
    const char *broker = brokers_now(&m->brokers);

    m->reload = false;
    if (!may_leave(m))
        return;
    wait_for_unsent(m, monotonic_ms() + RELOAD_MS);
    if (m->phase != PHASE_UP || m->closing)
        return; /* lost meanwhile: the next try reads the files anyway */
    m->phase = PHASE_DOWN;
    m->pause_ms = 0;
    atomic_store(&m->connected, false);
    pthread_mutex_unlock(&m->lock);
    tell(m, false, broker, "certificates are read again");
    pthread_mutex_lock(&m->lock);
    end_session(m, monotonic_ms() + LEAVE_MS);
}

/* Under lock: a try that Paho never answers is a failed one. */
static void wait_for_answer(struct mqtt *m)
{
    int64_t left = m->try_since_ms + GIVE_UP_MS - monotonic_ms();

    if (left > 0) {
        wait_ms(m, left);
        return;
    }
    pthread_mutex_unlock(&m->lock);
    try_failed(m, "no answer");
    pthread_mutex_lock(&m->lock);
}

static void *keep_connected(void *self)
{
    struct mqtt *m = self;
    const char *url;
    int rc;

    pthread_mutex_lock(&m->lock);
    while (!m->closing) {
        if (m->phase == PHASE_UP && m->reload) {
            leave(m);
            continue;
        }
        if (m->phase == PHASE_TRYING) {
            wait_for_answer(m);
            continue;
        }
        if (m->phase == PHASE_UP) {
            pthread_cond_wait(&m->changed, &m->lock);
            continue;
        }
        if (!pause_before_try(m))
            continue;
        m->phase = PHASE_TRYING;
        m->try_since_ms = monotonic_ms();
        m->reload = false; /* this try reads the files */
        url = brokers_now(&m->brokers);
        pthread_mutex_unlock(&m->lock);
        rc = try_broker(m, url); /* its answer may come before it returns */
        if (rc != MQTTASYNC_SUCCESS)
            try_failed(m, MQTTAsync_strerror(rc));
        pthread_mutex_lock(&m->lock);
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

/* No signal is ours: the main thread takes them.  Paho's threads inherit this, they are started
 * from here. */
int mqtt_link_start(struct mqtt *m)
{
    sigset_t all, before;
    int rc;

    if (MQTTAsync_setCallbacks(m->client, m, on_lost, mqtt_on_arrived, NULL) != MQTTASYNC_SUCCESS ||
        MQTTAsync_setDisconnected(m->client, m, on_bye) != MQTTASYNC_SUCCESS)
        return -1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&m->thread, NULL, keep_connected, m);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

/* ---- closing */

/* Let what was handed over go out, then say goodbye; both within CLOSE_MS. */
static void say_goodbye(struct mqtt *m)
{
    int64_t until = monotonic_ms() + CLOSE_MS;

    pthread_mutex_lock(&m->lock);
    if (m->phase == PHASE_UP) {
        wait_for_unsent(m, until - 200);
        end_session(m, until);
    }
    pthread_mutex_unlock(&m->lock);
}

void mqtt_link_stop(struct mqtt *m)
{
    pthread_mutex_lock(&m->lock);
    m->closing = true;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->thread, NULL);
    say_goodbye(m);
}
