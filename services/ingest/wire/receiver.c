/* services/ingest/wire/receiver.c - the filters that a connection asks for. */
#include "receiver.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "connection.h"

#define FILTER_BYTES_MAX 255
#define NAP_NS 2000000 /* 2 ms */

enum wish { WANTED, ASKED, UNWANTED };

struct filter {
    struct filter *next;
    enum wish wish;
    int qos;
    int packet_id; /* of the SUBSCRIBE under way */
    char text[];
};

struct receiver {
    struct connection *connection;
    void (*on_refused)(void *self, int reason, const char *what);
    void *self;
    atomic_bool changed; /* a wish is new */
    pthread_mutex_t lock;
    struct filter *filters; /* under lock */
};

/* ---- filters; the connection's thread asks for them, since a link is its own */

static struct filter **find(struct receiver *r, const char *text)
{
    struct filter **f = &r->filters;

    while (*f && strcmp((*f)->text, text) != 0)
        f = &(*f)->next;
    return f;
}

static struct filter *add(struct receiver *r, const char *text)
{
    size_t len = strlen(text);
    struct filter *f = calloc(1, sizeof *f + len + 1);

    if (!f)
        return NULL;
    memcpy(f->text, text, len + 1);
    f->next = r->filters;
    return r->filters = f;
}

enum status receiver_subscribe(struct receiver *r, const char *filter, int qos, struct fault *fault)
{
    struct filter *f;
    size_t len = strlen(filter);

    if (len == 0 || len > FILTER_BYTES_MAX || qos < 0 || qos > 2 || !link_is_filter(filter))
        return fault_set(fault, ST_REJECT, "\"%s\", QoS %d: not a filter", filter, qos);
    pthread_mutex_lock(&r->lock);
    f = *find(r, filter);
    if (!f)
        f = add(r, filter);
    if (f) {
        f->qos = qos;
        f->wish = WANTED;
    }
    pthread_mutex_unlock(&r->lock);
    if (!f)
        return fault_set(fault, ST_FATAL, "MQTT receiver: out of memory");
    atomic_store(&r->changed, true);
    connection_wake(r->connection);
    return ST_OK;
}

void receiver_unsubscribe(struct receiver *r, const char *filter)
{
    struct filter *f;

    pthread_mutex_lock(&r->lock);
    f = *find(r, filter);
    if (f)
        f->wish = UNWANTED;
    pthread_mutex_unlock(&r->lock);
    atomic_store(&r->changed, true);
    connection_wake(r->connection);
}

/* A wish as it was when it was looked at: the lock is not held while the link is called. */
struct due {
    enum wish wish;
    int qos;
    char text[FILTER_BYTES_MAX + 1];
};

static bool next_due(struct receiver *r, struct due *due)
{
    struct filter *f;

    pthread_mutex_lock(&r->lock);
    for (f = r->filters; f && f->wish == ASKED; f = f->next)
        ;
    if (f) {
        due->wish = f->wish;
        due->qos = f->qos;
        memcpy(due->text, f->text, strlen(f->text) + 1);
    }
    pthread_mutex_unlock(&r->lock);
    return f != NULL;
}

static void note_asked(struct receiver *r, const struct due *due, int packet_id)
{
    struct filter **at, *f;

    pthread_mutex_lock(&r->lock);
    at = find(r, due->text);
    f = *at;
    if (f && f->wish == due->wish && f->qos == due->qos) {
        if (f->wish == WANTED) {
            f->packet_id = packet_id;
            f->wish = ASKED;
        } else {
            *at = f->next;
            free(f);
        }
    }
    pthread_mutex_unlock(&r->lock);
}

/* What is asked for on a connection that ends meanwhile is asked for again on the next. */
static void ask(struct receiver *r, struct link *link)
{
    struct due due;
    int packet_id;

    while (next_due(r, &due)) {
        packet_id = due.wish == WANTED ? link_subscribe(link, due.text, due.qos)
                                       : link_unsubscribe(link, due.text);
        if (packet_id == 0) { /* no memory, or the link is about to end */
            atomic_store(&r->changed, true);
            return;
        }
        note_asked(r, &due, packet_id);
    }
}

static void want_all_again(struct receiver *r)
{
    pthread_mutex_lock(&r->lock);
    for (struct filter *f = r->filters; f; f = f->next)
        if (f->wish == ASKED)
            f->wish = WANTED;
    pthread_mutex_unlock(&r->lock);
}

/* ---- what the connection tells; its thread */

/* Cars go on speaking: what comes within a moment is taken with one waking. */
static void nap(struct link *link)
{
    if (link_wait_ms(link) > 0)
        nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
}

static void step(void *self, struct link *link, bool is_new)
{
    struct receiver *r = self;

    if (is_new)
        want_all_again(r);
    if (atomic_exchange(&r->changed, false) || is_new)
        ask(r, link);
    else
        nap(link);
}

static void on_answer(void *self, int packet_id, int reason)
{
    struct receiver *r = self;
    char what[FILTER_BYTES_MAX + 1] = "";

    if (reason < 128 || !r->on_refused)
        return;
    pthread_mutex_lock(&r->lock);
    for (struct filter *f = r->filters; f; f = f->next)
        if (f->packet_id == packet_id)
            memcpy(what, f->text, strlen(f->text) + 1);
    pthread_mutex_unlock(&r->lock);
    r->on_refused(r->self, reason, what);
}

/* ---- opening and closing */

static void release(struct receiver *r)
{
    struct filter *f;

    while ((f = r->filters) != NULL) {
        r->filters = f->next;
        free(f);
    }
    pthread_mutex_destroy(&r->lock);
    free(r);
}

enum status receiver_open(struct receiver **out, const struct mqtt_options *options,
                          struct fault *fault)
{
    struct receiver *r = calloc(1, sizeof *r);
    const struct connection_work work = {.step = step, .on_answer = on_answer, .self = r};
    enum status st;

    if (!r)
        return fault_set(fault, ST_FATAL, "MQTT receiver: out of memory");
    r->on_refused = options->on_refused;
    r->self = options->self;
    pthread_mutex_init(&r->lock, NULL);
    st = connection_open(&r->connection, options, &work, fault);
    if (st != ST_OK) {
        release(r);
        return st;
    }
    *out = r;
    return ST_OK;
}

void receiver_reload(struct receiver *r)
{
    connection_reload(r->connection);
}

void receiver_rest(struct receiver *r, bool rest)
{
    connection_rest(r->connection, rest);
}

bool receiver_is_connected(const struct receiver *r)
{
    return connection_is_connected(r->connection);
}

void receiver_close(struct receiver *r)
{
    if (!r)
        return;
    connection_close(r->connection);
    release(r);
}
