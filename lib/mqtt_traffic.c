/* lib/mqtt_traffic.c - answers, subscriptions and what arrives; messages out: mqtt_publish.c. */
#include "lib/mqtt_inside.h"

#include <stdlib.h>
#include <string.h>

#include "proto/columnar.h"

#define FILTER_MAX 256 /* bytes of a filter, terminator included */

/* ---- answers to what was sent; all on Paho's side, one at a time */

void mqtt_on_done(void *self, MQTTAsync_successData5 *answer)
{
    (void)answer;
    mqtt_settle(self);
}

void mqtt_on_failed(void *self, MQTTAsync_failureData5 *answer)
{
    struct errand *e = self;
    int reason = answer ? (int)answer->reasonCode : 0;

    /* reason under 128: not an answer of the broker, the connection went */
    if (reason >= MQTTREASONCODE_UNSPECIFIED_ERROR && e->m->options.on_refused)
        e->m->options.on_refused(e->m->options.self, reason, e->what);
    mqtt_settle(e);
}

struct errand *mqtt_make_errand(struct mqtt *m, const char *what, size_t bytes)
{
    size_t len = strlen(what);
    struct errand *e = malloc(sizeof *e + len + 1);

    if (!e)
        return NULL;
    e->m = m;
    e->bytes = bytes;
    e->in_window = false;
    memcpy(e->what, what, len + 1);
    return e;
}

/* ---- subscriptions */

static int ask_for(struct mqtt *m, const char *filter, int qos)
{
    MQTTAsync_responseOptions answer = MQTTAsync_responseOptions_initializer;
    struct errand *e = mqtt_make_errand(m, filter, 0);
    int rc;

    if (!e)
        return MQTTASYNC_FAILURE;
    answer.onSuccess5 = mqtt_on_done;
    answer.onFailure5 = mqtt_on_failed;
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

    return type && type->value.data.len == sizeof COLUMNAR_CONTENT_TYPE - 1 &&
           memcmp(type->value.data.data, COLUMNAR_CONTENT_TYPE, sizeof COLUMNAR_CONTENT_TYPE - 1) ==
               0;
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
