/* Any frames and any flow control: no message longer than the bytes that came for it, no sender
 * that sends more than it has. */
#include "tests/fuzz/require.h"

#include "vehicle/obd/isotp_live.h"

static void receive(const uint8_t *data, size_t size)
{
    static struct isotp_rx rx;
    size_t given[4] = {0}, at = 0;
    int64_t now = 0;

    isotp_rx_init(&rx);
    while (at + 1 < size) {
        size_t len = data[at] % 9, ecu = data[at] >> 6, out_len = 0;
        const uint8_t *out = NULL;

        if (len > size - at - 1)
            len = size - at - 1;
        given[ecu] += len;
        now += data[at] >> 2;
        if (isotp_rx_take(&rx, (uint32_t)ecu, data + at + 1, len, now, &out, &out_len) ==
            ISOTP_MESSAGE) {
            REQUIRE(out != NULL && out_len > 0 && out_len <= given[ecu]);
            given[ecu] = 0;
        }
        (void)isotp_rx_expire(&rx, now);
        REQUIRE(isotp_rx_open(&rx) <= 4);
        at += 1 + len;
    }
}

static void send(const uint8_t *data, size_t size)
{
    static struct isotp_tx tx;
    uint8_t frame[8];
    size_t at = size / 2, frames = 0;

    if (!isotp_tx_begin(&tx, data, size / 2))
        return;
    for (;;) {
        while (isotp_tx_next(&tx, frame))
            frames++;
        REQUIRE(tx.at <= tx.len && frames <= ISOTP_FRAMES_MAX);
        if (tx.state != ISOTP_TX_WAIT || at + 3 > size)
            break;
        isotp_tx_flow(&tx, data + at, 3);
        at += 3;
    }
    REQUIRE(tx.state != ISOTP_TX_READY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    receive(data, size);
    send(data, size);
    return 0;
}
