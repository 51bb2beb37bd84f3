/* vehicle/obd/slcan.c - see slcan.h. */
#include "slcan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "can_link.h"
#include "lib/clock.h"
#include "lib/stop.h"
#include "serial.h"
#include "slcan_line.h"

#define SLCAN_HELLO_MS 3000
#define SLCAN_ASK_MS 300 /* between two tries of a command, and for its acknowledgement */
#define SLCAN_WRITE_MS 1000
#define SLCAN_SETTLE_MS 30 /* quiet for so long: nothing of an older command is still to come */
#define SLCAN_TRIES 3

struct slcan {
    struct can_port port;
    struct serial *serial;
    struct slcan_reader reader;
    char chunk[256];
    size_t at, have;
    struct slcan_event events[SLCAN_EVENTS_MAX]; /* made and not yet taken */
    size_t event, event_count;
};

static struct slcan *slcan_of(struct can_port *port)
{
    return (struct slcan *)port; /* its first member */
}

/* ---- events */

/* The next event.  ST_NONE: none until the deadline, or stop. */
static enum status slcan_next(struct slcan *s, struct slcan_event *out, int64_t deadline_ms,
                              struct fault *fault)
{
    enum status st;

    for (;;) {
        if (s->event < s->event_count) {
            *out = s->events[s->event++];
            return ST_OK;
        }
        if (s->at == s->have) {
            st = serial_read(s->serial, s->chunk, sizeof s->chunk, deadline_ms, &s->have, fault);
            if (st != ST_OK) {
                s->at = s->have = 0;
                return st;
            }
            s->at = 0;
        }
        s->event = 0;
        s->event_count = slcan_feed(&s->reader, s->chunk[s->at++], s->events);
    }
}

static void slcan_flush(struct can_port *port)
{
    struct slcan *s = slcan_of(port);

    serial_flush(s->serial);
    s->at = s->have = 0;
    s->event = s->event_count = 0;
    slcan_reader_init(&s->reader);
}

static enum status slcan_write(struct slcan *s, const char *bytes, size_t len, struct fault *fault)
{
    return serial_write(s->serial, bytes, len, clock_boot_ms() + SLCAN_WRITE_MS, fault);
}

/* ---- commands */

enum slcan_reply { REPLY_NONE, REPLY_TAKEN, REPLY_REFUSED, REPLY_TEXT };

/* One command, once: V is answered by text and by nothing else, the others by CR or BEL.  Frames
 * that arrive meanwhile belong to nobody. */
static enum status slcan_command(struct slcan *s, const char *line, enum slcan_reply *reply,
                                 struct slcan_event *event, struct fault *fault)
{
    int64_t deadline = clock_boot_ms() + SLCAN_ASK_MS;
    char text[16];
    int n = snprintf(text, sizeof text, "%s\r", line);
    enum status st;

    *reply = REPLY_NONE;
    if ((st = slcan_write(s, text, (size_t)n, fault)) != ST_OK)
        return st;
    while (*reply == REPLY_NONE) {
        st = slcan_next(s, event, deadline, fault);
        if (st == ST_NONE)
            return stop_asked() ? ST_NONE : ST_OK;
        if (st != ST_OK)
            return st;
        if (line[0] == 'V')
            *reply = event->kind == SLCAN_TEXT ? REPLY_TEXT : REPLY_NONE;
        else if (event->kind == SLCAN_TAKEN)
            *reply = REPLY_TAKEN;
        else if (event->kind == SLCAN_REFUSED)
            *reply = REPLY_REFUSED;
    }
    return ST_OK;
}

/* Let answers to older commands pass. */
static enum status slcan_settle(struct slcan *s, struct fault *fault)
{
    struct slcan_event event;
    enum status st = ST_OK;

    for (int i = 0; i < 1000 && st == ST_OK; i++)
        st = slcan_next(s, &event, clock_boot_ms() + SLCAN_SETTLE_MS, fault);
    return st == ST_NONE && !stop_asked() ? ST_OK : st;
}

/* A command that has to succeed.  An acknowledgement may be lost: then the second try is refused,
 * because it is done already. */
static enum status slcan_insist(struct slcan *s, const char *line, struct fault *fault)
{
    enum slcan_reply reply;
    struct slcan_event event;
    bool silent = false;
    enum status st;

    for (int i = 0; i < SLCAN_TRIES; i++) {
        if ((st = slcan_command(s, line, &reply, &event, fault)) != ST_OK)
            return st;
        if (reply == REPLY_TAKEN || (reply == REPLY_REFUSED && silent))
            return ST_OK;
        silent = reply == REPLY_NONE;
        if ((st = slcan_settle(s, fault)) != ST_OK)
            return st;
    }
    return silent ? fault_set(fault, ST_RETRY, "the adapter does not answer %s", line)
                  : fault_set(fault, ST_REJECT, "the adapter refuses %s", line);
}

static enum status slcan_tune(struct can_port *port, int kbit, struct fault *fault)
{
    struct slcan *s = slcan_of(port);
    const char *speed = kbit == 250 ? "S5" : "S6";
    enum slcan_reply reply;
    struct slcan_event event;
    enum status st;

    slcan_flush(port);
    if ((st = slcan_settle(s, fault)) != ST_OK)
        return st;
    /* closed already: refused; no time stamps there: refused */
    if ((st = slcan_command(s, "C", &reply, &event, fault)) != ST_OK ||
        (st = slcan_command(s, "Z0", &reply, &event, fault)) != ST_OK ||
        (st = slcan_insist(s, speed, fault)) != ST_OK ||
        (st = slcan_insist(s, "O", fault)) != ST_OK)
        return st;
    slcan_flush(port);
    return ST_OK;
}

/* Anything it says shows that it is there. */
static enum status slcan_alive(struct can_port *port, struct fault *fault)
{
    struct slcan *s = slcan_of(port);
    struct slcan_event event;
    enum status st;

    for (int i = 0; i < SLCAN_TRIES; i++) {
        if ((st = slcan_write(s, "V\r", 2, fault)) != ST_OK)
            return st;
        st = slcan_next(s, &event, clock_boot_ms() + SLCAN_ASK_MS, fault);
        if (st != ST_NONE || stop_asked())
            return st;
    }
    return fault_set(fault, ST_RETRY, "the adapter does not answer");
}

/* ---- frames */

static enum status slcan_send(struct can_port *port, const struct can_packet *packet,
                              struct fault *fault)
{
    char line[SLCAN_SEND_MAX];
    size_t n = slcan_print(line, packet);

    return slcan_write(slcan_of(port), line, n, fault);
}

static enum status slcan_receive(struct can_port *port, struct can_packet *packet,
                                 int64_t deadline_ms, struct fault *fault)
{
    struct slcan *s = slcan_of(port);
    struct slcan_event event;
    enum status st;

    for (;;) {
        st = slcan_next(s, &event, deadline_ms, fault);
        if (st == ST_NONE && slcan_silence(&s->reader, &event) > 0)
            st = ST_OK;
        if (st != ST_OK)
            return st;
        if (event.kind == SLCAN_REFUSED)
            return fault_set(fault, ST_REJECT, "the adapter refuses frames");
        if (event.kind == SLCAN_FRAME) {
            *packet = event.packet;
            return ST_OK;
        }
        port->broken += event.kind == SLCAN_JUNK;
    }
}

/* ---- opening */

/* Wait for its version, "V1013".  ST_REJECT: it did not come. */
static enum status slcan_hello(struct slcan *s, char version[32], struct fault *fault)
{
    int64_t deadline = clock_boot_ms() + SLCAN_HELLO_MS;
    enum slcan_reply reply;
    struct slcan_event event;
    enum status st;

    /* lone CRs end whatever the adapter has in its buffer */
    if ((st = slcan_write(s, "\r\rC\r", 4, fault)) != ST_OK)
        return st;
    do {
        if ((st = slcan_command(s, "V", &reply, &event, fault)) != ST_OK)
            return st;
        if (reply == REPLY_TEXT && event.text[0] == 'V') {
            snprintf(version, 32, "SLCAN %.20s", event.text);
            return ST_OK;
        }
    } while (clock_boot_ms() < deadline);
    return fault_set(fault, ST_REJECT, "no version");
}

static void slcan_close(struct can_port *port)
{
    struct slcan *s = slcan_of(port);
    struct fault fault;

    if (s->serial != NULL)
        (void)!slcan_write(s, "C\r", 2, &fault); /* leave the bus */
    serial_close(s->serial);
    free(s);
}

static enum status slcan_connect(struct slcan *s, const char *name, int baud, char version[32],
                                 struct fault *fault)
{
    static const int speeds[] = {115200, 1000000};
    enum status st = ST_RETRY;

    for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++) {
        if ((st = serial_open(&s->serial, name, baud != 0 ? baud : speeds[i], fault)) != ST_OK)
            return st;
        slcan_flush(&s->port);
        st = slcan_hello(s, version, fault);
        if (st == ST_OK || st == ST_NONE)
            return st;
        serial_close(s->serial);
        s->serial = NULL;
        if (baud != 0)
            break;
    }
    return st == ST_REJECT ? fault_set(fault, ST_RETRY, "%s: nothing there answers as SLCAN", name)
                           : st;
}

enum status slcan_open(struct link **out, const char *name, int baud, char protocol,
                       struct fault *fault)
{
    struct slcan *s = calloc(1, sizeof *s);
    char version[32];
    enum status st;

    if (s == NULL)
        return fault_set(fault, ST_FATAL, "out of memory");
    s->port = (struct can_port){.send = slcan_send,
                                .receive = slcan_receive,
                                .tune = slcan_tune,
                                .flush = slcan_flush,
                                .alive = slcan_alive,
                                .close = slcan_close};
    if ((st = slcan_connect(s, name, baud, version, fault)) != ST_OK) {
        slcan_close(&s->port);
        return st;
    }
    return can_link_open(out, &s->port, version, protocol, fault);
}
