/* vehicle/obd/elm_reply.h - what an ELM327 or a relative of it wrote, up to its prompt, taken
 * apart. The grammar: bytes to '>', NULs dropped, split on CR and LF, blanks stripped; a line is
 * the echo, a status text, hex with the header the protocol promises, hex without header, or
 * nothing we know.  A value is believed only if service + 0x40 and the identifier are those asked
 * for.  Pure; bounded: 512 bytes a line, 8 KiB a reply. */
#ifndef VEHICLE_OBD_ELM_REPLY_H
#define VEHICLE_OBD_ELM_REPLY_H

#include "link.h"

#define ELM_LINE_MAX 512
#define ELM_REPLY_MAX 8192

/* Bytes as they come from the adapter. */
struct elm_intake {
    char text[ELM_REPLY_MAX];
    size_t len;
    size_t line;      /* length of the line being received */
    size_t discarded; /* bytes beyond the bounds */
    bool prompt;      /* '>' came: the reply is whole */
};

void elm_intake_init(struct elm_intake *in);

/* Take bytes up to the prompt; returns how many were used, what follows belongs to nobody.
 * *substance: a byte other than blanks, line ends and the prompt was among them. */
size_t elm_intake_feed(struct elm_intake *in, const char *bytes, size_t len, bool *substance);

/* What was asked, as far as the answer depends on it. */
struct elm_asked {
    const char *sent; /* the line written, without its end */
    char protocol;    /* as ATDPN said; '0' not known: only headerless lines are read */
    const uint8_t *bytes;
    size_t len; /* service and identifiers; 0: an AT command, text is what counts */
};

/* The answer to an OBD request: fills outcome, messages, bytes, refused, ignored, cut; leaves
 * boot_ms. */
void elm_reply_parse(struct link_answer *out, const struct elm_intake *in,
                     const struct elm_asked *asked);

/* The answer to an AT or ST command: its first line that is neither echo nor progress, stripped of
 * blanks at both ends, into `out`.  LINK_ANSWERED; LINK_UNKNOWN for '?'; LINK_NO_DATA when there
 * was none; else what the text says. */
enum link_outcome elm_reply_text(char *out, size_t size, const struct elm_intake *in,
                                 const char *sent);

/* "12.4V", "12.4" -> volts; false when it is not one within 0 .. 40. */
bool elm_read_volts(const char *text, double *volts);

/* "A6", "6", "0" -> the protocol's digit; '0' when it is none. */
char elm_read_protocol(const char *text);

#endif
