/* services/ingest/wire/speaker.c - messages wait here, and go to the link so many at a time. */
#include "speaker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "connection.h"

#define UNSENT_BYTES_MAX (4U << 20)
#define UNSENT_MESSAGES_MAX 2000
#define MESSAGE_BYTES_MAX (UNSENT_BYTES_MAX / 2)
#define OVERHEAD 64    /* what a message costs beside topic and payload */
#define UNANSWERED 100 /* libmosquitto looks through all of them for each */
#define GATHER_NS 500000
#define PACKET_TOO_LARGE 149

struct message {
    STAILQ_ENTRY(message) next;
    struct mqtt_publish as; /* its texts are behind it */
    int packet_id;
    size_t bytes;
    char text[];
};

STAILQ_HEAD(messages, message);

struct speaker {
    struct connection *connection;
    void (*on_refused)(void *self, int reason, const char *what);
    void *self;
    atomic_size_t unsent_bytes, unsent;
    struct messages unanswered; /* the thread's: at the link, QoS 1 */
    int unanswered_n;
    pthread_mutex_t lock;
    struct messages waiting; /* under lock */
};

static void settle(struct speaker *s, struct message *m)
{
    atomic_fetch_sub(&s->unsent_bytes, m->bytes);
    atomic_fetch_sub(&s->unsent, 1);
    free(m);
}

static void refuse(struct speaker *s, const struct message *m, int reason)
{
    if (s->on_refused)
        s->on_refused(s->self, reason, m->as.topic);
}

/* ---- the connection's thread */

static bool is_quiet(struct speaker *s)
{
    bool quiet;

    pthread_mutex_lock(&s->lock);
    quiet = STAILQ_EMPTY(&s->waiting);
    pthread_mutex_unlock(&s->lock);
    return quiet;
}

/* The one that waited longest, if it may go. */
static struct message *next(struct speaker *s)
{
    struct message *m;

    pthread_mutex_lock(&s->lock);
    m = STAILQ_FIRST(&s->waiting);
    if (m && m->as.qos > 0 && s->unanswered_n >= UNANSWERED)
        m = NULL;
    if (m)
        STAILQ_REMOVE_HEAD(&s->waiting, next);
    pthread_mutex_unlock(&s->lock);
    return m;
}

static void put_back(struct speaker *s, struct message *m)
{
    pthread_mutex_lock(&s->lock);
    STAILQ_INSERT_HEAD(&s->waiting, m, next);
    pthread_mutex_unlock(&s->lock);
}

/* Is the link ready for more? */
static bool hand_over(struct speaker *s, struct link *link, struct message *m)
{
    switch (link_publish(link, &m->as, &m->packet_id)) {
    case ST_OK:
        if (m->as.qos == 0) {
            settle(s, m);
            return true;
        }
        STAILQ_INSERT_TAIL(&s->unanswered, m, next);
        s->unanswered_n++;
        return true;
    case ST_REJECT:
        refuse(s, m, PACKET_TOO_LARGE); /* what else it might be was looked at before */
        settle(s, m);
        return true;
    default:
        put_back(s, m);
        return false;
    }
}

static void forget_unanswered(struct speaker *s)
{
    struct message *m;

    while ((m = STAILQ_FIRST(&s->unanswered)) != NULL) {
        STAILQ_REMOVE_HEAD(&s->unanswered, next);
        settle(s, m);
    }
    s->unanswered_n = 0;
}

/* Who says something has more to say: a moment later all of it goes out together. */
static void step(void *self, struct link *link, bool is_new)
{
    struct speaker *s = self;
    struct message *m;

    if (is_new)
        forget_unanswered(s);
    if (is_quiet(s))
        return;
    if (s->unanswered_n == 0)
        nanosleep(&(struct timespec){.tv_nsec = GATHER_NS}, NULL);
    while (link_has_room(link) && (m = next(s)) != NULL)
        if (!hand_over(s, link, m))
            return;
}

static void on_answer(void *self, int packet_id, int reason)
{
    struct speaker *s = self;
    struct message *m;

    STAILQ_FOREACH(m, &s->unanswered, next)
    {
        if (m->packet_id == packet_id)
            break;
    }
    if (!m) /* of QoS 0 */
        return;
    STAILQ_REMOVE(&s->unanswered, m, message, next);
    s->unanswered_n--;
    if (reason >= 128)
        refuse(s, m, reason);
    settle(s, m);
}

static bool is_busy(void *self)
{
    struct speaker *s = self;

    return atomic_load(&s->unsent) > 0;
}

/* ---- saying */

static enum status check(const struct mqtt_publish *p, struct fault *fault)
{
    if (!link_is_topic(p->topic)) /* a broker would hang up */
        return fault_set(fault, ST_REJECT, "\"%s\" is not a topic", p->topic);
    if (p->qos < 0 || p->qos > 1)
        return fault_set(fault, ST_REJECT, "publish to %s: QoS %d", p->topic, p->qos);
    if (p->columnar || p->expiry_s > 0)
        return fault_set(fault, ST_REJECT, "publish to %s: with a label or an expiry", p->topic);
    if (p->len > MESSAGE_BYTES_MAX)
        return fault_set(fault, ST_REJECT, "publish to %s: %zu bytes", p->topic, p->len);
    return ST_OK;
}

static struct message *copy(const struct mqtt_publish *p)
{
    size_t topic_len = strlen(p->topic) + 1;
    struct message *m = malloc(sizeof *m + topic_len + p->len);

    if (!m)
        return NULL;
    m->as = *p;
    m->bytes = topic_len + p->len + OVERHEAD;
    m->as.topic = memcpy(m->text, p->topic, topic_len);
    m->as.payload = m->text + topic_len;
    if (p->len > 0)
        memcpy(m->text + topic_len, p->payload, p->len);
    return m;
}

/* Counted before it waits, so that two threads cannot both take the last room. */
static bool reserve(struct speaker *s, const struct message *m)
{
    size_t bytes = atomic_fetch_add(&s->unsent_bytes, m->bytes) + m->bytes;
    size_t messages = atomic_fetch_add(&s->unsent, 1) + 1;

    return bytes <= UNSENT_BYTES_MAX && messages <= UNSENT_MESSAGES_MAX;
}

enum status speaker_publish(struct speaker *s, const struct mqtt_publish *p, struct fault *fault)
{
    enum status st;
    struct message *m;
    bool first;

    if (!connection_is_connected(s->connection))
        return fault_set(fault, ST_RETRY, "not connected");
    if ((st = check(p, fault)) != ST_OK)
        return st;
    if (!(m = copy(p)))
        return fault_set(fault, ST_RETRY, "MQTT speaker: out of memory");
    if (!reserve(s, m)) {
        settle(s, m);
        return fault_set(fault, ST_RETRY, "too much is still unsent");
    }
    pthread_mutex_lock(&s->lock);
    first = STAILQ_EMPTY(&s->waiting);
    STAILQ_INSERT_TAIL(&s->waiting, m, next);
    pthread_mutex_unlock(&s->lock);
    if (first)
        connection_wake(s->connection);
    return ST_OK;
}

/* ---- opening and closing */

static void release(struct speaker *s)
{
    struct message *m;

    forget_unanswered(s);
    while ((m = STAILQ_FIRST(&s->waiting)) != NULL) {
        STAILQ_REMOVE_HEAD(&s->waiting, next);
        settle(s, m);
    }
    pthread_mutex_destroy(&s->lock);
    free(s);
}

enum status speaker_open(struct speaker **out, const struct mqtt_options *options,
                         struct fault *fault)
{
    struct speaker *s = calloc(1, sizeof *s);
    const struct connection_work work = {step, on_answer, is_busy, s};
    enum status st;

    if (!s)
        return fault_set(fault, ST_FATAL, "MQTT speaker: out of memory");
    s->on_refused = options->on_refused;
    s->self = options->self;
    STAILQ_INIT(&s->unanswered);
    STAILQ_INIT(&s->waiting);
    pthread_mutex_init(&s->lock, NULL);
    st = connection_open(&s->connection, options, &work, fault);
    if (st != ST_OK) {
        release(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

void speaker_reload(struct speaker *s)
{
    connection_reload(s->connection);
}

void speaker_rest(struct speaker *s, bool rest)
{
    connection_rest(s->connection, rest);
}

bool speaker_is_connected(const struct speaker *s)
{
    return connection_is_connected(s->connection);
}

void speaker_close(struct speaker *s)
{
    if (!s)
        return;
    connection_close(s->connection);
    release(s);
}
