/* vehicle/gps.c - see gps.h.  A socket to gpsd and its JSON (gpsd_line.h): libgps is one more
 * parser of the same lines, and brings D-Bus, systemd and a C++ runtime along. */
#include "gps.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gpsd_line.h"
#include "lib/backoff.h"
#include "lib/clock.h"
#include "lib/stop.h"

#define GPS_PORT "2947"
#define GPS_WAIT_MS 500
#define GPS_CONNECT_MS 2000
#define GPS_SILENT_MS 3000

struct gps {
    pthread_t thread;
    struct inbox *to;
    char host[256], port[16];
    enum source state;
    int64_t last_report_ms; /* boot time of the last TPV */
    int fd;
    bool heard; /* a report came on this connection */
    struct gpsd_lines lines;
};

static enum status gps_address(const char *where, char *host, size_t host_size, char *port,
                               size_t port_size, struct fault *fault)
{
    const char *rest, *colon;
    size_t n;

    if (strncmp(where, "gpsd:", 5) != 0)
        return fault_set(fault, ST_REJECT, "gps \"%s\": gpsd:host:port or none", where);
    rest = where + 5;
    colon = strrchr(rest, ':');
    n = colon == NULL ? strlen(rest) : (size_t)(colon - rest);
    if (n == 0 || n >= host_size ||
        (colon != NULL && (colon[1] == '\0' || strlen(colon + 1) >= port_size)))
        return fault_set(fault, ST_REJECT, "gps \"%s\": gpsd:host:port or none", where);
    memcpy(host, rest, n);
    host[n] = '\0';
    snprintf(port, port_size, "%s", colon == NULL ? GPS_PORT : colon + 1);
    return ST_OK;
}

static void gps_tell(struct gps *g, enum source state, const char *reason)
{
    struct source_change change = {.origin = ORIGIN_GPS, .state = state};

    if (state == g->state)
        return;
    g->state = state;
    snprintf(change.reason, sizeof change.reason, "%s", reason);
    inbox_push(g->to, NOTE_SOURCE, &change, sizeof change);
}

static void gps_line(void *self, const char *line, size_t len)
{
    struct gpsd_report report;
    struct gps *g = self;

    if (!gpsd_read(&report, line, len, clock_now_ms()))
        return;
    g->last_report_ms = clock_boot_ms();
    g->heard = true;
    if (!report.usable) {
        gps_tell(g, SOURCE_SEARCHING, "the receiver has no fix");
        return;
    }
    gps_tell(g, SOURCE_OK, "");
    inbox_push(g->to, NOTE_FIX, &report.fix, sizeof report.fix);
}

static bool gps_wait(int fd, short events, int wait_ms)
{
    struct pollfd p = {.fd = fd, .events = events};

    return poll(&p, 1, wait_ms) > 0;
}

/* A socket that is connected within its time, or below 0. */
static int gps_connect_one(const struct addrinfo *to)
{
    int fd = socket(to->ai_family, to->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to->ai_protocol);
    int error = 0;
    socklen_t size = sizeof error;

    if (fd < 0)
        return -1;
    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0 ||
        (errno == EINPROGRESS && gps_wait(fd, POLLOUT, GPS_CONNECT_MS) &&
         getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0))
        return fd;
    close(fd);
    return -1;
}

static int gps_connect(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all;
    int fd = -1;

    if (getaddrinfo(host, port, &hints, &all) != 0)
        return -1;
    for (const struct addrinfo *one = all; one != NULL && fd < 0; one = one->ai_next)
        fd = gps_connect_one(one);
    freeaddrinfo(all);
    return fd;
}

/* False: gpsd has gone. */
static bool gps_receive(struct gps *g)
{
    size_t room;
    char *to = gpsd_lines_room(&g->lines, &room);
    ssize_t n = recv(g->fd, to, room, 0);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    gpsd_lines_came(&g->lines, (size_t)n, gps_line, g);
    return n > 0;
}

/* Until gpsd goes away or stop.  A quick reopen may succeed once and then reset: only a report
 * makes it good. */
static void gps_follow(struct gps *g, struct backoff *pause)
{
    g->last_report_ms = clock_boot_ms();
    while (!stop_asked()) {
        if (gps_wait(g->fd, POLLIN, GPS_WAIT_MS) && !gps_receive(g))
            return;
        if (g->heard)
            backoff_reset(pause);
        if (clock_boot_ms() - g->last_report_ms > GPS_SILENT_MS)
            gps_tell(g, SOURCE_SILENT, "gpsd is there but reports nothing");
    }
}

static void *gps_run(void *self)
{
    struct gps *g = self;
    struct backoff pause = BACKOFF_START;

    do {
        if ((g->fd = gps_connect(g->host, g->port)) < 0) {
            gps_tell(g, SOURCE_GONE, "gpsd does not answer");
            continue;
        }
        g->lines.len = 0;
        g->lines.skipping = g->heard = false;
        if (send(g->fd, GPSD_WATCH, strlen(GPSD_WATCH), MSG_NOSIGNAL) ==
            (ssize_t)strlen(GPSD_WATCH))
            gps_follow(g, &pause);
        close(g->fd);
        if (!stop_asked())
            gps_tell(g, SOURCE_GONE, "gpsd went away");
    } while (backoff_wait(&pause));
    return NULL;
}

enum status gps_check(const char *where, struct fault *fault)
{
    char host[256], port[16];

    return strcmp(where, "none") == 0
               ? ST_OK
               : gps_address(where, host, sizeof host, port, sizeof port, fault);
}

enum status gps_start(struct gps **out, const char *where, struct inbox *to, struct fault *fault)
{
    struct gps *g;
    enum status st;

    *out = NULL;
    if (strcmp(where, "none") == 0)
        return ST_OK;
    g = calloc(1, sizeof *g);
    if (g == NULL)
        return fault_set(fault, ST_FATAL, "out of memory");
    g->to = to;
    g->state = SOURCE_ABSENT;
    if ((st = gps_address(where, g->host, sizeof g->host, g->port, sizeof g->port, fault)) !=
        ST_OK) {
        free(g);
        return st;
    }
    if (pthread_create(&g->thread, NULL, gps_run, g) != 0) {
        free(g);
        return fault_set(fault, ST_FATAL, "cannot start the GPS thread");
    }
    *out = g;
    return ST_OK;
}

void gps_join(struct gps *g)
{
    if (g == NULL)
        return;
    pthread_join(g->thread, NULL);
    free(g);
}
