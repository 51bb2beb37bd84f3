/* vehicle/obd/elm_talk.c - see elm_talk.h. */
#include "elm_talk.h"

#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/stop.h"

#define ELM_RESCUE_MS 1000 /* for the prompt after a lone CR */
#define ELM_TRIES 3
#define ELM_HARMLESS "ATI" /* its name: the bus does not notice */

/* Read to the prompt.  ST_OK: *prompt says whether it came in time. */
static enum status elm_collect(struct elm_talk *t, int wait_ms, bool *prompt, struct fault *fault)
{
    int64_t began = clock_boot_ms(), deadline = began + wait_ms, ended = began;
    char chunk[512];
    bool substance;
    enum status st;
    size_t n;

    elm_intake_init(&t->in);
    while (!t->in.prompt) {
        st = serial_read(t->serial, chunk, sizeof chunk, deadline, &n, fault);
        if (st == ST_NONE)
            break;
        if (st != ST_OK)
            return st;
        substance = false;
        elm_intake_feed(&t->in, chunk, n, &substance);
        if (substance)
            ended = clock_boot_ms();
    }
    t->boot_ms = began + (ended - began) / 2;
    *prompt = t->in.prompt;
    return stop_asked() ? ST_NONE : ST_OK;
}

static enum status elm_write(struct elm_talk *t, const char *line, struct fault *fault)
{
    char text[64];
    int n = snprintf(text, sizeof text, "%s\r", line);

    serial_flush(t->serial); /* whatever still came belongs to an older question */
    return serial_write(t->serial, text, (size_t)n, clock_boot_ms() + ELM_COMMAND_MS, fault);
}

enum status elm_exchange(struct elm_talk *t, const char *line, int wait_ms, bool once, bool *prompt,
                         struct fault *fault)
{
    enum status st;

    t->wary = t->wary || once;
    if ((st = elm_write(t, line, fault)) != ST_OK ||
        (st = elm_collect(t, wait_ms, prompt, fault)) != ST_OK || *prompt || once)
        return st;
    /* the line itself may have been lost: then a CR would repeat the one before it */
    if ((st = elm_write(t, t->wary ? line : "", fault)) != ST_OK)
        return st;
    return elm_collect(t, ELM_RESCUE_MS, prompt, fault);
}

enum status elm_command(struct elm_talk *t, const char *line, int wait_ms,
                        enum link_outcome *outcome, char *text, size_t size, struct fault *fault)
{
    bool prompt = false;
    enum status st = elm_exchange(t, line, wait_ms, false, &prompt, fault);

    if (st != ST_OK)
        return st;
    text[0] = '\0';
    *outcome = prompt ? elm_reply_text(text, size, &t->in, line) : LINK_TIMEOUT;
    if (*outcome == LINK_ANSWERED || *outcome == LINK_RESET) /* its name reads like a restart */
        t->wary = false;
    return ST_OK;
}

enum status elm_forget(struct elm_talk *t, struct fault *fault)
{
    enum link_outcome outcome;
    char text[64];
    enum status st;

    /* the first may only end what the adapter is busy with */
    for (int i = 0; i < ELM_TRIES; i++) {
        st = elm_command(t, ELM_HARMLESS, ELM_COMMAND_MS, &outcome, text, sizeof text, fault);
        if (st != ST_OK || !t->wary)
            return st;
    }
    return fault_set(fault, ST_RETRY, "the adapter does not answer %s", ELM_HARMLESS);
}

static enum status elm_hello(struct elm_talk *t, struct fault *fault)
{
    bool prompt = false;
    enum status st;

    t->wary = true; /* nobody knows what it was asked last */
    for (int i = 0; i < 2 && !prompt; i++)
        if ((st = elm_write(t, ELM_HARMLESS, fault)) != ST_OK ||
            (st = elm_collect(t, ELM_RESCUE_MS, &prompt, fault)) != ST_OK)
            return st;
    return prompt ? ST_OK : fault_set(fault, ST_REJECT, "no prompt");
}

enum status elm_dial(struct elm_talk *t, const char *name, int baud, struct fault *fault)
{
    static const int speeds[] = {38400, 115200, 9600, 230400};
    enum status st = ST_RETRY;

    for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++) {
        if ((st = serial_open(&t->serial, name, baud != 0 ? baud : speeds[i], fault)) != ST_OK)
            return st;
        st = elm_hello(t, fault);
        if (st == ST_OK || st == ST_NONE)
            return st;
        elm_hang_up(t);
        if (baud != 0)
            break;
    }
    return st == ST_REJECT
               ? fault_set(fault, ST_RETRY, "%s: nothing there answers with a prompt", name)
               : st;
}

void elm_hang_up(struct elm_talk *t)
{
    serial_close(t->serial);
    t->serial = NULL;
}
