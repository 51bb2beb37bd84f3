/* vehicle/obd/elm327.c - see elm327.h. */
#include "elm327.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elm_talk.h"

#define ELM_RESET_MS 3000
#define ELM_REQUEST_MS 2000
#define ELM_SEARCH_MS 12000
#define ELM_TRIES 3
#define ELM_AIM_LOST 1U

struct elm327 {
    struct link link;
    struct elm_talk talk;
    char hint;       /* protocol to begin with, '0' automatic */
    int hint_misses; /* searches it failed */
    bool found;      /* the bus spoke since the adapter was opened */
    bool headers_off;
    bool
        headed; /* answers have said who gave them: one that does not is from a restarted adapter */
    uint32_t aim;           /* the ECU requests go to; 0 all of them, ELM_AIM_LOST not known */
    bool no_aim, no_suffix; /* the adapter or this car does not take them */
    int resets, bus_errors; /* in a row */
};

static struct elm327 *elm_of(struct link *link)
{
    return (struct elm327 *)link; /* its first member */
}

/* ---- setting up */

/* Commands that may be answered '?' by old or small relatives: then their default has to do. */
static enum status elm_configure(struct elm327 *e, struct fault *fault)
{
    char protocol[8], text[64];
    const char *const lines[] = {"ATE0",  "ATL0",  "ATS0", e->headers_off ? "ATH0" : "ATH1",
                                 "ATAT1", protocol};
    enum link_outcome outcome;
    enum status st;

    snprintf(protocol, sizeof protocol, "ATSP%c",
             e->link.protocol != '0' ? e->link.protocol : e->hint);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if ((st = elm_command(&e->talk, lines[i], ELM_COMMAND_MS, &outcome, text, sizeof text,
                              fault)) != ST_OK)
            return st;
        if (outcome == LINK_TIMEOUT)
            return fault_set(fault, ST_RETRY, "no prompt after %s", lines[i]);
    }
    if (e->aim != 0)
        e->aim = ELM_AIM_LOST; /* whether setting the protocol resets it is up to the adapter */
    return ST_OK;
}

static enum status elm_restart(struct elm327 *e, struct fault *fault)
{
    enum link_outcome outcome;
    char text[64];
    enum status st;

    if ((st = elm_command(&e->talk, "ATZ", ELM_RESET_MS, &outcome, text, sizeof text, fault)) !=
        ST_OK)
        return st;
    if (outcome == LINK_TIMEOUT)
        return fault_set(fault, ST_RETRY, "no prompt after ATZ");
    e->aim = 0;
    if (strstr(text, "ELM") != NULL || e->link.adapter[0] == '\0')
        snprintf(e->link.adapter, sizeof e->link.adapter, "%s", text);
    return elm_configure(e, fault);
}

/* ---- requests */

/* Have requests go to the ECU that answers with `to`, or to all.  An adapter or protocol that has
 * no such thing keeps asking all. */
static enum status elm_aim(struct elm327 *e, uint32_t to, struct fault *fault)
{
    bool is_long = e->link.protocol == '7' || e->link.protocol == '9';
    enum link_outcome outcome;
    char line[16], text[64];
    enum status st;

    if (e->aim == to || e->no_aim || e->headers_off || !link_is_can(e->link.protocol))
        return ST_OK;
    if (to == 0)
        snprintf(line, sizeof line, "%s", is_long ? "ATSHDB33F1" : "ATSH7DF");
    else if (is_long)
        snprintf(line, sizeof line, "ATSHDA%02XF1", to & 0xFFU);
    else
        snprintf(line, sizeof line, "ATSH%03X", (to - 8U) & 0x7FFU);
    if ((st = elm_command(&e->talk, line, ELM_COMMAND_MS, &outcome, text, sizeof text, fault)) !=
        ST_OK)
        return st;
    if (outcome == LINK_ANSWERED)
        e->aim = to;
    else if (e->aim == 0)
        e->no_aim = true; /* it does not know the command: all are asked, as before */
    return ST_OK;
}

/* May the adapter be told how many lines to wait for? */
static bool elm_may_count(const struct elm327 *e, const struct link_request *request)
{
    return request->to != 0 && e->aim == request->to && !e->no_suffix && request->frames >= 1 &&
           request->frames <= 15;
}

/* An adapter that restarted between two requests says so when nobody listens.  It is back at its
 * defaults then: no headers, other timing. */
static void elm_note_headers(struct elm327 *e, struct link_answer *answer)
{
    bool headed = answer->messages[0].ecu != 0;

    if (e->headed && !headed && !e->headers_off)
        answer->outcome = LINK_RESET;
    e->headed = headed || (e->headed && !e->headers_off);
}

static enum status elm_ask(struct elm327 *e, const struct link_request *request, bool counted,
                           struct link_answer *answer, struct fault *fault)
{
    char line[2 * LINK_REQUEST_MAX + 2];
    struct elm_asked asked = {line, e->headers_off ? '0' : e->link.protocol, request->bytes,
                              request->len};
    bool prompt = false;
    enum status st;

    for (size_t i = 0; i < request->len; i++)
        snprintf(line + 2 * i, 3, "%02X", request->bytes[i]);
    if (counted)
        snprintf(line + 2 * request->len, 2, "%X", request->frames & 15U);
    st = elm_exchange(&e->talk, line, request->wait_ms != 0 ? request->wait_ms : ELM_REQUEST_MS,
                      request->once, &prompt, fault);
    if (st != ST_OK)
        return st;
    elm_reply_parse(answer, &e->talk.in, &asked);
    answer->boot_ms = e->talk.boot_ms;
    if (!prompt)
        answer->outcome = LINK_TIMEOUT;
    else if (answer->outcome == LINK_ANSWERED)
        elm_note_headers(e, answer);
    return !prompt && request->once ? elm_forget(&e->talk, fault) : ST_OK;
}

/* What has to be done before the same request may go out again.  *again: it may. */
static enum status elm_mend(struct elm327 *e, const struct link_answer *answer, int attempt,
                            bool *again, struct fault *fault)
{
    enum link_outcome outcome;
    char text[64];

    *again = attempt == 0;
    switch (answer->outcome) {
    case LINK_STOPPED:
    case LINK_DAMAGED:
        return ST_OK;
    case LINK_PENDING: /* give the ECU all the time the adapter can */
        return elm_command(&e->talk, "ATSTFF", ELM_COMMAND_MS, &outcome, text, sizeof text, fault);
    case LINK_RESET:
        *again = true;
        if (++e->resets >= 3)
            return fault_set(fault, ST_RETRY, "the adapter keeps restarting");
        return elm_restart(e, fault);
    case LINK_TIMEOUT: /* the lone CR did not help */
        return elm_restart(e, fault);
    case LINK_BUS:
        *again = false;
        if (++e->bus_errors < 3)
            return ST_OK;
        e->bus_errors = 0;
        if (elm_command(&e->talk, "ATPC", ELM_COMMAND_MS, &outcome, text, sizeof text, fault) !=
            ST_OK)
            return fault_set(fault, ST_RETRY, "the adapter does not answer after bus errors");
        return elm_configure(e, fault);
    default:
        *again = false;
        return ST_OK;
    }
}

/* Ask with the number of lines, where that may be.  When it did not bring an answer, once without;
 * if that did, the number costs lines here and is not used again. */
static enum status elm_ask_best(struct elm327 *e, const struct link_request *request,
                                struct link_answer *answer, struct fault *fault)
{
    enum status st;

    if ((st = elm_aim(e, request->to, fault)) != ST_OK)
        return st;
    if (!elm_may_count(e, request))
        return elm_ask(e, request, false, answer, fault);
    st = elm_ask(e, request, true, answer, fault);
    if (st != ST_OK || (answer->outcome != LINK_UNKNOWN && answer->outcome != LINK_NO_DATA &&
                        answer->outcome != LINK_DAMAGED && answer->outcome != LINK_PENDING))
        return st;
    e->no_suffix = answer->outcome == LINK_UNKNOWN;
    st = elm_ask(e, request, false, answer, fault);
    e->no_suffix = e->no_suffix || (st == ST_OK && answer->outcome == LINK_ANSWERED);
    return st;
}

static enum status elm_request(struct link *link, const struct link_request *request,
                               struct link_answer *answer, struct fault *fault)
{
    struct elm327 *e = elm_of(link);
    bool again = true;
    enum status st;

    if (request->once)
        return (st = elm_aim(e, request->to, fault)) == ST_OK
                   ? elm_ask(e, request, false, answer, fault)
                   : st;
    for (int attempt = 0; attempt < ELM_TRIES && again; attempt++) {
        if ((st = elm_ask_best(e, request, answer, fault)) != ST_OK)
            return st;
        if (answer->outcome <= LINK_REFUSED) {
            e->resets = e->bus_errors = 0;
            return ST_OK;
        }
        if ((st = elm_mend(e, answer, attempt, &again, fault)) != ST_OK)
            return st;
    }
    return ST_OK;
}

static enum status elm_voltage(struct link *link, double *volts, struct fault *fault)
{
    struct elm327 *e = elm_of(link);
    enum link_outcome outcome;
    char text[64];
    enum status st =
        elm_command(&e->talk, "ATRV", ELM_COMMAND_MS, &outcome, text, sizeof text, fault);

    if (st != ST_OK)
        return st;
    if (outcome == LINK_TIMEOUT)
        return fault_set(fault, ST_RETRY, "no prompt after ATRV");
    return elm_read_volts(text, volts) ? ST_OK : ST_REJECT;
}

/* ---- finding the bus */

static enum status elm_find_protocol(struct elm327 *e, struct fault *fault)
{
    enum link_outcome outcome;
    char text[64];
    enum status st;

    for (int i = 0; i < ELM_TRIES; i++) { /* noise is no answer; '?' is one */
        if ((st = elm_command(&e->talk, "ATDPN", ELM_COMMAND_MS, &outcome, text, sizeof text,
                              fault)) != ST_OK)
            return st;
        e->link.protocol = outcome == LINK_ANSWERED ? elm_read_protocol(text) : '0';
        if (e->link.protocol != '0') {
            e->hint = e->link.protocol;
            e->found = true;
            return ST_OK;
        }
        if (outcome == LINK_UNKNOWN)
            break;
    }
    e->headers_off = true; /* an adapter that cannot say what it speaks: read it without headers */
    return elm_command(&e->talk, "ATH0", ELM_COMMAND_MS, &outcome, text, sizeof text, fault);
}

/* Back to the defaults, so that the search asks everybody. */
static enum status elm_forget_aim(struct elm327 *e, struct fault *fault)
{
    enum link_outcome outcome;
    char text[64];

    if (e->aim == 0)
        return ST_OK;
    e->aim = 0;
    return elm_command(&e->talk, "ATD", ELM_COMMAND_MS, &outcome, text, sizeof text, fault);
}

/* Ask on the protocol the hint names.  *heard: something spoke; what, is read once the protocol is
 * known. */
static enum status elm_look(struct elm327 *e, struct link_answer *answer, bool *heard,
                            struct fault *fault)
{
    static const struct link_request first = {
        .bytes = {0x01, 0x00}, .len = 2, .wait_ms = ELM_SEARCH_MS};
    enum status st;

    if ((st = elm_configure(e, fault)) != ST_OK ||
        (st = elm_ask(e, &first, false, answer, fault)) != ST_OK)
        return st;
    *heard =
        answer->outcome == LINK_ANSWERED || answer->outcome == LINK_REFUSED || answer->ignored > 0;
    return ST_OK;
}

static enum status elm_search(struct link *link, struct link_answer *answer, struct fault *fault)
{
    static const struct link_request known = {.bytes = {0x01, 0x00}, .len = 2};
    struct elm327 *e = elm_of(link);
    bool heard = false;
    enum status st;

    link->protocol = '0';
    e->headers_off = false;
    if (e->hint_misses >= 2)
        e->hint = '0', e->hint_misses = 0;
    if ((st = elm_forget_aim(e, fault)) != ST_OK ||
        (st = elm_look(e, answer, &heard, fault)) != ST_OK)
        return st;
    if (!heard && e->hint != '0' && !e->found) { /* remembered from another day, or another car */
        e->hint = '0';
        if ((st = elm_look(e, answer, &heard, fault)) != ST_OK)
            return st;
    }
    if (!heard) {
        e->hint_misses++;
        return ST_OK;
    }
    e->hint_misses = 0;
    if ((st = elm_find_protocol(e, fault)) != ST_OK)
        return st;
    return elm_request(link, &known, answer, fault);
}

/* ---- opening */

static enum status elm_introduce(struct elm327 *e, struct fault *fault)
{
    enum link_outcome outcome;
    char text[64];
    enum status st;

    if ((st = elm_restart(e, fault)) != ST_OK ||
        (st = elm_command(&e->talk, "STI", ELM_COMMAND_MS, &outcome, text, sizeof text, fault)) !=
            ST_OK)
        return st;
    if (outcome == LINK_ANSWERED && text[0] != '\0')
        snprintf(e->link.adapter, sizeof e->link.adapter, "%s", text);
    return ST_OK;
}

static void elm_close(struct link *link)
{
    struct elm327 *e = elm_of(link);

    elm_hang_up(&e->talk);
    free(e);
}

enum status elm327_open(struct link **out, const char *name, int baud, char protocol,
                        struct fault *fault)
{
    struct elm327 *e = calloc(1, sizeof *e);
    enum status st;

    if (e == NULL)
        return fault_set(fault, ST_FATAL, "out of memory");
    e->link = (struct link){.request = elm_request,
                            .voltage = elm_voltage,
                            .search = elm_search,
                            .close = elm_close,
                            .protocol = '0'};
    e->hint = protocol;
    if ((st = elm_dial(&e->talk, name, baud, fault)) != ST_OK ||
        (st = elm_introduce(e, fault)) != ST_OK) {
        elm_close(&e->link);
        return st;
    }
    *out = &e->link;
    return ST_OK;
}
