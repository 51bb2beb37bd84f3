/* services/ingest/wire/receiver.c - the thread that keeps a link, and the filters it asks for.
 */
#include "receiver.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/brokers.h"
#include "lib/clock.h"
#include "link.h"

#define FILTER_BYTES_MAX 255
#define KEEPALIVE_MIN_S 5 /* libmosquitto takes none below */

enum wish { WANTED, ASKED, UNWANTED };

struct filter {
    struct filter *next;
    enum wish wish;
    int qos;
    int packet_id; /* of the SUBSCRIBE under way */
    char text[];
};

struct receiver {
    struct mqtt_options options; /* its texts are ours */
    struct brokers brokers;      /* the thread's */
    struct link *link;           /* the thread's; NULL between two tries */
    pthread_t thread;
    int wake;            /* eventfd: something below has changed */
    int64_t up_since_ms; /* the thread's */
    bool fresh;          /* the thread's: this connection has not been asked for anything yet */
    atomic_bool closing, reload, connected, changed; /* changed: a wish is new */
    pthread_mutex_t lock;
    struct filter *filters; /* under lock */
};

/* ---- filters; the thread asks for them, since a link is its own */

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

static void wake(struct receiver *r)
{
    uint64_t one = 1;

    if (write(r->wake, &one, sizeof one) < 0) {
        /* it is awake: the counter is full */
    }
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
    wake(r);
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
    wake(r);
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
static void ask(struct receiver *r)
{
    struct due due;
    int packet_id;

    while (next_due(r, &due)) {
        packet_id = due.wish == WANTED ? link_subscribe(r->link, due.text, due.qos)
                                       : link_unsubscribe(r->link, due.text);
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
    r->fresh = false;
}

/* ---- what the link tells */

static void tell(struct receiver *r, bool connected, const char *broker, const char *reason)
{
    if (r->options.on_connection)
        r->options.on_connection(r->options.self, connected, broker, reason);
}

static void on_up(void *self)
{
    struct receiver *r = self;

    brokers_connected(&r->brokers);
    r->up_since_ms = clock_boot_ms();
    r->fresh = true;
    atomic_store(&r->changed, true);
    atomic_store(&r->connected, true);
    tell(r, true, brokers_now(&r->brokers), "");
}

static void on_message(void *self, const struct mqtt_message *message)
{
    struct receiver *r = self;

    if (r->options.on_message)
        r->options.on_message(r->options.self, message);
}

static void on_subscribed(void *self, int packet_id, int reason)
{
    struct receiver *r = self;
    char what[FILTER_BYTES_MAX + 1] = "";

    if (reason < 128 || !r->options.on_refused)
        return;
    pthread_mutex_lock(&r->lock);
    for (struct filter *f = r->filters; f; f = f->next)
        if (f->packet_id == packet_id)
            memcpy(what, f->text, strlen(f->text) + 1);
    pthread_mutex_unlock(&r->lock);
    r->options.on_refused(r->options.self, reason, what);
}

/* ---- the thread */

/* Until woken or the time is over; the returned events are the link's. */
static short wait_for(struct receiver *r, int wait_ms)
{
    struct pollfd fds[2] = {{.fd = r->wake, .events = POLLIN}, {.fd = -1}};
    uint64_t count;

    if (r->link)
        fds[1] = link_poll(r->link);
    poll(fds, 2, wait_ms);
    if ((fds[0].revents & POLLIN) && read(r->wake, &count, sizeof count) < 0) {
        /* somebody else's: there is nobody else */
    }
    return fds[1].revents;
}

static void pause_for(struct receiver *r, int64_t ms)
{
    int64_t until = clock_boot_ms() + ms, left;

    while (!atomic_load(&r->closing) && !atomic_load(&r->reload) &&
           (left = until - clock_boot_ms()) > 0)
        wait_for(r, (int)left);
}

/* The link is up or dialling: until it is over, or we are to leave. */
static bool keep_link(struct receiver *r, struct fault *fault)
{
    while (!atomic_load(&r->closing) && !atomic_load(&r->reload)) {
        short revents = wait_for(r, link_wait_ms(r->link));

        if (!link_step(r->link, revents, clock_boot_ms(), fault))
            return false;
        if (r->fresh)
            want_all_again(r);
        if (atomic_load(&r->connected) && atomic_exchange(&r->changed, false))
            ask(r);
    }
    return true;
}

/* The pause before the next try, ms. */
static int64_t ended(struct receiver *r, const char *reason)
{
    const char *broker = brokers_now(&r->brokers);
    int64_t pause_ms;
    bool news = true;

    if (atomic_exchange(&r->connected, false))
        pause_ms = brokers_lost(&r->brokers, clock_boot_ms() - r->up_since_ms);
    else
        pause_ms = brokers_failed(&r->brokers, reason, &news);
    if (news)
        tell(r, false, broker, reason);
    return pause_ms;
}

static void leave(struct receiver *r)
{
    if (atomic_exchange(&r->connected, false))
        tell(r, false, brokers_now(&r->brokers), "certificates are read again");
}

static void *run(void *self)
{
    struct receiver *r = self;
    const struct link_heard heard = {on_up, on_message, on_subscribed, r};
    struct fault fault;

    while (!atomic_load(&r->closing)) {
        int64_t pause_ms = 0;

        atomic_store(&r->reload, false); /* this try reads the files */
        r->link = link_dial(brokers_now(&r->brokers), &r->options, &heard, clock_boot_ms(), &fault);
        if (!r->link || !keep_link(r, &fault))
            pause_ms = ended(r, fault.text);
        else if (!atomic_load(&r->closing))
            leave(r);
        link_close(r->link);
        r->link = NULL;
        pause_for(r, pause_ms);
    }
    atomic_store(&r->connected, false);
    return NULL;
}

/* ---- opening and closing */

static enum status start(struct receiver *r)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all); /* no signal is ours: the main thread takes them */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&r->thread, NULL, run, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? ST_OK : ST_FATAL;
}

static void release(struct receiver *r)
{
    struct filter *f;

    while ((f = r->filters) != NULL) {
        r->filters = f->next;
        free(f);
    }
    brokers_free(&r->brokers);
    mqtt_options_free(&r->options);
    if (r->wake >= 0)
        close(r->wake);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static enum status set_up(struct receiver *r, const struct mqtt_options *options,
                          struct fault *fault)
{
    enum status st = mqtt_options_copy(&r->options, options, fault);

    if (st != ST_OK ||
        (st = brokers_take(&r->brokers, options->brokers ? options->brokers : "", fault)) != ST_OK)
        return st;
    if (r->options.keepalive_s < KEEPALIVE_MIN_S)
        r->options.keepalive_s = KEEPALIVE_MIN_S;
    r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->wake < 0 || start(r) != ST_OK)
        return fault_set(fault, ST_FATAL, "MQTT receiver: cannot start: %m");
    return ST_OK;
}

enum status receiver_open(struct receiver **out, const struct mqtt_options *options,
                          struct fault *fault)
{
    struct receiver *r = calloc(1, sizeof *r);
    enum status st;

    if (!r)
        return fault_set(fault, ST_FATAL, "MQTT receiver: out of memory");
    r->wake = -1;
    pthread_mutex_init(&r->lock, NULL);
    st = set_up(r, options, fault);
    if (st != ST_OK) {
        release(r);
        return st;
    }
    *out = r;
    return ST_OK;
}

void receiver_reload(struct receiver *r)
{
    atomic_store(&r->reload, true);
    wake(r);
}

bool receiver_is_connected(const struct receiver *r)
{
    return atomic_load(&r->connected);
}

void receiver_close(struct receiver *r)
{
    if (!r)
        return;
    atomic_store(&r->closing, true);
    wake(r);
    pthread_join(r->thread, NULL);
    release(r);
}
