/* lib/health.c - the admin listener: one thread, one poll, a few clients that each get one answer.
 * Reads, answers, and closes politely: after the answer it waits for the client's end, so that no
 * reset eats it. */
#include "lib/health.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/address.h"
#include "lib/clock.h"
#include "lib/metrics.h"
#include "lib/text.h"
#include "lib/version.h"

#define CLIENTS_MAX 16
#define PARTS_MAX 16
#define REQUEST_MAX 4096
#define CLIENT_MS 2000

enum phase { FREE, READING, WRITING, LINGERING };

struct client {
    enum phase phase;
    int fd;
    int64_t end_ms; /* whatever happens, it is over then */
    size_t got, sent;
    char request[REQUEST_MAX + 1];
    struct text answer;
};

struct part {
    _Atomic(const char *) name;
    atomic_bool ready;
    _Atomic int64_t
        until_ms; /* boot clock: something is to be over by then; 0: nothing is awaited */
};

struct health {
    int listener, wake; /* wake: an eventfd, written once to end the thread */
    int port;
    pthread_t thread;
    atomic_bool draining;
    struct part parts[PARTS_MAX];
    struct client clients[CLIENTS_MAX];
};

/* ---- what is ready */

static struct part *part_of(struct health *h, const char *part)
{
    for (size_t i = 0;; i++) {
        const char *name = NULL;

        assert(i < PARTS_MAX);
        if (atomic_compare_exchange_strong(&h->parts[i].name, &name, part) ||
            strcmp(name, part) == 0)
            return &h->parts[i];
    }
}

void health_set(struct health *h, const char *part, bool ready)
{
    if (h)
        atomic_store(&part_of(h, part)->ready, ready);
}

void health_begin(struct health *h, const char *part, int64_t most_ms)
{
    if (h)
        atomic_store(&part_of(h, part)->until_ms, clock_boot_ms() + most_ms);
}

void health_end(struct health *h, const char *part)
{
    if (h)
        atomic_store(&part_of(h, part)->until_ms, 0);
}

void health_drain(struct health *h)
{
    if (h)
        atomic_store(&h->draining, true);
}

int health_port(const struct health *h)
{
    return h ? h->port : 0;
}

/* What keeps a part from being ready; NULL: nothing. */
static const char *lack_of(const struct part *part, int64_t now_ms)
{
    int64_t until_ms = atomic_load(&part->until_ms);

    if (!atomic_load(&part->ready))
        return "";
    return until_ms != 0 && now_ms > until_ms ? " (takes too long)" : NULL;
}

/* One line into `out` that says why not, or "ready". */
static bool is_ready(struct health *h, struct text *out)
{
    const char *name, *lack;
    int64_t now_ms = clock_boot_ms();
    bool ready = true;

    if (atomic_load(&h->draining)) {
        text_print(out, "draining\n");
        return false;
    }
    if (!atomic_load(&h->parts[0].name)) {
        text_print(out, "starting\n");
        return false;
    }
    for (size_t i = 0; i < PARTS_MAX && (name = atomic_load(&h->parts[i].name)); i++)
        if ((lack = lack_of(&h->parts[i], now_ms))) {
            text_print(out, "%s%s%s", ready ? "not ready: " : ", ", name, lack);
            ready = false;
        }
    text_print(out, ready ? "ready\n" : "\n");
    return ready;
}

/* ---- one answer */

#define PLAIN "text/plain; charset=utf-8"

static void answer(struct client *c, const char *status, const char *type, const char *extra,
                   const struct text *body, bool head)
{
    text_print(
        &c->answer,
        "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
        "%sConnection: close\r\n\r\n",
        status, type, body->len, extra);
    if (!head)
        text_add(&c->answer, body->bytes, body->len);
    c->phase = c->answer.failed ? LINGERING : WRITING;
}

static void answer_path(struct health *h, struct client *c, const char *path, bool head)
{
    struct text body;

    text_init(&body);
    if (strcmp(path, "/healthz") == 0) {
        text_print(&body, "alive\n");
        answer(c, "200 OK", PLAIN, "", &body, head);
    } else if (strcmp(path, "/readyz") == 0) {
        bool ready = is_ready(h, &body);

        answer(c, ready ? "200 OK" : "503 Service Unavailable", PLAIN, "", &body, head);
    } else if (strcmp(path, "/metrics") == 0) {
        metrics_print(&body);
        answer(c, "200 OK", "text/plain; version=0.0.4", "", &body, head);
    } else if (strcmp(path, "/version") == 0) {
        text_print(&body, "{\"version\":\"%s\",\"revision\":\"%s\"}\n", version_number,
                   version_revision);
        answer(c, "200 OK", "application/json", "", &body, head);
    } else {
        text_print(&body, "not found; there are /healthz /readyz /metrics /version\n");
        answer(c, "404 Not Found", PLAIN, "", &body, head);
    }
    text_done(&body);
}

static void answer_error(struct client *c, const char *status, const char *extra)
{
    struct text body;

    text_init(&body);
    text_print(&body, "%s\n", status);
    answer(c, status, PLAIN, extra, &body, false);
    text_done(&body);
}

/* `line` is the request line, cut into words in place: METHOD TARGET HTTP/1.x */
static void answer_line(struct health *h, struct client *c, char *line)
{
    char *target = strchr(line, ' ');
    char *version = target ? strchr(target + 1, ' ') : NULL;
    bool head;

    if (!version || strncmp(version + 1, "HTTP/1.", 7) != 0 || target[1] != '/') {
        answer_error(c, "400 Bad Request", "");
        return;
    }
    *target++ = *version = '\0';
    head = strcmp(line, "HEAD") == 0;
    if (!head && strcmp(line, "GET") != 0) {
        answer_error(c, "405 Method Not Allowed", "Allow: GET, HEAD\r\n");
        return;
    }
    target[strcspn(target, "?#")] = '\0';
    answer_path(h, c, target, head);
}

/* ---- one client */

static void client_end(struct client *c)
{
    close(c->fd);
    text_done(&c->answer);
    c->phase = FREE;
}

static bool is_quiet(ssize_t n)
{
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void client_read(struct health *h, struct client *c)
{
    ssize_t n = recv(c->fd, c->request + c->got, REQUEST_MAX - c->got, 0);

    if (is_quiet(n))
        return;
    if (n <= 0) {
        client_end(c);
        return;
    }
    c->got += (size_t)n;
    c->request[c->got] = '\0';
    if (strstr(c->request, "\r\n\r\n") || strstr(c->request, "\n\n")) {
        c->request[strcspn(c->request, "\r\n")] = '\0';
        answer_line(h, c, c->request);
    } else if (c->got == REQUEST_MAX) {
        answer_error(c, "431 Request Header Fields Too Large", "");
    } else if (strlen(c->request) < c->got) {
        answer_error(c, "400 Bad Request", ""); /* a NUL byte */
    }
}

static void client_write(struct client *c)
{
    ssize_t n = send(c->fd, c->answer.bytes + c->sent, c->answer.len - c->sent, MSG_NOSIGNAL);

    if (is_quiet(n))
        return;
    if (n < 0) {
        client_end(c);
        return;
    }
    c->sent += (size_t)n;
    if (c->sent == c->answer.len) {
        shutdown(c->fd, SHUT_WR);
        c->phase = LINGERING;
    }
}

static void client_linger(struct client *c)
{
    char waste[4096];
    ssize_t n = recv(c->fd, waste, sizeof waste, 0);

    if (!is_quiet(n) && n <= 0)
        client_end(c);
}

static void client_step(struct health *h, struct client *c)
{
    if (c->phase == READING)
        client_read(h, c);
    if (c->phase == WRITING)
        client_write(c);
    else if (c->phase == LINGERING)
        client_linger(c);
}

/* ---- the thread */

static struct client *free_client(struct health *h)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (h->clients[i].phase == FREE)
            return &h->clients[i];
    return NULL;
}

static void accept_client(struct health *h)
{
    struct client *c = free_client(h);
    int fd = c ? accept4(h->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            poll(NULL, 0, 50); /* the client stays in line; do not spin until it can be served */
        return;
    }
    c->fd = fd;
    c->phase = READING;
    c->end_ms = clock_boot_ms() + CLIENT_MS;
    c->got = c->sent = 0;
    text_init(&c->answer);
}

/* Cut whoever is late; ms until the next one is, -1 when there is nobody. */
static int cut_late(struct health *h)
{
    int64_t now_ms = clock_boot_ms(), next_ms = -1;

    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &h->clients[i];

        if (c->phase != FREE && now_ms >= c->end_ms)
            client_end(c);
        if (c->phase != FREE && (next_ms < 0 || c->end_ms - now_ms < next_ms))
            next_ms = c->end_ms - now_ms;
    }
    return (int)next_ms;
}

static void *health_run(void *self)
{
    struct health *h = self;
    struct pollfd fds[CLIENTS_MAX + 2];

    for (;;) {
        int wait_ms = cut_late(h);

        fds[0] = (struct pollfd){h->wake, POLLIN, 0};
        fds[1] = (struct pollfd){free_client(h) ? h->listener : -1, POLLIN, 0};
        for (size_t i = 0; i < CLIENTS_MAX; i++) {
            struct client *c = &h->clients[i];

            fds[i + 2] = (struct pollfd){c->phase == FREE ? -1 : c->fd,
                                         c->phase == WRITING ? POLLOUT : POLLIN, 0};
        }
        if (poll(fds, CLIENTS_MAX + 2, wait_ms) <= 0)
            continue;
        if (fds[0].revents)
            return NULL;
        for (size_t i = 0; i < CLIENTS_MAX; i++)
            if (fds[i + 2].revents)
                client_step(h, &h->clients[i]);
        if (fds[1].revents)
            accept_client(h);
    }
}

/* ---- opening */

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t fill(union socket_address *out, const struct address *a)
{
    *out = (union socket_address){0};
    if (a->is_ipv6) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons((uint16_t)a->port);
        inet_pton(AF_INET6, a->host, &out->v6.sin6_addr);
        return sizeof out->v6;
    }
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = htons((uint16_t)a->port);
    inet_pton(AF_INET, a->host, &out->v4.sin_addr);
    return sizeof out->v4;
}

static int port_of(int fd)
{
    union socket_address a = {0};
    socklen_t len = sizeof a;

    if (getsockname(fd, &a.any, &len) != 0)
        return 0;
    return ntohs(a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
}

static enum status listen_on(struct health *h, const char *address, struct fault *fault)
{
    const int one = 1;
    union socket_address a;
    struct address read;
    struct fault why;
    socklen_t len;

    if (address_read(&read, address, &why) != ST_OK)
        return fault_set(fault, ST_REJECT, "--admin %.200s; none: no listener", why.text);
    len = fill(&a, &read);
    h->listener = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (h->listener < 0)
        return fault_set(fault, ST_FATAL, "admin address %s: %s", address, strerror(errno));
    setsockopt(h->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(h->listener, &a.any, len) != 0 || listen(h->listener, CLIENTS_MAX) != 0)
        return fault_set(fault, ST_FATAL, "admin address %s: %s%s", address, strerror(errno),
                         errno == EADDRINUSE ? "; stop who holds it or choose another --admin"
                                             : "");
    h->port = port_of(h->listener);
    return ST_OK;
}

/* The thread takes no signals: they are main's. */
static enum status start_thread(struct health *h, struct fault *fault)
{
    sigset_t all, before;
    int error;

    h->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (h->wake < 0)
        return fault_set(fault, ST_FATAL, "eventfd: %s", strerror(errno));
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&h->thread, NULL, health_run, h);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return fault_set(fault, ST_FATAL, "pthread_create: %s", strerror(error));
    pthread_setname_np(h->thread, "health");
    return ST_OK;
}

static void health_free(struct health *h)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (h->clients[i].phase != FREE)
            client_end(&h->clients[i]);
    if (h->listener >= 0)
        close(h->listener);
    if (h->wake >= 0)
        close(h->wake);
    free(h);
}

enum status health_open(struct health **out, const char *address, struct fault *fault)
{
    struct health *h;
    enum status st;

    if (!*address || strcmp(address, "none") == 0) {
        *out = NULL;
        return ST_OK;
    }
    h = calloc(1, sizeof *h);
    if (!h)
        return fault_set(fault, ST_FATAL, "out of memory");
    h->listener = h->wake = -1;
    st = listen_on(h, address, fault);
    if (st == ST_OK)
        st = start_thread(h, fault);
    if (st != ST_OK) {
        health_free(h);
        return st;
    }
    *out = h;
    return ST_OK;
}

void health_close(struct health *h)
{
    const uint64_t one = 1;

    if (!h)
        return;
    while (write(h->wake, &one, sizeof one) < 0 && errno == EINTR)
        continue;
    pthread_join(h->thread, NULL);
    health_free(h);
}
