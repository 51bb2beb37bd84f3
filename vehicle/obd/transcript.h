/* vehicle/obd/transcript.h - a captured conversation with an adapter, exchange by exchange.
 * A request is a line that starts with '>' (a prompt and what was typed behind it); the lines up to
 * the next one are its answer.  Which form they have (headers, 11 or 29 bit, an older bus, none) is
 * what ATDPN said where the transcript holds it: the newest before the request, else the first
 * after it.  Otherwise it is inferred, for each reply by itself.  Pure; borrows the text. */
#ifndef VEHICLE_OBD_TRANSCRIPT_H
#define VEHICLE_OBD_TRANSCRIPT_H

#include "elm_reply.h"

#define EXCHANGE_TEXT_MAX 80

struct transcript {
    const char *text;
    size_t len, at;
    char protocol; /* as ATDPN said; '0' not known */
};

struct exchange {
    char request[EXCHANGE_TEXT_MAX]; /* as typed, blanks stripped, upper case */
    bool is_obd;                     /* hex: bytes, answer and error are filled; else text is */
    uint8_t bytes[LINK_REQUEST_MAX]; /* a reply count behind the last byte is left out */
    size_t len;
    char protocol;  /* the form its lines were read in: '1' .. '9', '0' without headers */
    bool can_known; /* the protocol's kind of bus is known, not guessed from headerless lines */
    struct link_answer answer;
    char text[EXCHANGE_TEXT_MAX];  /* what the adapter said to a command */
    char error[EXCHANGE_TEXT_MAX]; /* "" when the answer is whole */
};

void transcript_init(struct transcript *t, const char *text, size_t len);

/* How many lines stand behind no request and so are left out: the '>' before a request is missing.
 * numbers[]: of the first `max` of them, counted from 1. */
size_t transcript_left_out(const struct transcript *t, size_t *numbers, size_t max);

/* The next exchange; false at the end.  Static buffers inside: one thread. */
bool transcript_next(struct transcript *t, struct exchange *out);

#endif
