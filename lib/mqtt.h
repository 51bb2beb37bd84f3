/* lib/mqtt.h - MQTT 5 client over TLS with a client certificate (Paho MQTTAsync).  OASIS MQTT 5.0.
 * Connects and reconnects by itself over an ordered list of brokers, 0.25 .. 8 s with jitter, clean start; subscribes
 * again after each connect.  Callbacks run on Paho's only thread: copy and return, never block. */
#ifndef LIB_MQTT_H
#define LIB_MQTT_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/status.h"

struct mqtt;

struct mqtt_message {
    const char *topic; /* not terminated */
    size_t topic_len;
    const char *payload;
    size_t len;
    int qos;
    bool retained;
    bool columnar; /* content type application/vnd.vigie.columnar */
};

struct mqtt_options {
    const char *brokers;   /* "mqtts://host:port,mqtts://..."; mqtt:// without TLS is refused */
    const char *client_id;
    const char *ca, *cert, *key; /* files */
    int keepalive_s;             /* 0: 30 */
    const char *will_topic;      /* NULL: none; retained, QoS 1 */
    const char *will_payload;
    size_t will_len;
    void (*on_message)(void *self, const struct mqtt_message *message); /* may be NULL */
    /* connected: true after CONNACK (subscriptions are asked for right after), false when the connection was lost */
    void (*on_connection)(void *self, bool connected, const char *broker, const char *reason);
    /* the broker's answer to a QoS 1 publish or a subscribe that it refused: MQTT 5 reason, e.g. 135, 149 */
    void (*on_refused)(void *self, int reason, const char *what);
    void *self;
};

/* Options are copied.  Starts connecting in the background. ST_REJECT: bad list or files. */
enum status mqtt_open(struct mqtt **out, const struct mqtt_options *options, struct fault *fault) MUST_CHECK;

/* Remember a subscription and ask for it now if connected.  ST_RETRY: not connected (asked for after connect). */
enum status mqtt_subscribe(struct mqtt *m, const char *filter, int qos, struct fault *fault) MUST_CHECK;
enum status mqtt_unsubscribe(struct mqtt *m, const char *filter, struct fault *fault) MUST_CHECK;

struct mqtt_publish {
    const char *topic;
    const void *payload;
    size_t len;
    int qos;
    bool retained;
    bool columnar;     /* label it with the content type */
    int expiry_s;      /* message expiry, 0 none */
};

/* Hand a message to the client; copied.  ST_RETRY: not connected, or more than 4 MiB / 2000 messages are still
 * unsent (nothing is kept: try later).  Any thread. */
enum status mqtt_publish(struct mqtt *m, const struct mqtt_publish *p, struct fault *fault) MUST_CHECK;

bool mqtt_is_connected(struct mqtt *m);
size_t mqtt_unsent_bytes(struct mqtt *m); /* handed over, not yet written or acknowledged by the broker */

/* Publish the optional last words, disconnect in an orderly way within 2 s, free.  NULL is fine. */
void mqtt_close(struct mqtt *m);

#endif
