/* lib/mqtt_traffic.c - messages and subscriptions: handed to Paho, counted until they are answered.
 */
#include "lib/mqtt_inside.h"

#include <stdlib.h>
#include <string.h>

#define FILTER_MAX 256      /* bytes of a filter, terminator included */
#define MESSAGE_OVERHEAD 64 /* what a message costs beside topic and payload */

/* What a message or a subscription under way needs when its answer comes. */
struct errand {
    struct mqtt *m;
    size_t bytes; /* 0: a subscription */
    char what[];
};

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

void mqtt_ask_for_all(struct mqtt *m)
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

/* False when it was not there. */
static bool forget(struct mqtt *m, const char *text)
{
    bool known = false;

    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->filter_room; i++)
        if (m->filters[i].text && strcmp(m->filters[i].text, text) == 0) {
            free(m->filters[i].text);
            m->filters[i].text = NULL;
            known = true;
        }
    pthread_mutex_unlock(&m->lock);
    return known;
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
    if (rc == MQTTASYNC_BAD_UTF8_STRING) {
        forget(m, filter);
        return fault_set(fault, ST_REJECT, "filter %s: not UTF-8", filter);
    }
    return fault_set(fault, ST_RETRY, "subscribe to %s: %s", filter, MQTTAsync_strerror(rc));
}

enum status mqtt_unsubscribe(struct mqtt *m, const char *filter, struct fault *fault)
{
    int rc;

    /* a clean start brings no subscription along: nothing to take back when not connected */
    if (!forget(m, filter) || !atomic_load(&m->connected))
        return ST_OK;
    rc = MQTTAsync_unsubscribe(m->client, filter, NULL);
    if (rc == MQTTASYNC_SUCCESS || rc == MQTTASYNC_DISCONNECTED)
        return ST_OK;
    return fault_set(fault, ST_RETRY, "unsubscribe from %s: %s", filter, MQTTAsync_strerror(rc));
}

/* ---- arrivals */

static bool is_columnar(const MQTTAsync_message *in)
{
    MQTTProperties *properties = (MQTTProperties *)&in->properties;
    const MQTTProperty *type =
        MQTTProperties_getProperty(properties, MQTTPROPERTY_CODE_CONTENT_TYPE);

    return type && type->value.data.len == sizeof MQTT_COLUMNAR - 1 &&
           memcmp(type->value.data.data, MQTT_COLUMNAR, sizeof MQTT_COLUMNAR - 1) == 0;
}

int mqtt_on_arrived(void *self, char *topic, int topic_len, MQTTAsync_message *in)
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

/* ---- publishing */

static bool label(MQTTProperties *properties, const struct mqtt_publish *p)
{
    MQTTProperty type = {.identifier = MQTTPROPERTY_CODE_CONTENT_TYPE};
    MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL};

    type.value.data.data = (char *)MQTT_COLUMNAR;
    type.value.data.len = sizeof MQTT_COLUMNAR - 1;
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

    return held <= MQTT_UNSENT_BYTES_MAX && messages <= MQTT_UNSENT_MESSAGES_MAX;
}

static enum status refuse(const char *topic, int rc, struct fault *fault)
{
    enum status st = ST_RETRY;

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
    if (!*p->topic || strpbrk(p->topic, "+#")) /* a broker would hang up for it */
        return fault_set(fault, ST_REJECT, "\"%s\" is not a topic", p->topic);
    if (p->len > MQTT_UNSENT_BYTES_MAX / 2)
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
    return refuse(p->topic, rc, fault);
}

bool mqtt_is_connected(struct mqtt *m)
{
    return atomic_load(&m->connected);
}

size_t mqtt_unsent_bytes(struct mqtt *m)
{
    return atomic_load(&m->unsent_bytes);
}
