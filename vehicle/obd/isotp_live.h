/* vehicle/obd/isotp_live.h - ISO-TP (ISO 15765-2, normal addressing) where nobody does it for us:
 * frame by frame, in the order of the bus, with flow control both ways.  isotp.h is for frames an
 * adapter has already collected.  Pure: frames in, frames out, the time (boot, ms) as an argument;
 * bounded: eight ECUs at once, 4095 bytes each, and no session outlives ISOTP_WAIT_MS of silence.
 */
#ifndef VEHICLE_OBD_ISOTP_LIVE_H
#define VEHICLE_OBD_ISOTP_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "isotp.h"

#define ISOTP_WAIT_MS 1000 /* N_Cr and N_Bs: the longest silence between two frames */
#define ISOTP_WAITS_MAX 10 /* flow control "wait" in a row (N_WFTmax) */

/* ---- receiving */

enum isotp_event {
    ISOTP_NOTHING, /* one frame of many, or one that means nothing */
    ISOTP_MESSAGE, /* *bytes, *len: whole; valid until the next call */
    ISOTP_FLOW,    /* a first frame came: send flow control (30 00 00) to that ECU now */
    ISOTP_LOST,    /* a message had to be given up: a hole, a foreign or impossible length */
    ISOTP_CONTROL, /* flow control for what we send: see isotp_tx_flow */
};

struct isotp_session {
    bool open;
    uint32_t ecu;
    size_t total, have;
    uint8_t next; /* index of the consecutive frame wanted */
    int64_t until_ms;
    uint8_t bytes[ISOTP_MESSAGE_MAX];
};

struct isotp_rx {
    struct isotp_session sessions[ISOTP_ECUS_MAX];
};

void isotp_rx_init(struct isotp_rx *rx);

/* Take one frame's data (PCI first).  A first or single frame ends what that ECU had begun. */
enum isotp_event isotp_rx_take(struct isotp_rx *rx, uint32_t ecu, const uint8_t *data, size_t len,
                               int64_t now_ms, const uint8_t **bytes, size_t *bytes_len);

/* Give up sessions that waited too long; returns how many. */
unsigned isotp_rx_expire(struct isotp_rx *rx, int64_t now_ms);

/* How many messages are being received. */
size_t isotp_rx_open(const struct isotp_rx *rx);

/* ---- sending */

enum isotp_tx_state {
    ISOTP_TX_READY, /* isotp_tx_next has a frame */
    ISOTP_TX_WAIT,  /* for flow control */
    ISOTP_TX_DONE,
    ISOTP_TX_FAILED, /* the receiver refused, or made us wait too often */
};

struct isotp_tx {
    enum isotp_tx_state state;
    size_t len, at;
    uint8_t next;
    unsigned block; /* frames left in this block; 0: no limit */
    unsigned waits;
    int gap_ms; /* between two frames, as the receiver asked */
    uint8_t bytes[ISOTP_MESSAGE_MAX];
};

/* False when `len` is 0 or above 4095. */
bool isotp_tx_begin(struct isotp_tx *tx, const uint8_t *bytes, size_t len);

/* The next frame, filled up with 00 to eight bytes; false unless the state is READY. */
bool isotp_tx_next(struct isotp_tx *tx, uint8_t frame[8]);

/* Flow control (3n) came. */
void isotp_tx_flow(struct isotp_tx *tx, const uint8_t *data, size_t len);

#endif
