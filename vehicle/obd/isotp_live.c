/* vehicle/obd/isotp_live.c - see isotp_live.h. */
#include "isotp_live.h"

#include <string.h>

enum { PCI_SINGLE, PCI_FIRST, PCI_CONSECUTIVE, PCI_FLOW };

void isotp_rx_init(struct isotp_rx *rx)
{
    for (size_t i = 0; i < ISOTP_ECUS_MAX; i++)
        rx->sessions[i].open = false;
}

static struct isotp_session *rx_find(struct isotp_rx *rx, uint32_t ecu)
{
    for (size_t i = 0; i < ISOTP_ECUS_MAX; i++)
        if (rx->sessions[i].open && rx->sessions[i].ecu == ecu)
            return &rx->sessions[i];
    return NULL;
}

static struct isotp_session *rx_free(struct isotp_rx *rx)
{
    for (size_t i = 0; i < ISOTP_ECUS_MAX; i++)
        if (!rx->sessions[i].open)
            return &rx->sessions[i];
    return NULL;
}

static enum isotp_event rx_single(const uint8_t *data, size_t len, const uint8_t **bytes,
                                  size_t *bytes_len)
{
    size_t total = data[0] & 15U;

    if (total == 0 || total > 7 || len < 1 + total)
        return ISOTP_LOST;
    *bytes = data + 1;
    *bytes_len = total;
    return ISOTP_MESSAGE;
}

/* A first frame carries six bytes, so it is whole and says more than seven.  Length 0 announces one
 * of more than 4095 bytes: no OBD answer is that long. */
static enum isotp_event rx_first(struct isotp_rx *rx, uint32_t ecu, const uint8_t *data, size_t len,
                                 int64_t now_ms)
{
    size_t total = len < 2 ? 0 : (data[0] & 15U) * 256U + data[1];
    struct isotp_session *s = rx_free(rx);

    if (total < 8 || len < 8 || s == NULL)
        return ISOTP_LOST;
    s->open = true;
    s->ecu = ecu;
    s->total = total;
    s->have = 6;
    s->next = 1;
    s->until_ms = now_ms + ISOTP_WAIT_MS;
    memcpy(s->bytes, data + 2, 6);
    return ISOTP_FLOW;
}

static enum isotp_event rx_consecutive(struct isotp_session *s, const uint8_t *data, size_t len,
                                       int64_t now_ms, const uint8_t **bytes, size_t *bytes_len)
{
    size_t room;

    if (s == NULL)
        return ISOTP_NOTHING; /* of a message that was given up, or that we never saw begin */
    room = s->total - s->have < 7 ? s->total - s->have : 7;
    if ((data[0] & 15U) != s->next || len < 1 + room) {
        s->open = false;
        return ISOTP_LOST;
    }
    memcpy(s->bytes + s->have, data + 1, room);
    s->have += room;
    s->next = (uint8_t)((s->next + 1U) & 15U);
    s->until_ms = now_ms + ISOTP_WAIT_MS;
    if (s->have < s->total)
        return ISOTP_NOTHING;
    s->open = false;
    *bytes = s->bytes;
    *bytes_len = s->total;
    return ISOTP_MESSAGE;
}

enum isotp_event isotp_rx_take(struct isotp_rx *rx, uint32_t ecu, const uint8_t *data, size_t len,
                               int64_t now_ms, const uint8_t **bytes, size_t *bytes_len)
{
    struct isotp_session *s = rx_find(rx, ecu);

    if (len == 0)
        return ISOTP_NOTHING;
    switch (data[0] >> 4) {
    case PCI_SINGLE:
    case PCI_FIRST:
        if (s != NULL)
            s->open = false;
        if (data[0] >> 4 == PCI_FIRST)
            return rx_first(rx, ecu, data, len, now_ms);
        return rx_single(data, len, bytes, bytes_len);
    case PCI_CONSECUTIVE:
        return rx_consecutive(s, data, len, now_ms, bytes, bytes_len);
    case PCI_FLOW:
        return ISOTP_CONTROL;
    default:
        return ISOTP_NOTHING;
    }
}

unsigned isotp_rx_expire(struct isotp_rx *rx, int64_t now_ms)
{
    unsigned n = 0;

    for (size_t i = 0; i < ISOTP_ECUS_MAX; i++)
        if (rx->sessions[i].open && now_ms >= rx->sessions[i].until_ms) {
            rx->sessions[i].open = false;
            n++;
        }
    return n;
}

size_t isotp_rx_open(const struct isotp_rx *rx)
{
    size_t n = 0;

    for (size_t i = 0; i < ISOTP_ECUS_MAX; i++)
        n += rx->sessions[i].open;
    return n;
}

/* ---- sending */

bool isotp_tx_begin(struct isotp_tx *tx, const uint8_t *bytes, size_t len)
{
    if (len == 0 || len > ISOTP_MESSAGE_MAX)
        return false;
    memcpy(tx->bytes, bytes, len);
    tx->len = len;
    tx->at = 0;
    tx->next = 1;
    tx->block = tx->waits = 0;
    tx->gap_ms = 0;
    tx->state = ISOTP_TX_READY;
    return true;
}

bool isotp_tx_next(struct isotp_tx *tx, uint8_t frame[8])
{
    size_t n = tx->len - tx->at, head = 1;

    if (tx->state != ISOTP_TX_READY)
        return false;
    memset(frame, 0, 8);
    if (tx->at == 0 && tx->len <= 7) {
        frame[0] = (uint8_t)tx->len;
    } else if (tx->at == 0) {
        frame[0] = (uint8_t)(0x10 | tx->len >> 8);
        frame[1] = (uint8_t)tx->len;
        head = 2;
    } else {
        frame[0] = (uint8_t)(0x20 | tx->next);
        tx->next = (uint8_t)((tx->next + 1U) & 15U);
    }
    if (n > 8 - head)
        n = 8 - head;
    memcpy(frame + head, tx->bytes + tx->at, n);
    tx->at += n;
    if (tx->at == tx->len)
        tx->state = ISOTP_TX_DONE;
    else if (head == 2 || (tx->block > 0 && --tx->block == 0))
        tx->state = ISOTP_TX_WAIT;
    return true;
}

/* STmin: 00 .. 7F ms, F1 .. F9 hundreds of microseconds, anything else is taken as the longest. */
static int tx_gap(uint8_t st_min)
{
    if (st_min <= 0x7F)
        return st_min;
    return st_min >= 0xF1 && st_min <= 0xF9 ? 1 : 0x7F;
}

void isotp_tx_flow(struct isotp_tx *tx, const uint8_t *data, size_t len)
{
    if (tx->state != ISOTP_TX_WAIT || len < 3 || data[0] >> 4 != PCI_FLOW)
        return;
    switch (data[0] & 15U) {
    case 0: /* clear to send */
        tx->block = data[1];
        tx->gap_ms = tx_gap(data[2]);
        tx->waits = 0;
        tx->state = ISOTP_TX_READY;
        break;
    case 1: /* wait for the next one */
        if (++tx->waits > ISOTP_WAITS_MAX)
            tx->state = ISOTP_TX_FAILED;
        break;
    default: /* overflow, or nothing that exists */
        tx->state = ISOTP_TX_FAILED;
    }
}
