/* tests/unit/lib/heard.h - an MQTT client for tests, and what it told us. */
#ifndef TESTS_UNIT_LIB_HEARD_H
#define TESTS_UNIT_LIB_HEARD_H

#include "tests/unit/served.h"

#include <pthread.h>
#include <stdatomic.h>

#include "lib/mqtt.h"

/* What a client told us; written on its thread. */
struct heard {
    pthread_mutex_t lock;
    atomic_int ups, downs, kept, messages, columnar, refusals, last_refusal;
    atomic_size_t last_len;
    char reason[256], refused_what[128], last_topic[128], last_payload[128];
    bool last_retained;
};

static inline void keep(char *to, size_t size, const char *from, size_t len)
{
    if (len >= size)
        len = size - 1;
    memcpy(to, from, len);
    to[len] = '\0';
}

static inline void hear_message(void *self, const struct mqtt_message *m)
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

static inline void hear_connection(void *self, bool connected, const char *broker,
                                   const char *reason)
{
    struct heard *h = self;

    (void)broker;
    pthread_mutex_lock(&h->lock);
    keep(h->reason, sizeof h->reason, reason, strlen(reason));
    pthread_mutex_unlock(&h->lock);
    atomic_fetch_add(connected ? &h->ups : &h->downs, 1);
}

static inline void hear_kept(void *self, const char *reason)
{
    struct heard *h = self;

    pthread_mutex_lock(&h->lock);
    keep(h->reason, sizeof h->reason, reason, strlen(reason));
    pthread_mutex_unlock(&h->lock);
    atomic_fetch_add(&h->kept, 1);
}

static inline void hear_refusal(void *self, int reason, const char *what)
{
    struct heard *h = self;

    pthread_mutex_lock(&h->lock);
    keep(h->refused_what, sizeof h->refused_what, what, strlen(what));
    pthread_mutex_unlock(&h->lock);
    h->last_refusal = reason;
    atomic_fetch_add(&h->refusals, 1);
}

static inline bool says(struct heard *h, const char *field, const char *what)
{
    bool found;

    pthread_mutex_lock(&h->lock);
    found = strstr(field, what) != NULL;
    pthread_mutex_unlock(&h->lock);
    return found;
}

static inline struct mqtt_options options_for(struct heard *h, const char *id)
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
                                 .on_kept = hear_kept,
                                 .self = h};
}

static inline struct mqtt *open_with(const struct mqtt_options *o)
{
    struct fault fault = {""};
    struct mqtt *m = NULL;

    if (mqtt_open(&m, o, &fault) != ST_OK)
        fail_msg("mqtt_open: %s", fault.text);
    return m;
}

static inline struct mqtt *open_connected(struct heard *h, const char *id)
{
    const struct mqtt_options o = options_for(h, id);
    struct mqtt *m = open_with(&o);

    WAIT_FOR(mqtt_is_connected(m));
    return m;
}

static inline enum status send_text(struct mqtt *m, const char *topic, const char *payload, int qos)
{
    const struct mqtt_publish p = {
        .topic = topic, .payload = payload, .len = strlen(payload), .qos = qos};

    return mqtt_publish(m, &p, NULL);
}

#endif
