/* vehicle/obd/socketcan.c - see socketcan.h.  Linux: Documentation/networking/can.rst. */
#include "socketcan.h"

#if defined(__has_include) && __has_include(<linux/can/raw.h>)

#include <errno.h>
#include <linux/can.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "can_link.h"
#include "lib/clock.h"
#include "lib/stop.h"

#define SOCKETCAN_BITRATE 500000
#define SOCKETCAN_SLICE_MS 100 /* stop is noticed this soon */
#define SOCKETCAN_FULL_MS 5    /* the interface's queue is full: once more after so long */
#define SOCKETCAN_TRIES 20

struct socketcan {
    struct can_port port;
    int fd;
    int bitrate;
};

static struct socketcan *socketcan_of(struct can_port *port)
{
    return (struct socketcan *)port; /* its first member */
}

static enum status socketcan_gone(struct fault *fault)
{
    return fault_set(fault, ST_RETRY, "the CAN interface is gone: %s", strerror(errno));
}

static enum status socketcan_send(struct can_port *port, const struct can_packet *packet,
                                  struct fault *fault)
{
    struct can_frame frame = {.can_id = packet->id | (packet->extended ? CAN_EFF_FLAG : 0),
                              .can_dlc = packet->len};

    memcpy(frame.data, packet->data, packet->len);
    for (int i = 0; i < SOCKETCAN_TRIES; i++) {
        if (send(socketcan_of(port)->fd, &frame, sizeof frame, MSG_NOSIGNAL) ==
            (ssize_t)sizeof frame)
            return ST_OK;
        if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
            return socketcan_gone(fault);
        if (!stop_pause(SOCKETCAN_FULL_MS))
            return ST_NONE;
    }
    return fault_set(fault, ST_REJECT, "the CAN interface takes no frames: nobody acknowledges");
}

/* A data frame as the bus carried it.  False: an error report, a remote request, or not a frame. */
static bool socketcan_take(struct can_port *port, const struct can_frame *frame, size_t len,
                           struct can_packet *packet)
{
    if (len != sizeof *frame || frame->can_dlc > 8) {
        port->broken++;
        return false;
    }
    if ((frame->can_id & (CAN_ERR_FLAG | CAN_RTR_FLAG)) != 0)
        return false;
    packet->extended = (frame->can_id & CAN_EFF_FLAG) != 0;
    packet->id = frame->can_id & (packet->extended ? CAN_EFF_MASK : CAN_SFF_MASK);
    packet->len = frame->can_dlc;
    memcpy(packet->data, frame->data, sizeof packet->data);
    return true;
}

static enum status socketcan_receive(struct can_port *port, struct can_packet *packet,
                                     int64_t deadline_ms, struct fault *fault)
{
    struct pollfd ready = {.fd = socketcan_of(port)->fd, .events = POLLIN};
    struct can_frame frame;
    int64_t left;
    ssize_t n;

    for (;;) {
        n = recv(ready.fd, &frame, sizeof frame, MSG_DONTWAIT | MSG_TRUNC);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return socketcan_gone(fault);
        if (n > 0 && socketcan_take(port, &frame, (size_t)n, packet))
            return ST_OK;
        if (n > 0)
            continue;
        left = deadline_ms - clock_boot_ms();
        if (left <= 0 || stop_asked())
            return ST_NONE;
        (void)poll(&ready, 1, left < SOCKETCAN_SLICE_MS ? (int)left : SOCKETCAN_SLICE_MS);
    }
}

static void socketcan_flush(struct can_port *port)
{
    struct can_frame frame;

    while (recv(socketcan_of(port)->fd, &frame, sizeof frame, MSG_DONTWAIT) > 0)
        continue;
}

/* The interface has the speed it was given; another one is no use trying. */
static enum status socketcan_tune(struct can_port *port, int kbit, struct fault *fault)
{
    if (kbit * 1000 != socketcan_of(port)->bitrate)
        return fault_set(fault, ST_REJECT, "the CAN interface runs at %d bit/s",
                         socketcan_of(port)->bitrate);
    socketcan_flush(port);
    return ST_OK;
}

static enum status socketcan_alive(struct can_port *port, struct fault *fault)
{
    struct can_frame frame;
    ssize_t n = recv(socketcan_of(port)->fd, &frame, sizeof frame, MSG_PEEK | MSG_DONTWAIT);

    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)) ? ST_OK : socketcan_gone(fault);
}

static void socketcan_close(struct can_port *port)
{
    close(socketcan_of(port)->fd);
    free(socketcan_of(port));
}

enum status socketcan_port(struct can_port **out, int fd, int bitrate, struct fault *fault)
{
    struct socketcan *s = calloc(1, sizeof *s);

    if (s == NULL) {
        close(fd);
        return fault_set(fault, ST_FATAL, "out of memory");
    }
    s->port = (struct can_port){.send = socketcan_send,
                                .receive = socketcan_receive,
                                .tune = socketcan_tune,
                                .flush = socketcan_flush,
                                .alive = socketcan_alive,
                                .close = socketcan_close};
    s->fd = fd;
    s->bitrate = bitrate != 0 ? bitrate : SOCKETCAN_BITRATE;
    *out = &s->port;
    return ST_OK;
}

/* Only what ECUs answer with reaches us: a busy bus costs nothing. */
static bool socketcan_filter(int fd)
{
    const struct can_filter wanted[] = {
        {.can_id = 0x7E8, .can_mask = 0x7F8 | CAN_EFF_FLAG | CAN_RTR_FLAG},
        {.can_id = 0x18DAF100U | CAN_EFF_FLAG,
         .can_mask = 0x1FFFFF00U | CAN_EFF_FLAG | CAN_RTR_FLAG}};

    return setsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, wanted, sizeof wanted) == 0;
}

enum status socketcan_open(struct link **out, const char *name, int bitrate, char protocol,
                           struct fault *fault)
{
    struct sockaddr_can at = {.can_family = AF_CAN};
    struct can_port *port = NULL;
    char text[64];
    enum status st;
    int fd = socket(PF_CAN, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, CAN_RAW);

    if (fd < 0 && (errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT))
        return fault_set(fault, ST_RETRY, "%s: this kernel has no CAN sockets (modprobe can_raw)",
                         name);
    if (fd < 0)
        return fault_set(fault, ST_RETRY, "%s: %s", name, strerror(errno));
    at.can_ifindex = (int)if_nametoindex(name);
    if (at.can_ifindex == 0 || !socketcan_filter(fd) ||
        bind(fd, (const struct sockaddr *)&at, sizeof at) != 0) {
        st = fault_set(fault, ST_RETRY, "%s: %s", name, strerror(errno));
        close(fd);
        return st;
    }
    if ((st = socketcan_port(&port, fd, bitrate, fault)) != ST_OK)
        return st;
    if ((st = port->alive(port, fault)) != ST_OK) { /* it is there, but not up */
        port->close(port);
        return st;
    }
    snprintf(text, sizeof text, "SocketCAN %.16s", name);
    return can_link_open(out, port, text, protocol, fault);
}

#else

enum status socketcan_open(struct link **out, const char *name, int bitrate, char protocol,
                           struct fault *fault)
{
    (void)out;
    (void)bitrate;
    (void)protocol;
    return fault_set(fault, ST_REJECT, "%s: this build has no SocketCAN", name);
}

#endif
