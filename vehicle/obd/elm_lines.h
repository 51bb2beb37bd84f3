/* vehicle/obd/elm_lines.h - lines of an ELM327 reply: echo, status texts, hex.  Pure. */
#ifndef VEHICLE_OBD_ELM_LINES_H
#define VEHICLE_OBD_ELM_LINES_H

#include "elm_reply.h"

enum elm_line_kind {
    ELM_LINE_ECHO,
    ELM_LINE_STATUS, /* outcome says which */
    ELM_LINE_OTHER,  /* hex, or nothing we know */
};

struct elm_line {
    enum elm_line_kind kind;
    enum link_outcome outcome;
    char text[ELM_LINE_MAX + 1]; /* blanks stripped, upper case, progress words in front removed */
    size_t len;
};

/* The next line from *at on; false at the end. */
bool elm_next_line(const char *text, size_t text_len, size_t *at, const char **line, size_t *len);

/* Judge one line (at most ELM_LINE_MAX bytes); `sent` is what had been written. */
void elm_line_read(struct elm_line *out, const char *raw, size_t len, const char *sent);

int elm_hex_digit(char c);                                    /* 0 .. 15, -1 */
bool elm_is_hex(const char *text, size_t len);                /* all digits, at least one */
void elm_unhex(uint8_t *out, const char *hex, size_t digits); /* an even count; out: digits / 2 */

#endif
