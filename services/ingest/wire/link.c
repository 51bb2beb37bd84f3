/* services/ingest/wire/link.c */
#include "link.h"

#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/brokers.h"
#include "proto/columnar.h"
#include "tls.h"

#define CONNECT_MS 10000
#define CLOSE_TRIES 10 /* of CLOSE_STEP_MS */
#define CLOSE_STEP_MS 50
#define KEEPALIVE_LOOK_MS 500
#define STEP_PACKETS 256 /* before others get a turn */
#define PROBES 3         /* of the kernel, a second apart, before it gives up a silent peer */

enum phase { DIALLING, UP, OVER };

struct link {
    struct mosquitto *mosq;
    void *tls; /* unless end.gone */
    struct tls_end end;
    struct link_heard heard;
    enum phase phase;
    bool wired; /* TCP is there */
    int64_t since_ms;
    char reason[BROKERS_REASON_MAX]; /* the first thing that was told of its end */
};

/* ---- what libmosquitto tells */

static void note(struct link *l, const char *reason)
{
    if (!l->reason[0])
        snprintf(l->reason, sizeof l->reason, "%s", reason);
}

static void on_connect(struct mosquitto *mosq, void *self, int code, int flags,
                       const mosquitto_property *properties)
{
    struct link *l = self;
    char text[BROKERS_REASON_MAX];

    (void)flags;
    (void)properties;
    if (code != 0) {
        snprintf(text, sizeof text, "refused: %s (%d)", mosquitto_reason_string(code), code);
        note(l, text);
        l->phase = OVER;
        return;
    }
    mosquitto_log_callback_set(mosq, NULL);     /* a line would be made for every message */
    (void)!tls_gather(mosquitto_ssl_get(mosq)); /* dearer without, no more */
    l->phase = UP;
    l->heard.on_up(l->heard.self);
}

/* `code` is one of MQTT when the broker said DISCONNECT, or one of the library. */
static void on_disconnect(struct mosquitto *mosq, void *self, int code,
                          const mosquitto_property *properties)
{
    struct link *l = self;
    char text[BROKERS_REASON_MAX];

    (void)mosq;
    (void)properties;
    if (code >= MQTT_RC_UNSPECIFIED) {
        snprintf(text, sizeof text, "the broker hung up: %s (%d)", mosquitto_reason_string(code),
                 code);
        note(l, text);
    } else if (code != 0) {
        note(l, code == MOSQ_ERR_ERRNO ? "connection lost" : mosquitto_strerror(code));
    }
    l->phase = OVER;
}

static bool is_columnar(const mosquitto_property *properties)
{
    char *type = NULL;
    bool is;

    mosquitto_property_read_string(properties, MQTT_PROP_CONTENT_TYPE, &type, false);
    is = type && strcmp(type, COLUMNAR_CONTENT_TYPE) == 0;
    free(type);
    return is;
}

static void on_message(struct mosquitto *mosq, void *self, const struct mosquitto_message *from,
                       const mosquitto_property *properties)
{
    struct link *l = self;
    struct mqtt_message m = {.topic = from->topic,
                             .topic_len = strlen(from->topic),
                             .payload = from->payloadlen > 0 ? from->payload : "",
                             .len = (size_t)from->payloadlen,
                             .qos = from->qos,
                             .retained = from->retain,
                             .columnar = properties && is_columnar(properties)};

    (void)mosq;
    l->heard.on_message(l->heard.self, &m);
}

static void on_subscribe(struct mosquitto *mosq, void *self, int packet_id, int count,
                         const int *reasons, const mosquitto_property *properties)
{
    struct link *l = self;

    (void)mosq;
    (void)properties;
    if (count > 0)
        l->heard.on_answer(l->heard.self, packet_id, reasons[0]);
}

static void on_publish(struct mosquitto *mosq, void *self, int packet_id, int reason,
                       const mosquitto_property *properties)
{
    struct link *l = self;

    (void)mosq;
    (void)properties;
    l->heard.on_answer(l->heard.self, packet_id, reason);
}

/* While it dials: "OpenSSL Error[0]: error:code:library:function:reason" is the only place where a
 * handshake's failure is told. */
static void on_log(struct mosquitto *mosq, void *self, int level, const char *line)
{
    const char *colon = strrchr(line, ':');
    char text[BROKERS_REASON_MAX];

    (void)mosq;
    if (level != MOSQ_LOG_ERR)
        return;
    if (strncmp(line, "OpenSSL", 7) == 0 && colon)
        snprintf(text, sizeof text, "TLS: %s", colon + 1);
    else
        snprintf(text, sizeof text, "%s", line);
    note(self, text);
}

/* ---- dialling */

static void prepare(void)
{
    mosquitto_lib_init();
}

static struct mosquitto *make_client(struct link *l, const struct mqtt_options *o, void *tls)
{
    struct mosquitto *mosq = mosquitto_new(o->client_id, true, l);

    if (!mosq)
        return NULL;
    mosquitto_int_option(mosq, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_int_option(mosq, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_int_option(mosq, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
    mosquitto_void_option(mosq, MOSQ_OPT_SSL_CTX, tls); /* it keeps a reference of its own */
    mosquitto_connect_v5_callback_set(mosq, on_connect);
    mosquitto_disconnect_v5_callback_set(mosq, on_disconnect);
    mosquitto_message_v5_callback_set(mosq, on_message);
    mosquitto_subscribe_v5_callback_set(mosq, on_subscribe);
    mosquitto_publish_v5_callback_set(mosq, on_publish);
    mosquitto_log_callback_set(mosq, on_log);
    return mosq;
}

static const char *said(const struct link *l, int rc)
{
    if (l->reason[0])
        return l->reason;
    if (rc == MOSQ_ERR_TLS && l->end.error != 0)
        return strerror(l->end.error);
    return rc == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(rc);
}

/* libmosquitto tries a name's first address only, an IPv6 one wherever there is any.  An IPv4 one
 * first, as Paho has it: an address to bind to picks the family. */
static int begin(struct link *l, const char *host, int port, int keepalive_s)
{
    int rc;

    mosquitto_string_option(l->mosq, MOSQ_OPT_BIND_ADDRESS, "0.0.0.0");
    rc = mosquitto_connect_async(l->mosq, host, port, keepalive_s);
    if (rc != MOSQ_ERR_ERRNO)
        return rc;
    mosquitto_string_option(l->mosq, MOSQ_OPT_BIND_ADDRESS, "::");
    return mosquitto_connect_async(l->mosq, host, port, keepalive_s);
}

static enum status connect_to(struct link *l, const char *host, int port,
                              const struct mqtt_options *o, struct fault *fault)
{
    int rc;

    l->tls = tls_open(o->ca, o->cert, o->key, host, &l->end, fault);
    if (!l->tls)
        return ST_RETRY;
    l->mosq = make_client(l, o, l->tls);
    tls_free(l->tls);
    if (!l->mosq)
        return fault_set(fault, ST_RETRY, "MQTT receiver: %m");
    rc = begin(l, host, port, o->keepalive_s);
    return rc == MOSQ_ERR_SUCCESS ? ST_OK : fault_set(fault, ST_RETRY, "%s", said(l, rc));
}

struct link *link_dial(const char *broker, const struct mqtt_options *options,
                       const struct link_heard *heard, int64_t now_ms, struct fault *fault)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const char *host = broker + strlen("mqtts://"), *colon = strrchr(broker, ':');
    char name[256];
    struct link *l = calloc(1, sizeof *l);

    pthread_once(&once, prepare);
    if (!l) {
        fault_set(fault, ST_RETRY, "MQTT receiver: %m");
        return NULL;
    }
    l->heard = *heard;
    l->since_ms = now_ms;
    l->end.gone = true;
    snprintf(name, sizeof name, "%.*s", (int)(colon - host), host);
    if (connect_to(l, name, (int)strtol(colon + 1, NULL, 10), options, fault) == ST_OK)
        return l;
    link_close(l);
    return NULL;
}

/* ---- at work */

/* While TLS shakes hands only what it says counts: CONNECT waits until that is over. */
static bool wants_write(struct link *l)
{
    void *ssl = mosquitto_ssl_get(l->mosq);

    if (!l->wired || tls_wants_write(ssl))
        return true;
    return tls_is_open(ssl) && (mosquitto_want_write(l->mosq) || !tls_is_flushed(ssl));
}

struct pollfd link_poll(struct link *l)
{
    return (struct pollfd){.fd = mosquitto_socket(l->mosq),
                           .events = (short)(POLLIN | (wants_write(l) ? POLLOUT : 0))};
}

int link_wait_ms(struct link *l)
{
    return l->phase == UP && tls_has_more(mosquitto_ssl_get(l->mosq)) ? 0 : KEEPALIVE_LOOK_MS;
}

static bool is_there(const struct link *l)
{
    return l->phase != OVER && mosquitto_socket(l->mosq) >= 0;
}

/* A host that lost its power says nothing, and MQTT would wait for two keep-alives.  A peer that is
 * only busy has a kernel that answers; so no TCP_USER_TIMEOUT, which ends a connection as well when
 * the peer takes nothing for as long. */
static void miss_a_dead_peer(int fd)
{
    const int on = 1, idle_s = 1, every_s = 1, probes = PROBES;

    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof every_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

/* What became of the TCP connection, once it can be written to.  The kernel tells an error only
 * once, and libmosquitto may have had it without a word: then there is just no peer. */
static int check_wire(struct link *l)
{
    struct sockaddr_storage peer;
    int error = 0, fd = mosquitto_socket(l->mosq);
    socklen_t len = sizeof error, peer_len = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0 &&
        getpeername(fd, (struct sockaddr *)&peer, &peer_len) != 0)
        error = ECONNREFUSED;
    if (error != 0) {
        note(l, strerror(error));
        return MOSQ_ERR_CONN_LOST;
    }
    miss_a_dead_peer(fd);
    l->wired = true;
    return MOSQ_ERR_SUCCESS;
}

void link_flush(struct link *l)
{
    if (is_there(l))
        tls_flush(mosquitto_ssl_get(l->mosq));
}

/* All that is there, so that the kernel is asked as seldom as can be. */
static int read_all(struct link *l)
{
    int rc = mosquitto_loop_read(l->mosq, 1);

    for (int i = 1; rc == MOSQ_ERR_SUCCESS && is_there(l) && i < STEP_PACKETS &&
                    tls_has_more(mosquitto_ssl_get(l->mosq));
         i++)
        rc = mosquitto_loop_read(l->mosq, 1);
    return rc;
}

/* libmosquitto 2.0.11 goes on with a handshake only when it is told to read, and takes one that the
 * kernel broke off for one that has not begun. */
static int shake_hands(struct link *l, short revents)
{
    int rc = read_all(l);

    if (rc == MOSQ_ERR_SUCCESS && is_there(l) && (revents & (POLLERR | POLLHUP)) &&
        !tls_is_open(mosquitto_ssl_get(l->mosq))) {
        note(l, l->end.error ? strerror(l->end.error) : "connection lost");
        rc = MOSQ_ERR_CONN_LOST;
    }
    return rc;
}

/* Reading, too, may have waited for room to write (a key update of TLS 1.3). */
static bool may_read(struct link *l, short revents)
{
    return (revents & (POLLIN | POLLERR | POLLHUP)) ||
           ((revents & POLLOUT) && tls_wants_write(mosquitto_ssl_get(l->mosq))) ||
           link_wait_ms(l) == 0;
}

static int work(struct link *l, short revents)
{
    int rc = MOSQ_ERR_SUCCESS;

    if (!l->wired && revents != 0)
        rc = check_wire(l);
    if (rc == MOSQ_ERR_SUCCESS && revents != 0 && !tls_is_open(mosquitto_ssl_get(l->mosq)))
        rc = shake_hands(l, revents);
    else if (rc == MOSQ_ERR_SUCCESS && may_read(l, revents))
        rc = read_all(l);
    if (rc == MOSQ_ERR_SUCCESS && is_there(l) && wants_write(l))
        rc = mosquitto_loop_write(l->mosq, 1);
    if (rc == MOSQ_ERR_SUCCESS && is_there(l))
        rc = mosquitto_loop_misc(l->mosq);
    if (rc == MOSQ_ERR_SUCCESS)
        link_flush(l);
    return rc;
}

bool link_step(struct link *l, short revents, int64_t now_ms, struct fault *fault)
{
    int rc = work(l, revents);

    if (rc == MOSQ_ERR_SUCCESS && is_there(l)) {
        if (l->phase == UP || now_ms - l->since_ms < CONNECT_MS)
            return true;
        note(l, "no answer");
    }
    l->phase = OVER;
    fault_set(fault, ST_RETRY, "%s",
              rc == MOSQ_ERR_SUCCESS && !l->reason[0] ? "connection lost" : said(l, rc));
    return false;
}

bool link_is_filter(const char *filter)
{
    size_t len = strlen(filter);

    return len > 0 && mosquitto_sub_topic_check2(filter, len) == MOSQ_ERR_SUCCESS &&
           mosquitto_validate_utf8(filter, (int)len) == MOSQ_ERR_SUCCESS;
}

bool link_is_topic(const char *topic)
{
    size_t len = strlen(topic);

    return len > 0 && mosquitto_pub_topic_check2(topic, len) == MOSQ_ERR_SUCCESS &&
           mosquitto_validate_utf8(topic, (int)len) == MOSQ_ERR_SUCCESS;
}

int link_subscribe(struct link *l, const char *filter, int qos)
{
    int id = 0;

    return mosquitto_subscribe_v5(l->mosq, &id, filter, qos, 0, NULL) == MOSQ_ERR_SUCCESS ? id : 0;
}

int link_unsubscribe(struct link *l, const char *filter)
{
    int id = 0;

    return mosquitto_unsubscribe_v5(l->mosq, &id, filter, NULL) == MOSQ_ERR_SUCCESS ? id : 0;
}

bool link_has_room(struct link *l)
{
    return l->phase == UP && is_there(l) && !mosquitto_want_write(l->mosq);
}

enum status link_publish(struct link *l, const struct mqtt_publish *p, int *packet_id)
{
    int rc = mosquitto_publish_v5(l->mosq, packet_id, p->topic, (int)p->len, p->payload, p->qos,
                                  p->retained, NULL);

    switch (rc) {
    case MOSQ_ERR_SUCCESS:
        return ST_OK;
    case MOSQ_ERR_OVERSIZE_PACKET:
    case MOSQ_ERR_PAYLOAD_SIZE:
    case MOSQ_ERR_INVAL:
    case MOSQ_ERR_MALFORMED_UTF8:
    case MOSQ_ERR_QOS_NOT_SUPPORTED:
        return ST_REJECT;
    default:
        return ST_RETRY;
    }
}

/* ---- the end */

static void wait_to_write(struct link *l, int *tries)
{
    struct pollfd out = {.fd = mosquitto_socket(l->mosq), .events = POLLOUT};

    poll(&out, 1, CLOSE_STEP_MS);
    --*tries;
}

/* libmosquitto closes the socket as soon as it has written its DISCONNECT, wherever to. */
static void say_goodbye(struct link *l)
{
    void *ssl = mosquitto_ssl_get(l->mosq);
    int tries = CLOSE_TRIES;

    for (tls_flush(ssl); tries > 0 && !tls_is_flushed(ssl); tls_flush(ssl))
        wait_to_write(l, &tries);
    tls_scatter(ssl);
    mosquitto_disconnect_v5(l->mosq, MQTT_RC_NORMAL_DISCONNECTION, NULL);
    while (tries > 0 && mosquitto_socket(l->mosq) >= 0) {
        wait_to_write(l, &tries);
        mosquitto_loop_write(l->mosq, 1);
    }
}

void link_close(struct link *l)
{
    if (!l)
        return;
    if (l->mosq && l->phase == UP && mosquitto_socket(l->mosq) >= 0)
        say_goodbye(l);
    mosquitto_destroy(l->mosq);
    if (!l->end.gone) /* without a socket it keeps the reference it took (2.0.12 on: always) */
        tls_free(l->tls);
    free(l);
}
