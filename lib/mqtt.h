/* lib/mqtt.h - MQTT 5 client over TLS with a client certificate (Paho MQTTAsync).  OASIS MQTT 5.0.
 * Connects and reconnects by itself over an ordered list of brokers (lib/brokers), 0.25 .. 8 s with
 * jitter, clean start; subscribes again after each connect.  A peer that falls silent is noticed
 * after at most 2.5 keep-alives.  TLS 1.2 or newer, the broker's chain and name are verified.
 * Callbacks come one at a time, from Paho's threads and maybe before mqtt_open has returned, and
 * hold up every MQTT client of the process: copy and return, never block.  They may publish and
 * subscribe. */
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

/* Suites of TLS 1.2 with forward secrecy; none older knows them, and those of TLS 1.3 are not
 * touched by this. */
#define MQTT_TLS_SUITES "ECDHE+AESGCM:ECDHE+CHACHA20"

struct mqtt_options {
    const char *brokers; /* "mqtts://host:port,mqtts://..."; at most 16; mqtt:// without TLS is
                          * refused.  A host is a name or an IPv4 address: Paho 1.3.12 cannot verify
                          * an IPv6 one, and so never connects */
    const char *client_id;
    const char *ca, *cert, *key; /* files */
    int keepalive_s;             /* 0: 30 */
    const char *will_topic;      /* NULL: none; retained, QoS 1 */
    const char *will_payload;
    size_t will_len;
    void (*on_message)(void *self, const struct mqtt_message *message); /* may be NULL */
    /* connected: true after CONNACK (subscriptions are asked for right after), false when the
     * connection was lost and when a try to connect failed (not for each try: once per broker and
     * reason); `reason` is "" or one line */
    void (*on_connection)(void *self, bool connected, const char *broker, const char *reason);
    /* the broker's answer to a QoS 1 publish or a subscribe that it refused: MQTT 5 reason, e.g.
     * 135, 149 */
    void (*on_refused)(void *self, int reason, const char *what);
    /* mqtt_reload was asked for with files that cannot be used: the connection is kept; may be NULL
     */
    void (*on_kept)(void *self, const char *reason);
    void *self;
};

/* Check and copy them, texts and will included, but the brokers: those are for lib/brokers.
 * ST_REJECT: no client id, a file is missing or not readable, too long a will; ST_FATAL: out of
 * memory.  mqtt_options_free after either. */
enum status mqtt_options_copy(struct mqtt_options *to, const struct mqtt_options *from,
                              struct fault *fault) MUST_CHECK;
void mqtt_options_free(struct mqtt_options *o);
/* Could a connection be made with the files as they are now?  ST_RETRY: `fault` names the one that
 * is wrong. */
enum status mqtt_check_files(const struct mqtt_options *o, struct fault *fault) MUST_CHECK;

/* Options are copied; the files are read again at each connect, so a renewed certificate needs no
 * restart. Starts connecting in the background.  ST_REJECT: bad list, a file is missing or not
 * readable. */
enum status mqtt_open(struct mqtt **out, const struct mqtt_options *options,
                      struct fault *fault) MUST_CHECK;

/* Remember a subscription and ask for it now if connected.  ST_RETRY: not connected (asked for
 * after connect). ST_REJECT: a filter of over 255 bytes or not UTF-8. */
enum status mqtt_subscribe(struct mqtt *m, const char *filter, int qos,
                           struct fault *fault) MUST_CHECK;
/* Forget it; one that is not there is fine. */
enum status mqtt_unsubscribe(struct mqtt *m, const char *filter, struct fault *fault) MUST_CHECK;

struct mqtt_publish {
    const char *topic;
    const void *payload;
    size_t len;
    int qos;
    bool retained;
    bool columnar; /* label it with the content type */
    int expiry_s;  /* message expiry, 0 none */
};

/* Hand a message to the client; copied.  ST_RETRY: not connected, or more than 4 MiB / 2000
 * messages are still unsent (nothing is kept: try later).  ST_REJECT: not a topic, over 2 MiB.  Any
 * thread. ST_OK promises nothing: when the connection is lost, what was taken but not yet written
 * goes out after the next connect, and what was written but not answered is forgotten. */
enum status mqtt_publish(struct mqtt *m, const struct mqtt_publish *p,
                         struct fault *fault) MUST_CHECK;

/* Connect anew, so that a renewed certificate is used; what is unsent goes out first, for at most
 * half a second.  With files that cannot be used what works is kept (on_kept).  Any thread; returns
 * at once. */
void mqtt_reload(struct mqtt *m);

bool mqtt_is_connected(struct mqtt *m);
size_t
mqtt_unsent_bytes(struct mqtt *m); /* handed over, not yet written or acknowledged by the broker */

/* Let what was handed over go out, disconnect in an orderly way within 2 s, free.  The will is not
 * sent then: who has one publishes its last words before.  No callback comes after it has returned.
 * NULL is fine. */
void mqtt_close(struct mqtt *m);

#endif
