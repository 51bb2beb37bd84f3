/* lib/mqtt.c - one Paho client and one thread of ours that brings it back.
 * Paho runs every callback under its own process-wide lock, so m->lock is taken inside that lock
 * and never held while Paho or the owner is called. */
#include "lib/mqtt.h"

#include <MQTTAsync.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/backoff.h"
#include "lib/clock.h"

#define COLUMNAR "application/vnd.vigie.columnar"
#define BROKERS_MAX 16
#define FILTER_MAX 256 /* bytes of a filter, terminator included */
#define UNSENT_BYTES_MAX (4 * 1024 * 1024)
#define UNSENT_MESSAGES_MAX 2000
#define MESSAGE_OVERHEAD 64 /* what a message costs beside topic and payload */
#define CONNECT_TIMEOUT_S 10
#define KEEPALIVE_S 30
#define STEADY_MS 10000 /* a connection that lived shorter counts as a failed try */
#define CLOSE_MS 2000
#define REASON_MAX 160
/* Suites of TLS 1.2 with forward secrecy; none older knows them, and those of TLS 1.3 are not
 * touched by this. */
#define SUITES "ECDHE+AESGCM:ECDHE+CHACHA20"

enum phase { PHASE_DOWN, PHASE_TRYING, PHASE_UP };

struct filter {
    char *text; /* NULL: a free slot */
    int qos;
};

struct mqtt {
    MQTTAsync client;
    struct mqtt_options options; /* its texts are ours */
    char *brokers[BROKERS_MAX];
    size_t broker_count;

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under lock: */
    enum phase phase;
    bool closing, disconnected;
    size_t broker; /* the one in use or tried next */
    struct backoff backoff;
    int64_t pause_ms, up_since_ms;
    char tls_reason[REASON_MAX]; /* what OpenSSL said last */
    char bye_reason[REASON_MAX]; /* what the broker said before it hung up */
    char told[REASON_MAX];       /* the failure the owner has heard of */
    size_t told_broker;
    struct filter *filters;
    size_t filter_room;

    atomic_bool connected;
    atomic_size_t unsent_bytes, unsent_messages;
};

/* What a message or a subscription under way needs when its answer comes. */
struct errand {
    struct mqtt *m;
    size_t bytes; /* 0: a subscription */
    char what[];
};

/* ---- opening */

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void prepare_paho(void)
{
    MQTTAsync_init_options init = MQTTAsync_init_options_initializer;

    init.do_openssl_init = 0; /* OpenSSL 3 does it itself, and others in this process use it too */
    MQTTAsync_global_init(&init);
}

static bool broker_is_valid(const char *url)
{
    const char *host, *port;
    char *end;
    long n;

    if (strncmp(url, "mqtts://", 8) != 0)
        return false;
    host = url + 8;
    port = strrchr(host, ':');
    if (!port || port == host || strpbrk(host, "/?#@ \t"))
        return false;
    n = strtol(port + 1, &end, 10);
    return port[1] >= '0' && port[1] <= '9' && *end == '\0' && n >= 1 && n <= 65535;
}

static enum status take_brokers(struct mqtt *m, const char *list, struct fault *fault)
{
    while (*list) {
        size_t n = strcspn(list, ",");
        char *url;

        if (m->broker_count == BROKERS_MAX)
            return fault_set(fault, ST_REJECT, "more than %d brokers", BROKERS_MAX);
        url = strndup(list, n);
        if (!url)
            return fault_set(fault, ST_FATAL, "MQTT client: out of memory");
        m->brokers[m->broker_count++] = url;
        if (!broker_is_valid(url))
            return fault_set(fault, ST_REJECT, "broker \"%s\" is not mqtts://host:port", url);
        list += n + (list[n] == ',');
    }
    if (m->broker_count == 0)
        return fault_set(fault, ST_REJECT, "no broker given");
    return ST_OK;
}

static enum status check_file(const char *what, const char *path, struct fault *fault)
{
    if (!path || !*path)
        return fault_set(fault, ST_REJECT, "MQTT %s file: none given", what);
    if (access(path, R_OK) != 0)
        return fault_set(fault, ST_REJECT, "MQTT %s file %s: %m", what, path);
    return ST_OK;
}

static bool copy_text(const char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

static bool copy_options(struct mqtt *m, const struct mqtt_options *from)
{
    struct mqtt_options *to = &m->options;

    to->keepalive_s = from->keepalive_s > 0 ? from->keepalive_s : KEEPALIVE_S;
    to->on_message = from->on_message;
    to->on_connection = from->on_connection;
    to->on_refused = from->on_refused;
    to->self = from->self;
    if (from->will_topic) {
        char *payload = malloc(from->will_len + 1);

        if (!payload)
            return false;
        if (from->will_len > 0)
            memcpy(payload, from->will_payload, from->will_len);
        to->will_payload = payload;
        to->will_len = from->will_len;
    }
    return copy_text(&to->will_topic, from->will_topic) &&
           copy_text(&to->client_id, from->client_id) && copy_text(&to->ca, from->ca) &&
           copy_text(&to->cert, from->cert) && copy_text(&to->key, from->key);
}

static void release(struct mqtt *m)
{
    for (size_t i = 0; i < m->broker_count; i++)
        free(m->brokers[i]);
    for (size_t i = 0; i < m->filter_room; i++)
        free(m->filters[i].text);
    free(m->filters);
    free((char *)m->options.will_topic);
    free((char *)m->options.will_payload);
    free((char *)m->options.client_id);
    free((char *)m->options.ca);
    free((char *)m->options.cert);
    free((char *)m->options.key);
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static struct mqtt *allocate(void)
{
    struct mqtt *m = calloc(1, sizeof *m);
    pthread_condattr_t clock;

    if (!m)
        return NULL;
    m->backoff = (struct backoff)BACKOFF_START;
    m->told_broker = SIZE_MAX;
    pthread_mutex_init(&m->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&m->changed, &clock);
    pthread_condattr_destroy(&clock);
    return m;
}

/* ---- answers to what was sent; all on Paho's side, one at a time */

static void settle(struct errand *e)
{
    struct mqtt *m = e->m;

    if (e->bytes > 0) {
        atomic_fetch_sub(&m->unsent_bytes, e->bytes);
        if (atomic_fetch_sub(&m->unsent_messages, 1) == 1) {
            pthread_mutex_lock(&m->lock); /* mqtt_close may be waiting for the last one */
            pthread_cond_broadcast(&m->changed);
            pthread_mutex_unlock(&m->lock);
        }
    }
    free(e);
}

static void on_done(void *self, MQTTAsync_successData5 *answer)
{
    (void)answer;
    settle(self);
}

static void on_failed(void *self, MQTTAsync_failureData5 *answer)
{
    struct errand *e = self;
    int reason = answer ? (int)answer->reasonCode : 0;

    /* reason under 128: not an answer of the broker, the connection went */
    if (reason >= MQTTREASONCODE_UNSPECIFIED_ERROR && e->m->options.on_refused)
        e->m->options.on_refused(e->m->options.self, reason, e->what);
    settle(e);
}

static struct errand *make_errand(struct mqtt *m, const char *what, size_t bytes)
{
    size_t len = strlen(what);
    struct errand *e = malloc(sizeof *e + len + 1);

    if (!e)
        return NULL;
    e->m = m;
    e->bytes = bytes;
    memcpy(e->what, what, len + 1);
    return e;
}

/* ---- subscriptions */

static int ask_for(struct mqtt *m, const char *filter, int qos)
{
    MQTTAsync_responseOptions answer = MQTTAsync_responseOptions_initializer;
    struct errand *e = make_errand(m, filter, 0);
    int rc;

    if (!e)
        return MQTTASYNC_FAILURE;
    answer.onSuccess5 = on_done;
    answer.onFailure5 = on_failed;
    answer.context = e;
    rc = MQTTAsync_subscribe(m->client, filter, qos, &answer);
    if (rc != MQTTASYNC_SUCCESS)
        free(e);
    return rc;
}

/* Copy the filter in slot `i` out; false past the last slot.  `text` is "" for a free slot. */
static bool read_slot(struct mqtt *m, size_t i, char text[FILTER_MAX], int *qos)
{
    bool there;

    pthread_mutex_lock(&m->lock);
    there = i < m->filter_room;
    text[0] = '\0';
    if (there && m->filters[i].text) {
        memcpy(text, m->filters[i].text, strlen(m->filters[i].text) + 1);
        *qos = m->filters[i].qos;
    }
    pthread_mutex_unlock(&m->lock);
    return there;
}

static void ask_for_all(struct mqtt *m)
{
    char text[FILTER_MAX];
    int qos = 0;

    for (size_t i = 0; read_slot(m, i, text, &qos); i++)
        if (text[0])
            ask_for(m, text, qos); /* fails only when the connection is gone again */
}

/* The slot that holds `text`, or a free one for it; NULL without memory. */
static struct filter *find_slot(struct mqtt *m, const char *text)
{
    struct filter *grown, *empty = NULL;
    size_t room;

    for (size_t i = 0; i < m->filter_room; i++) {
        if (m->filters[i].text && strcmp(m->filters[i].text, text) == 0)
            return &m->filters[i];
        if (!m->filters[i].text)
            empty = &m->filters[i];
    }
    if (empty)
        return empty;
    room = m->filter_room ? 2 * m->filter_room : 16;
    grown = realloc(m->filters, room * sizeof *grown);
    if (!grown)
        return NULL;
    memset(grown + m->filter_room, 0, (room - m->filter_room) * sizeof *grown);
    empty = grown + m->filter_room;
    m->filters = grown;
    m->filter_room = room;
    return empty;
}

static bool remember(struct mqtt *m, const char *text, int qos)
{
    struct filter *slot;

    pthread_mutex_lock(&m->lock);
    slot = find_slot(m, text);
    if (slot && !slot->text)
        slot->text = strdup(text);
    if (slot)
        slot->qos = qos;
    pthread_mutex_unlock(&m->lock);
    return slot && slot->text;
}

enum status mqtt_subscribe(struct mqtt *m, const char *filter, int qos, struct fault *fault)
{
    size_t len = strlen(filter);
    int rc;

    if (len == 0 || len >= FILTER_MAX || qos < 0 || qos > 2)
        return fault_set(fault, ST_REJECT, "filter of %zu bytes, QoS %d", len, qos);
    if (!remember(m, filter, qos))
        return fault_set(fault, ST_FATAL, "MQTT client: out of memory");
    if (!atomic_load(&m->connected))
        return fault_set(fault, ST_RETRY, "not connected: will be asked for");
    rc = ask_for(m, filter, qos);
    if (rc == MQTTASYNC_SUCCESS)
        return ST_OK;
    return fault_set(fault, rc == MQTTASYNC_BAD_UTF8_STRING ? ST_REJECT : ST_RETRY,
                     "subscribe to %s: %s", filter, MQTTAsync_strerror(rc));
}

enum status mqtt_unsubscribe(struct mqtt *m, const char *filter, struct fault *fault)
{
    bool known = false;
    int rc;

    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->filter_room; i++)
        if (m->filters[i].text && strcmp(m->filters[i].text, filter) == 0) {
            free(m->filters[i].text);
            m->filters[i].text = NULL;
            known = true;
        }
    pthread_mutex_unlock(&m->lock);
    if (!known)
        return fault_set(fault, ST_NONE, "not subscribed to %s", filter);
    if (!atomic_load(&m->connected))
        return ST_OK; /* a clean start brings no subscription along */
    rc = MQTTAsync_unsubscribe(m->client, filter, NULL);
    if (rc == MQTTASYNC_SUCCESS || rc == MQTTASYNC_DISCONNECTED)
        return ST_OK;
    return fault_set(fault, ST_RETRY, "unsubscribe from %s: %s", filter, MQTTAsync_strerror(rc));
}

/* ---- the connection: what Paho tells */

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
    m->up_since_ms = clock_boot_ms();
    m->told[0] = m->bye_reason[0] = '\0';
    m->told_broker = SIZE_MAX;
    broker = m->brokers[m->broker];
    pthread_mutex_unlock(&m->lock);
    atomic_store(&m->connected, true); /* before the slots are read: see mqtt_subscribe */
    tell(m, true, broker, "");
    ask_for_all(m);
}

/* Under lock: plan the next try. */
static void plan(struct mqtt *m, bool move_on)
{
    m->phase = PHASE_DOWN;
    if (move_on)
        m->broker = (m->broker + 1) % m->broker_count;
    m->pause_ms = backoff_next(&m->backoff);
    pthread_cond_broadcast(&m->changed);
}

/* A try came to nothing.  The owner hears of it once per broker and reason. */
static void try_failed(struct mqtt *m, const char *reason)
{
    const char *broker;
    bool news;

    pthread_mutex_lock(&m->lock);
    broker = m->brokers[m->broker];
    news = m->told_broker != m->broker || strcmp(m->told, reason) != 0;
    m->told_broker = m->broker;
    snprintf(m->told, sizeof m->told, "%s", reason);
    plan(m, true);
    news = news && !m->closing;
    pthread_mutex_unlock(&m->lock);
    if (news)
        tell(m, false, broker, reason);
}

static void on_refused_connect(void *self, MQTTAsync_failureData5 *answer)
{
    struct mqtt *m = self;
    char reason[REASON_MAX];
    int code = 0;

    if (answer)
        code = answer->reasonCode ? (int)answer->reasonCode : answer->code;
    pthread_mutex_lock(&m->lock);
    if (code >= MQTTREASONCODE_UNSPECIFIED_ERROR)
        snprintf(reason, sizeof reason, "refused: %s (%d)",
                 MQTTReasonCode_toString((enum MQTTReasonCodes)code), code);
    else if (m->tls_reason[0])
        snprintf(reason, sizeof reason, "%.*s", REASON_MAX - 1, m->tls_reason);
    else
        snprintf(reason, sizeof reason, "%s",
                 answer && answer->message ? answer->message : "no connection");
    m->tls_reason[0] = '\0';
    pthread_mutex_unlock(&m->lock);
    try_failed(m, reason);
}

static void on_bye(void *self, MQTTProperties *properties, enum MQTTReasonCodes code)
{
    struct mqtt *m = self;
    const char *name = MQTTReasonCode_toString(code);

    (void)properties;
    pthread_mutex_lock(&m->lock);
    snprintf(m->bye_reason, sizeof m->bye_reason, "the broker hung up: %s (%d)",
             name ? name : "unknown", (int)code);
    pthread_mutex_unlock(&m->lock);
}

static void on_lost(void *self, char *cause)
{
    struct mqtt *m = self;
    char reason[REASON_MAX];
    const char *broker;

    atomic_store(&m->connected, false);
    pthread_mutex_lock(&m->lock);
    snprintf(reason, sizeof reason, "%s",
             m->bye_reason[0] ? m->bye_reason
             : cause          ? cause
                              : "connection lost");
    m->bye_reason[0] = '\0';
    broker = m->brokers[m->broker];
    if (clock_boot_ms() - m->up_since_ms >= STEADY_MS) {
        backoff_reset(&m->backoff);
        plan(m, false); /* the same broker first: it may only have been restarted */
    } else {
        plan(m, true);
    }
    pthread_mutex_unlock(&m->lock);
    tell(m, false, broker, reason);
}

/* OpenSSL's words about a failed handshake: "…:error:0A000086:SSL routines::certificate verify
 * failed:…" */
static int on_tls_error(const char *text, size_t len, void *self)
{
    struct mqtt *m = self;
    const char *reason = strstr(text, "::");

    (void)len;
    reason = reason ? reason + 2 : text;
    pthread_mutex_lock(&m->lock);
    snprintf(m->tls_reason, sizeof m->tls_reason, "TLS: %.*s", (int)strcspn(reason, ":\n"), reason);
    pthread_mutex_unlock(&m->lock);
    return 1;
}

static bool is_columnar(const MQTTAsync_message *in)
{
    MQTTProperties *properties = (MQTTProperties *)&in->properties;
    const MQTTProperty *type =
        MQTTProperties_getProperty(properties, MQTTPROPERTY_CODE_CONTENT_TYPE);

    return type && type->value.data.len == sizeof COLUMNAR - 1 &&
           memcmp(type->value.data.data, COLUMNAR, sizeof COLUMNAR - 1) == 0;
}

static int on_arrived(void *self, char *topic, int topic_len, MQTTAsync_message *in)
{
    struct mqtt *m = self;
    const struct mqtt_message message = {
        .topic = topic,
        .topic_len = topic_len > 0 ? (size_t)topic_len : strlen(topic), /* 0: no NUL in it */
        .payload = in->payload,
        .len = (size_t)in->payloadlen,
        .qos = in->qos,
        .retained = in->retained != 0,
        .columnar = is_columnar(in),
    };

    if (m->options.on_message)
        m->options.on_message(m->options.self, &message);
    MQTTAsync_freeMessage(&in);
    MQTTAsync_free(topic);
    return 1;
}

/* ---- the connection: our own thread */

static int try_broker(struct mqtt *m, char *url)
{
    MQTTAsync_connectOptions connect = MQTTAsync_connectOptions_initializer5;
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;

    tls.trustStore = m->options.ca;
    tls.keyStore = m->options.cert;
    tls.privateKey = m->options.key;
    tls.enabledCipherSuites = SUITES;
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
    connect.serverURIs = &url;
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

static void *keep_connected(void *self)
{
    struct mqtt *m = self;
    char *url;
    int rc;

    pthread_mutex_lock(&m->lock);
    while (!m->closing) {
        if (m->phase != PHASE_DOWN) {
            pthread_cond_wait(&m->changed, &m->lock);
            continue;
        }
        if (!pause_before_try(m))
            continue;
        m->phase = PHASE_TRYING;
        url = m->brokers[m->broker];
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
static int start_thread(struct mqtt *m)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&m->thread, NULL, keep_connected, m);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static enum status start_client(struct mqtt *m, struct fault *fault)
{
    MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer5;
    int rc;

    pthread_once(&once, prepare_paho);
    create.sendWhileDisconnected = 0;
    create.maxBufferedMessages = UNSENT_MESSAGES_MAX;
    rc = MQTTAsync_createWithOptions(&m->client, m->brokers[0], m->options.client_id,
                                     MQTTCLIENT_PERSISTENCE_NONE, NULL, &create);
    if (rc != MQTTASYNC_SUCCESS)
        return fault_set(fault, rc == MQTTASYNC_BAD_UTF8_STRING ? ST_REJECT : ST_FATAL,
                         "MQTT client: %s", MQTTAsync_strerror(rc));
    if (MQTTAsync_setCallbacks(m->client, m, on_lost, on_arrived, NULL) != MQTTASYNC_SUCCESS ||
        MQTTAsync_setDisconnected(m->client, m, on_bye) != MQTTASYNC_SUCCESS ||
        start_thread(m) != 0) {
        MQTTAsync_destroy(&m->client);
        return fault_set(fault, ST_FATAL, "MQTT client: cannot start");
    }
    return ST_OK;
}

enum status mqtt_open(struct mqtt **out, const struct mqtt_options *options, struct fault *fault)
{
    struct mqtt *m;
    enum status st;

    if (!options->client_id || !*options->client_id)
        return fault_set(fault, ST_REJECT, "MQTT client id: none given");
    if (options->will_len > 65535)
        return fault_set(fault, ST_REJECT, "last will of %zu bytes", options->will_len);
    if ((st = check_file("CA", options->ca, fault)) != ST_OK ||
        (st = check_file("certificate", options->cert, fault)) != ST_OK ||
        (st = check_file("key", options->key, fault)) != ST_OK)
        return st;
    m = allocate();
    if (!m)
        return fault_set(fault, ST_FATAL, "MQTT client: out of memory");
    st = take_brokers(m, options->brokers ? options->brokers : "", fault);
    if (st == ST_OK && !copy_options(m, options))
        st = fault_set(fault, ST_FATAL, "MQTT client: out of memory");
    if (st == ST_OK)
        st = start_client(m, fault);
    if (st != ST_OK) {
        release(m);
        return st;
    }
    *out = m;
    return ST_OK;
}

/* ---- publishing */

static bool label(MQTTProperties *properties, const struct mqtt_publish *p)
{
    MQTTProperty type = {.identifier = MQTTPROPERTY_CODE_CONTENT_TYPE};
    MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL};

    type.value.data.data = (char *)COLUMNAR;
    type.value.data.len = sizeof COLUMNAR - 1;
    expiry.value.integer4 = (unsigned)p->expiry_s;
    return (!p->columnar || MQTTProperties_add(properties, &type) == 0) &&
           (p->expiry_s <= 0 || MQTTProperties_add(properties, &expiry) == 0);
}

/* Count a message in before it is handed over, so that two threads cannot both take the last room.
 */
static bool reserve(struct mqtt *m, size_t bytes)
{
    size_t held = atomic_fetch_add(&m->unsent_bytes, bytes) + bytes;
    size_t messages = atomic_fetch_add(&m->unsent_messages, 1) + 1;

    return held <= UNSENT_BYTES_MAX && messages <= UNSENT_MESSAGES_MAX;
}

static enum status refuse(struct mqtt *m, const char *topic, int rc, struct fault *fault)
{
    enum status st = ST_RETRY;

    (void)m;
    if (rc == MQTTASYNC_BAD_UTF8_STRING || rc == MQTTASYNC_BAD_QOS)
        st = ST_REJECT;
    return fault_set(fault, st, "publish to %s: %s", topic, MQTTAsync_strerror(rc));
}

enum status mqtt_publish(struct mqtt *m, const struct mqtt_publish *p, struct fault *fault)
{
    MQTTAsync_responseOptions answer = MQTTAsync_responseOptions_initializer;
    struct errand *e;
    int rc = MQTTASYNC_FAILURE;

    if (!atomic_load(&m->connected))
        return fault_set(fault, ST_RETRY, "not connected");
    if (p->len > UNSENT_BYTES_MAX / 2)
        return fault_set(fault, ST_REJECT, "publish to %s: %zu bytes", p->topic, p->len);
    e = make_errand(m, p->topic, strlen(p->topic) + p->len + MESSAGE_OVERHEAD);
    if (!e)
        return fault_set(fault, ST_RETRY, "MQTT client: out of memory");
    if (!reserve(m, e->bytes)) {
        settle(e);
        return fault_set(fault, ST_RETRY, "too much is still unsent");
    }
    answer.onSuccess5 = on_done;
    answer.onFailure5 = on_failed;
    answer.context = e;
    if (label(&answer.properties, p))
        rc = MQTTAsync_send(m->client, p->topic, (int)p->len, p->payload ? p->payload : "", p->qos,
                            p->retained, &answer);
    MQTTProperties_free(&answer.properties);
    if (rc == MQTTASYNC_SUCCESS)
        return ST_OK;
    settle(e);
    return refuse(m, p->topic, rc, fault);
}

bool mqtt_is_connected(struct mqtt *m)
{
    return atomic_load(&m->connected);
}

size_t mqtt_unsent_bytes(struct mqtt *m)
{
    return atomic_load(&m->unsent_bytes);
}

/* ---- closing */

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

/* Let what was handed over go out, then say goodbye; both within CLOSE_MS. */
static void say_goodbye(struct mqtt *m)
{
    MQTTAsync_disconnectOptions bye = MQTTAsync_disconnectOptions_initializer5;
    int64_t until = monotonic_ms() + CLOSE_MS, left;

    pthread_mutex_lock(&m->lock);
    while (m->phase == PHASE_UP && atomic_load(&m->unsent_messages) > 0 &&
           (left = until - 200 - monotonic_ms()) > 0)
        wait_ms(m, left);
    pthread_mutex_unlock(&m->lock);
    bye.timeout = 0;
    bye.onSuccess5 = on_disconnected;
    bye.onFailure5 = on_disconnect_failed;
    bye.context = m;
    if (MQTTAsync_disconnect(m->client, &bye) != MQTTASYNC_SUCCESS)
        return; /* not connected */
    pthread_mutex_lock(&m->lock);
    while (!m->disconnected && m->phase == PHASE_UP && (left = until - monotonic_ms()) > 0)
        wait_ms(m, left);
    pthread_mutex_unlock(&m->lock);
}

void mqtt_close(struct mqtt *m)
{
    if (!m)
        return;
    pthread_mutex_lock(&m->lock);
    m->closing = true;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->thread, NULL);
    say_goodbye(m);
    atomic_store(&m->connected, false);
    MQTTAsync_destroy(&m->client); /* fails what is still under way, so every errand is settled */
    release(m);
}
