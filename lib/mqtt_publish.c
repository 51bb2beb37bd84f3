/* lib/mqtt_publish.c - messages out.  Paho gets a window of them at a time, the others wait here in
 * the order they came: an answer makes room for the next. */
#include "lib/mqtt_inside.h"

#include <stdlib.h>
#include <string.h>

#include "proto/columnar.h"

#define MESSAGE_OVERHEAD 64 /* what a message costs beside topic and payload */

/* ---- handing over */

static bool label(MQTTProperties *properties, const struct mqtt_publish *p)
{
    MQTTProperty type = {.identifier = MQTTPROPERTY_CODE_CONTENT_TYPE};
    MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL};

    type.value.data.data = (char *)COLUMNAR_CONTENT_TYPE;
    type.value.data.len = sizeof COLUMNAR_CONTENT_TYPE - 1;
    expiry.value.integer4 = (unsigned)p->expiry_s;
    return (!p->columnar || MQTTProperties_add(properties, &type) == 0) &&
           (p->expiry_s <= 0 || MQTTProperties_add(properties, &expiry) == 0);
}

/* From here on the errand is Paho's, unless this fails. */
static int hand_over(struct mqtt *m, const struct mqtt_publish *p, struct errand *e)
{
    MQTTAsync_responseOptions answer = MQTTAsync_responseOptions_initializer;
    int rc = MQTTASYNC_FAILURE;

    answer.onSuccess5 = mqtt_on_done;
    answer.onFailure5 = mqtt_on_failed;
    answer.context = e;
    if (label(&answer.properties, p))
        rc = MQTTAsync_send(m->client, p->topic, (int)p->len, p->payload ? p->payload : "", p->qos,
                            p->retained, &answer);
    MQTTProperties_free(&answer.properties);
    return rc;
}

/* Under lock: may a message go to Paho now?  If so the caller hands it over without the lock, and
 * everybody else's waits for that. */
static bool begin(struct mqtt *m, struct errand *e, int qos)
{
    if (m->handing || !atomic_load(&m->connected) || (qos > 0 && m->window >= MQTT_WINDOW))
        return false;
    m->handing = true;
    e->in_window = qos > 0;
    m->window += e->in_window;
    return true;
}

/* Under lock, after a message that Paho did not take. */
static void take_back(struct mqtt *m, struct errand *e)
{
    m->window -= e->in_window;
    e->in_window = false;
}

/* Under lock: the one that waited longest, if it may go. */
static struct waiting *next(struct mqtt *m)
{
    struct waiting *w = STAILQ_FIRST(&m->waiting);

    if (!w || !begin(m, w->errand, w->message.qos))
        return NULL;
    STAILQ_REMOVE_HEAD(&m->waiting, next);
    return w;
}

/* Who is refused because the connection just went stays first, for the next connection.  That may
 * have come about meanwhile, and its turn gone by because we were handing. */
void mqtt_hand_on(struct mqtt *m)
{
    struct waiting *w;
    size_t connections;
    int rc;

    pthread_mutex_lock(&m->lock);
    do {
        connections = m->connections;
        if (!(w = next(m)))
            break;
        pthread_mutex_unlock(&m->lock);
        rc = hand_over(m, &w->message, w->errand);
        if (rc == MQTTASYNC_SUCCESS)
            free(w);
        pthread_mutex_lock(&m->lock);
        m->handing = false;
        if (rc != MQTTASYNC_SUCCESS) {
            take_back(m, w->errand);
            STAILQ_INSERT_HEAD(&m->waiting, w, next);
        }
    } while (rc == MQTTASYNC_SUCCESS || connections != m->connections);
    pthread_mutex_unlock(&m->lock);
}

/* ---- answers */

/* Half a window at a time: Paho's sender wakes up for many rather than for each. */
static bool make_room(struct mqtt *m, const struct errand *e)
{
    bool go_on;

    if (!e->in_window)
        return false;
    pthread_mutex_lock(&m->lock);
    m->window--;
    go_on = m->window <= MQTT_WINDOW / 2 && !STAILQ_EMPTY(&m->waiting);
    pthread_mutex_unlock(&m->lock);
    return go_on;
}

void mqtt_settle(struct errand *e)
{
    struct mqtt *m = e->m;

    if (make_room(m, e))
        mqtt_hand_on(m);
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

void mqtt_forget_waiting(struct mqtt *m)
{
    struct waiting *w;

    while ((w = STAILQ_FIRST(&m->waiting)) != NULL) {
        STAILQ_REMOVE_HEAD(&m->waiting, next);
        mqtt_settle(w->errand);
        free(w);
    }
}

/* ---- publishing */

/* Well-formed, as RFC 3629 has it: what waits is not looked at by Paho before its turn. */
static bool is_utf8(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;

    while (*c) {
        unsigned more = *c < 0x80 ? 0 : *c < 0xe0 ? 1 : *c < 0xf0 ? 2 : 3, low = 0x80, high = 0xbf;

        if (more && (*c < 0xc2 || *c > 0xf4))
            return false;
        if (*c == 0xe0)
            low = 0xa0;
        else if (*c == 0xf0)
            low = 0x90;
        else if (*c == 0xed)
            high = 0x9f; /* no surrogates */
        else if (*c == 0xf4)
            high = 0x8f;
        for (c++; more > 0; more--, c++, low = 0x80, high = 0xbf)
            if (*c < low || *c > high)
                return false;
    }
    return true;
}

static enum status check(const struct mqtt_publish *p, struct fault *fault)
{
    if (!*p->topic || strpbrk(p->topic, "+#") || !is_utf8(p->topic)) /* a broker would hang up */
        return fault_set(fault, ST_REJECT, "\"%s\" is not a topic", p->topic);
    if (p->qos < 0 || p->qos > 2)
        return fault_set(fault, ST_REJECT, "publish to %s: QoS %d", p->topic, p->qos);
    if (p->len > MQTT_UNSENT_BYTES_MAX / 2)
        return fault_set(fault, ST_REJECT, "publish to %s: %zu bytes", p->topic, p->len);
    return ST_OK;
}

/* Count a message in before it is handed over, so that two threads cannot both take the last room.
 */
static bool reserve(struct mqtt *m, size_t bytes)
{
    size_t held = atomic_fetch_add(&m->unsent_bytes, bytes) + bytes;
    size_t messages = atomic_fetch_add(&m->unsent_messages, 1) + 1;

    return held <= MQTT_UNSENT_BYTES_MAX && messages <= MQTT_UNSENT_MESSAGES_MAX;
}

/* Nobody waits and there is room: without a copy of ours.  False: nothing was done. */
static bool send_now(struct mqtt *m, const struct mqtt_publish *p, struct errand *e, int *rc)
{
    bool mine, others;

    pthread_mutex_lock(&m->lock);
    mine = STAILQ_EMPTY(&m->waiting) && begin(m, e, p->qos);
    pthread_mutex_unlock(&m->lock);
    if (!mine)
        return false;
    *rc = hand_over(m, p, e);
    pthread_mutex_lock(&m->lock);
    m->handing = false;
    if (*rc != MQTTASYNC_SUCCESS)
        take_back(m, e);
    others = !STAILQ_EMPTY(&m->waiting);
    pthread_mutex_unlock(&m->lock);
    if (others)
        mqtt_hand_on(m);
    return true;
}

static bool wait_in_line(struct mqtt *m, const struct mqtt_publish *p, struct errand *e)
{
    struct waiting *w = malloc(sizeof *w + p->len);

    if (!w)
        return false;
    w->errand = e;
    w->message = *p;
    w->message.topic = e->what;
    w->message.payload = w->payload;
    if (p->len > 0)
        memcpy(w->payload, p->payload, p->len);
    pthread_mutex_lock(&m->lock);
    STAILQ_INSERT_TAIL(&m->waiting, w, next);
    pthread_mutex_unlock(&m->lock);
    mqtt_hand_on(m);
    return true;
}

enum status mqtt_publish(struct mqtt *m, const struct mqtt_publish *p, struct fault *fault)
{
    struct errand *e;
    int rc = MQTTASYNC_SUCCESS;
    enum status st;

    if (!atomic_load(&m->connected))
        return fault_set(fault, ST_RETRY, "not connected");
    if ((st = check(p, fault)) != ST_OK)
        return st;
    e = mqtt_make_errand(m, p->topic, strlen(p->topic) + p->len + MESSAGE_OVERHEAD);
    if (!e)
        return fault_set(fault, ST_RETRY, "MQTT client: out of memory");
    if (!reserve(m, e->bytes)) {
        mqtt_settle(e);
        return fault_set(fault, ST_RETRY, "too much is still unsent");
    }
    if (!send_now(m, p, e, &rc) && !wait_in_line(m, p, e))
        rc = MQTTASYNC_FAILURE;
    if (rc == MQTTASYNC_SUCCESS)
        return ST_OK;
    mqtt_settle(e);
    return fault_set(fault, ST_RETRY, "publish to %s: %s", p->topic, MQTTAsync_strerror(rc));
}

bool mqtt_is_connected(struct mqtt *m)
{
    return atomic_load(&m->connected);
}

size_t mqtt_unsent_bytes(struct mqtt *m)
{
    return atomic_load(&m->unsent_bytes);
}
