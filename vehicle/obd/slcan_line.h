/* vehicle/obd/slcan_line.h - the Lawicel ASCII protocol (CAN232, CANUSB, "SLCAN"), both ways: bytes
 * from the adapter to frames and acknowledgements, frames to the lines that send them.
 *     t iii l dd...      11-bit data frame     T iiiiiiii l dd...   29-bit        (r, R: remote)
 *     CR  taken     BEL  refused     z CR, Z CR  frame taken     Vhhss CR   Nxxxx CR   Fxx CR
 * There is no checksum.  A line that is not exactly what its length digit promises is dropped; a
 * letter that begins a frame begins one even where the CR before it was lost.  So a bad byte costs
 * at most one frame.  Pure; bounded: 40 bytes a line. */
#ifndef VEHICLE_OBD_SLCAN_LINE_H
#define VEHICLE_OBD_SLCAN_LINE_H

#include <stddef.h>

#include "can_port.h"

#define SLCAN_LINE_MAX 40  /* a 29-bit frame of 8 bytes with time stamp: 30 */
#define SLCAN_SEND_MAX 32  /* what slcan_print writes at most, with its CR */
#define SLCAN_EVENTS_MAX 2 /* of one byte: the line it ended, and its own */

enum slcan_kind {
    SLCAN_FRAME,
    SLCAN_TAKEN,   /* CR alone, z or Z */
    SLCAN_REFUSED, /* BEL */
    SLCAN_TEXT,    /* V, N or F and hex digits */
    SLCAN_JUNK,    /* anything else; dropped, to be counted */
};

struct slcan_event {
    enum slcan_kind kind;
    struct can_packet packet;
    char text[SLCAN_LINE_MAX + 1];
};

struct slcan_reader {
    size_t len;
    bool bad;    /* the line is broken: wait for its end */
    bool stamps; /* frames end in a time stamp of four digits (Z1) */
    char line[SLCAN_LINE_MAX];
};

void slcan_reader_init(struct slcan_reader *r);

/* Take one byte; returns how many events it made, 0 .. SLCAN_EVENTS_MAX. */
size_t slcan_feed(struct slcan_reader *r, char byte, struct slcan_event out[SLCAN_EVENTS_MAX]);

/* The line has been silent for long: what stands there ends here, its CR was lost.  Returns 0 or 1.
 */
size_t slcan_silence(struct slcan_reader *r, struct slcan_event *out);

/* "t7DF802010C0000000000\r", not terminated; returns its length. */
size_t slcan_print(char out[SLCAN_SEND_MAX], const struct can_packet *packet);

#endif
