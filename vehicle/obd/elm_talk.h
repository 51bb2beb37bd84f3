/* vehicle/obd/elm_talk.h - one line to an ELM327, its reply up to the prompt.  One rule above all:
 * never write before the prompt; another: a lone CR repeats the adapter's last command, so it is
 * sent only when that is known and harmless.  One thread. */
#ifndef VEHICLE_OBD_ELM_TALK_H
#define VEHICLE_OBD_ELM_TALK_H

#include "elm_reply.h"
#include "serial.h"

#define ELM_COMMAND_MS 1500

struct elm_talk {
    struct serial *serial; /* taken: elm_hang_up closes it */
    struct elm_intake in;  /* the last reply */
    int64_t boot_ms;       /* midpoint of the last exchange */
    bool wary;             /* its last command may be one that must not be repeated */
};

/* Write a line and read its reply.  *prompt: it came.  When it stays away one CR often brings it
 * (the adapter repeats the line).  `once`: the line never goes out a second time, whatever
 * happens.  ST_RETRY: the cable is gone; ST_NONE: stop was asked for. */
enum status elm_exchange(struct elm_talk *t, const char *line, int wait_ms, bool once, bool *prompt,
                         struct fault *fault) MUST_CHECK;

/* An AT command and the text it was answered with.  *outcome LINK_TIMEOUT when no prompt came. */
enum status elm_command(struct elm_talk *t, const char *line, int wait_ms,
                        enum link_outcome *outcome, char *text, size_t size,
                        struct fault *fault) MUST_CHECK;

/* After a line that went out once and whose prompt did not come: give the adapter another last
 * command.  ST_RETRY: it takes none. */
enum status elm_forget(struct elm_talk *t, struct fault *fault) MUST_CHECK;

/* Open a device and wait for a prompt, at `baud` or, with 0, at each usual speed.  ST_RETRY:
 * nothing there answers. */
enum status elm_dial(struct elm_talk *t, const char *name, int baud,
                     struct fault *fault) MUST_CHECK;
void elm_hang_up(struct elm_talk *t);

#endif
