/* vehicle/obd/can_link.c - see can_link.h.
 * Nothing on a bus says "that was all": a request is over when the one ECU addressed has answered,
 * or else when the bus has been quiet for a while.  ISO 15765-4 gives an ECU 50 ms; frames also
 * wait in adapters and drivers. */
#include "can_link.h"

#include <stdio.h>
#include <stdlib.h>

#include "answer.h"
#include "isotp_live.h"
#include "lib/clock.h"
#include "lib/stop.h"

#define CAN_FIRST_MS 250    /* for the first answer */
#define CAN_SEARCH_MS 600   /* ... to the first request of all */
#define CAN_MORE_MS 80      /* for one more ECU after an answer */
#define CAN_PENDING_MS 5000 /* after 7F .. 78: P2* */
#define CAN_LONGEST_MS 15000
#define CAN_REFUSALS_MAX 3 /* of the adapter, in one request */
#define CAN_REFUSAL_MS 20

struct can_link {
    struct link link;
    struct can_port *port;
    char hint;
    int kbit; /* as the port is tuned; 0 not yet */
    struct isotp_rx rx;
    struct isotp_tx tx;
};

/* One request under way. */
struct can_talk {
    struct can_link *c;
    struct answering *a;
    uint32_t to, id;
    bool extended;
    bool once;              /* nothing is sent again */
    struct can_packet last; /* what was sent last: sent again when the adapter refused it */
    int refusals;
    int64_t quiet_ms, end_ms; /* over at the earlier of both */
};

static struct can_link *can_of(struct link *link)
{
    return (struct can_link *)link; /* its first member */
}

static bool can_is_long(char protocol)
{
    return protocol == '7' || protocol == '9';
}

static int can_kbit(char protocol)
{
    return protocol == '8' || protocol == '9' ? 250 : 500;
}

/* The id that reaches the ECU which answers with `from`; 0: every ECU. */
static uint32_t can_request_id(bool extended, uint32_t from)
{
    if (extended)
        return from == 0 ? 0x18DB33F1U : 0x18DA00F1U | (from & 0xFFU) << 8;
    return from == 0 ? 0x7DFU : from - 8U;
}

static bool can_is_answer(const struct can_talk *t, const struct can_packet *p)
{
    if (p->extended != t->extended || (t->to != 0 && p->id != t->to))
        return false;
    return p->extended ? (p->id & 0x1FFFFF00U) == 0x18DAF100U : p->id >= 0x7E8 && p->id <= 0x7EF;
}

static enum status talk_send(struct can_talk *t, uint32_t id, const uint8_t data[8],
                             struct fault *fault)
{
    t->last = (struct can_packet){.id = id, .extended = t->extended, .len = 8};
    for (size_t i = 0; i < 8; i++)
        t->last.data[i] = data[i];
    return t->c->port->send(t->c->port, &t->last, fault);
}

/* Send as many frames as the receiver allows. */
static enum status talk_push(struct can_talk *t, struct fault *fault)
{
    struct isotp_tx *tx = &t->c->tx;
    uint8_t frame[8];
    enum status st;

    while (isotp_tx_next(tx, frame)) {
        if ((st = talk_send(t, t->id, frame, fault)) != ST_OK)
            return st;
        if (tx->state == ISOTP_TX_READY && tx->gap_ms > 0 && !stop_pause(tx->gap_ms))
            return ST_NONE;
    }
    return ST_OK;
}

static void talk_wait(struct can_talk *t, int wait_ms)
{
    int64_t until = clock_boot_ms() + wait_ms;

    t->quiet_ms = until < t->end_ms ? until : t->end_ms;
}

static enum status talk_frame(struct can_talk *t, const struct can_packet *p, struct fault *fault)
{
    static const uint8_t go_on[8] = {0x30}; /* clear to send, all of it, as fast as you can */
    const uint8_t *bytes = NULL;
    size_t len = 0;

    switch (isotp_rx_take(&t->c->rx, p->id, p->data, p->len, clock_boot_ms(), &bytes, &len)) {
    case ISOTP_MESSAGE:
        answering_take(t->a, p->id, bytes, len);
        talk_wait(t, t->a->pending ? CAN_PENDING_MS : CAN_MORE_MS);
        return ST_OK;
    case ISOTP_FLOW:
        talk_wait(t, ISOTP_WAIT_MS);
        return talk_send(t, can_request_id(t->extended, p->id), go_on, fault);
    case ISOTP_LOST:
        t->a->out->cut = true;
        return ST_OK;
    case ISOTP_CONTROL:
        isotp_tx_flow(&t->c->tx, p->data, p->len);
        talk_wait(t, ISOTP_WAIT_MS);
        return talk_push(t, fault);
    default:
        return ST_OK;
    }
}

/* The adapter refused a frame: its buffer was full, or it left the bus. */
static enum status talk_refused(struct can_talk *t, struct fault *fault)
{
    enum status st;

    if (t->once || ++t->refusals > CAN_REFUSALS_MAX)
        return ST_REJECT;
    if (!stop_pause(CAN_REFUSAL_MS))
        return ST_NONE;
    if (t->refusals == CAN_REFUSALS_MAX && (st = t->c->port->tune(t->c->port, t->c->kbit, fault)))
        return st;
    talk_wait(t, CAN_FIRST_MS);
    return t->c->port->send(t->c->port, &t->last, fault);
}

static bool talk_is_over(struct can_talk *t)
{
    const struct link_answer *out = t->a->out;
    int64_t now = clock_boot_ms();

    if (isotp_rx_expire(&t->c->rx, now) > 0)
        t->a->out->cut = true;
    if (t->to != 0 && !t->a->pending && isotp_rx_open(&t->c->rx) == 0 &&
        (out->count > 0 || t->a->refused != 0))
        return true;
    if (now >= t->end_ms)
        return true;
    return now >= t->quiet_ms && isotp_rx_open(&t->c->rx) == 0;
}

static int64_t talk_deadline(const struct can_talk *t)
{
    int64_t until = t->quiet_ms;

    if (isotp_rx_open(&t->c->rx) > 0 && until < clock_boot_ms() + CAN_MORE_MS)
        until = clock_boot_ms() + CAN_MORE_MS;
    return until < t->end_ms ? until : t->end_ms;
}

/* Until it is over.  ST_REJECT: the adapter takes no frames. */
static enum status talk_run(struct can_talk *t, struct fault *fault)
{
    struct can_packet p;
    enum status st = talk_push(t, fault);

    while (st == ST_OK && !talk_is_over(t)) {
        st = t->c->port->receive(t->c->port, &p, talk_deadline(t), fault);
        if (st == ST_OK) {
            if (can_is_answer(t, &p))
                st = talk_frame(t, &p, fault);
        } else if (st == ST_REJECT) {
            st = talk_refused(t, fault);
        } else if (st == ST_NONE && !stop_asked()) {
            st = ST_OK;
        }
    }
    return st;
}

static enum status can_ask(struct can_link *c, const struct link_request *request, int first_ms,
                           struct link_answer *answer, struct fault *fault)
{
    struct answering a;
    struct can_talk t = {.c = c,
                         .a = &a,
                         .to = request->to,
                         .once = request->once,
                         .extended = can_is_long(c->link.protocol),
                         .end_ms = clock_boot_ms() + CAN_LONGEST_MS};
    int64_t began = clock_boot_ms();
    unsigned broken = c->port->broken;
    enum status st;

    answering_init(&a, answer, request->bytes, request->len);
    if (!isotp_tx_begin(&c->tx, request->bytes, request->len) ||
        (request->len > 7 && request->to == 0)) {
        answer->outcome = LINK_UNKNOWN; /* more than a frame can go to one ECU only */
        return ST_OK;
    }
    isotp_rx_init(&c->rx);
    c->port->flush(c->port);
    t.id = can_request_id(t.extended, request->to);
    talk_wait(&t, first_ms);
    st = talk_run(&t, fault);
    if (isotp_rx_open(&c->rx) > 0 || c->port->broken != broken)
        answer->cut = true;
    answer->boot_ms = began + (clock_boot_ms() - began) / 2;
    answering_finish(&a);
    if (st == ST_REJECT) {
        answer->outcome = LINK_BUS;
        return ST_OK;
    }
    return st;
}

static enum status can_request(struct link *link, const struct link_request *request,
                               struct link_answer *answer, struct fault *fault)
{
    struct can_link *c = can_of(link);
    int first_ms = request->once && request->wait_ms != 0 ? request->wait_ms : CAN_FIRST_MS;
    enum status st = can_ask(c, request, first_ms, answer, fault);

    if (st == ST_OK && !request->once && answer->cut &&
        (request->to == 0 || answer->count == 0)) /* once more */
        st = can_ask(c, request, CAN_FIRST_MS, answer, fault);
    if (st == ST_OK && answer->outcome == LINK_NO_DATA)
        st = c->port->alive(c->port, fault);
    return st;
}

static enum status can_voltage(struct link *link, double *volts, struct fault *fault)
{
    struct can_link *c = can_of(link);
    enum status st = c->port->alive(c->port, fault); /* so that an unplugged cable is noticed */

    (void)volts;
    return st == ST_OK ? fault_set(fault, ST_REJECT, "a CAN adapter cannot tell the voltage") : st;
}

/* Try one protocol.  *found: somebody answered. */
static enum status can_try(struct can_link *c, char protocol, struct link_answer *answer,
                           bool *found, struct fault *fault)
{
    static const struct link_request first = {.bytes = {0x01, 0x00}, .len = 2};
    enum status st;

    if (c->kbit != can_kbit(protocol)) {
        c->kbit = can_kbit(protocol);
        if ((st = c->port->tune(c->port, c->kbit, fault)) != ST_OK) {
            c->kbit = 0;
            return st;
        }
    }
    c->link.protocol = protocol;
    st = can_ask(c, &first, CAN_SEARCH_MS, answer, fault);
    if (st == ST_OK && answer->cut) /* somebody was there and was not understood */
        st = can_ask(c, &first, CAN_SEARCH_MS, answer, fault);
    *found = st == ST_OK && (answer->outcome == LINK_ANSWERED || answer->outcome == LINK_REFUSED);
    return st;
}

static enum status can_search(struct link *link, struct link_answer *answer, struct fault *fault)
{
    struct can_link *c = can_of(link);
    char order[] = {c->hint, '6', '7', '8', '9'};
    bool found = false;
    enum status st;

    c->kbit = 0; /* the adapter may have forgotten: set it up again */
    for (size_t i = c->hint == '0' ? 1 : 0; i < sizeof order && !found; i++) {
        if (i > 0 && order[i] == c->hint)
            continue;
        st = can_try(c, order[i], answer, &found, fault);
        if (st != ST_OK && st != ST_REJECT)
            return st;
    }
    if (found) {
        c->hint = link->protocol;
        return ST_OK;
    }
    link->protocol = '0';
    *answer = (struct link_answer){.outcome = LINK_NO_ECU, .boot_ms = clock_boot_ms()};
    return c->port->alive(c->port, fault);
}

static void can_close(struct link *link)
{
    struct can_link *c = can_of(link);

    c->port->close(c->port);
    free(c);
}

enum status can_link_open(struct link **out, struct can_port *port, const char *adapter,
                          char protocol, struct fault *fault)
{
    struct can_link *c = calloc(1, sizeof *c);

    if (c == NULL) {
        port->close(port);
        return fault_set(fault, ST_FATAL, "out of memory");
    }
    c->link = (struct link){.request = can_request,
                            .voltage = can_voltage,
                            .search = can_search,
                            .close = can_close,
                            .protocol = '0'};
    snprintf(c->link.adapter, sizeof c->link.adapter, "%s", adapter);
    c->port = port;
    c->hint = link_is_can(protocol) ? protocol : '0';
    *out = &c->link;
    return ST_OK;
}
