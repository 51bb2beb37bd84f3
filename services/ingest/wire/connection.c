/* services/ingest/wire/connection.c */
#include "connection.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/brokers.h"
#include "lib/clock.h"
#include "lib/log.h"

#define KEEPALIVE_MIN_S 5 /* libmosquitto takes none below */
#define CLOSE_BUSY_MS 2000
#define RELOAD_BUSY_MS 500
#define BUSY_LOOK_MS 50

struct connection {
    struct mqtt_options options; /* its texts are ours */
    struct connection_work work;
    struct brokers brokers; /* the thread's, as all down to the flags */
    struct link *link;      /* NULL between two tries */
    int64_t up_since_ms;
    int64_t leave_by_ms; /* whoever is busy; 0: nobody asked */
    bool is_new;         /* this link has not been worked with yet */
    pthread_t thread;
    int wake; /* eventfd: a flag, or something of the owner's, has changed */
    atomic_bool closing, reload, resting, connected;
};

/* ---- what the link tells */

static void tell(struct connection *c, bool connected, const char *broker, const char *reason)
{
    if (c->options.on_connection)
        c->options.on_connection(c->options.self, connected, broker, reason);
}

static void on_up(void *self)
{
    struct connection *c = self;

    brokers_connected(&c->brokers);
    c->up_since_ms = clock_boot_ms();
    c->is_new = true;
    atomic_store(&c->connected, true);
}

static void on_message(void *self, const struct mqtt_message *message)
{
    struct connection *c = self;

    if (c->options.on_message)
        c->options.on_message(c->options.self, message);
}

static void on_answer(void *self, int packet_id, int reason)
{
    struct connection *c = self;

    c->work.on_answer(c->work.self, packet_id, reason);
}

/* ---- the thread */

/* Until woken or the time is over; the returned events are the link's. */
static short wait_for(struct connection *c, int wait_ms)
{
    struct pollfd fds[2] = {{.fd = c->wake, .events = POLLIN}, {.fd = -1}};
    uint64_t count;

    if (c->link)
        fds[1] = link_poll(c->link);
    poll(fds, 2, wait_ms);
    if ((fds[0].revents & POLLIN) && read(c->wake, &count, sizeof count) < 0) {
        /* somebody else's: there is nobody else */
    }
    return fds[1].revents;
}

static void pause_for(struct connection *c, int64_t ms)
{
    int64_t until = clock_boot_ms() + ms, left;

    while (!atomic_load(&c->closing) && !atomic_load(&c->reload) &&
           (left = until - clock_boot_ms()) > 0)
        wait_for(c, (int)left);
}

static bool is_busy(const struct connection *c)
{
    return atomic_load(&c->connected) && c->work.is_busy && c->work.is_busy(c->work.self);
}

/* With files that cannot be used now what works is kept. */
static bool may_connect_anew(struct connection *c)
{
    struct fault fault;

    if (!atomic_load(&c->connected) || mqtt_check_files(&c->options, &fault) == ST_OK)
        return true;
    log_error("broker.kept", "reason=\"%s\"", fault.text);
    atomic_store(&c->reload, false);
    return false;
}

/* Asked for, and nothing is left to do, or the time for it is over. */
static bool is_leaving(struct connection *c)
{
    bool closing = atomic_load(&c->closing) || atomic_load(&c->resting);
    int64_t now_ms;

    if (!closing && (!atomic_load(&c->reload) || (c->leave_by_ms == 0 && !may_connect_anew(c)))) {
        c->leave_by_ms = 0;
        return false;
    }
    if (!is_busy(c))
        return true;
    now_ms = clock_boot_ms();
    if (c->leave_by_ms == 0)
        c->leave_by_ms = now_ms + (closing ? CLOSE_BUSY_MS : RELOAD_BUSY_MS);
    return now_ms >= c->leave_by_ms;
}

static int wait_ms(struct connection *c)
{
    int wait = link_wait_ms(c->link);

    return c->leave_by_ms != 0 && wait > BUSY_LOOK_MS ? BUSY_LOOK_MS : wait;
}

/* Who is told of a new link may count on it: what its owner wants of it first is on its way. */
static void use_link(struct connection *c)
{
    bool is_new = c->is_new;

    c->is_new = false;
    c->work.step(c->work.self, c->link, is_new);
    link_flush(c->link);
    if (is_new)
        tell(c, true, brokers_now(&c->brokers), "");
}

/* The link is up or dialling: until it is over, or we are to leave. */
static bool keep_link(struct connection *c, struct fault *fault)
{
    while (!is_leaving(c)) {
        short revents = wait_for(c, wait_ms(c));

        if (!link_step(c->link, revents, clock_boot_ms(), fault))
            return false;
        if (atomic_load(&c->connected))
            use_link(c);
    }
    return true;
}

/* The pause before the next try, ms. */
static int64_t ended(struct connection *c, const char *reason)
{
    const char *broker = brokers_now(&c->brokers);
    int64_t pause_ms;
    bool news = true;

    if (atomic_exchange(&c->connected, false))
        pause_ms = brokers_lost(&c->brokers, clock_boot_ms() - c->up_since_ms);
    else
        pause_ms = brokers_failed(&c->brokers, reason, &news);
    if (news)
        tell(c, false, broker, reason);
    return pause_ms;
}

static void leave(struct connection *c)
{
    if (atomic_exchange(&c->connected, false))
        tell(c, false, brokers_now(&c->brokers),
             atomic_load(&c->resting) ? "left to another of our name"
                                      : "certificates are read again");
}

static void connect_once(struct connection *c)
{
    const struct link_heard heard = {on_up, on_message, on_answer, c};
    struct fault fault;
    int64_t pause_ms = 0;

    atomic_store(&c->reload, false); /* this try reads the files */
    c->link = link_dial(brokers_now(&c->brokers), &c->options, &heard, clock_boot_ms(), &fault);
    if (!c->link || !keep_link(c, &fault))
        pause_ms = ended(c, fault.text);
    else if (!atomic_load(&c->closing))
        leave(c);
    link_close(c->link);
    c->link = NULL;
    pause_for(c, pause_ms);
}

static void *run(void *self)
{
    struct connection *c = self;

    while (!atomic_load(&c->closing)) {
        if (atomic_load(&c->resting))
            wait_for(c, -1);
        else
            connect_once(c);
    }
    atomic_store(&c->connected, false);
    return NULL;
}

/* ---- opening and closing */

static enum status start(struct connection *c)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all); /* no signal is ours: the main thread takes them */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&c->thread, NULL, run, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? ST_OK : ST_FATAL;
}

static void release(struct connection *c)
{
    brokers_free(&c->brokers);
    mqtt_options_free(&c->options);
    if (c->wake >= 0)
        close(c->wake);
    free(c);
}

static enum status set_up(struct connection *c, const struct mqtt_options *options,
                          struct fault *fault)
{
    enum status st = mqtt_options_copy(&c->options, options, fault);

    if (st != ST_OK ||
        (st = brokers_take(&c->brokers, options->brokers ? options->brokers : "", fault)) != ST_OK)
        return st;
    if (c->options.keepalive_s < KEEPALIVE_MIN_S)
        c->options.keepalive_s = KEEPALIVE_MIN_S;
    c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->wake < 0 || start(c) != ST_OK)
        return fault_set(fault, ST_FATAL, "MQTT: cannot start a connection: %m");
    return ST_OK;
}

enum status connection_open(struct connection **out, const struct mqtt_options *options,
                            const struct connection_work *work, struct fault *fault)
{
    struct connection *c = calloc(1, sizeof *c);
    enum status st;

    if (!c)
        return fault_set(fault, ST_FATAL, "MQTT: out of memory for a connection");
    c->wake = -1;
    c->work = *work;
    atomic_store(&c->resting, true);
    st = set_up(c, options, fault);
    if (st != ST_OK) {
        release(c);
        return st;
    }
    *out = c;
    return ST_OK;
}

void connection_wake(struct connection *c)
{
    uint64_t one = 1;

    if (write(c->wake, &one, sizeof one) < 0) {
        /* it is awake: the counter is full */
    }
}

void connection_reload(struct connection *c)
{
    atomic_store(&c->reload, true);
    connection_wake(c);
}

void connection_rest(struct connection *c, bool rest)
{
    if (atomic_exchange(&c->resting, rest) != rest)
        connection_wake(c);
}

bool connection_is_connected(const struct connection *c)
{
    return atomic_load(&c->connected);
}

void connection_close(struct connection *c)
{
    if (!c)
        return;
    atomic_store(&c->closing, true);
    connection_wake(c);
    pthread_join(c->thread, NULL);
    release(c);
}
