/* ISO-TP frame by frame: flow control both ways, and what lying frames can do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vehicle/obd/isotp_live.h"

static struct isotp_rx rx;
static struct isotp_tx tx;
static const uint8_t *bytes;
static size_t bytes_len;

static enum isotp_event take(uint32_t ecu, const char *frame, size_t len, int64_t now_ms)
{
    bytes_len = 0;
    return isotp_rx_take(&rx, ecu, (const uint8_t *)frame, len, now_ms, &bytes, &bytes_len);
}

static int fresh(void **state)
{
    (void)state;
    isotp_rx_init(&rx);
    return 0;
}

static void a_vin_asks_for_flow_control_once_and_comes_whole(void **state)
{
    (void)state;
    assert_int_equal(take(0x7E8, "\x10\x14\x49\x02\x01\x57\x56\x57", 8, 0), ISOTP_FLOW);
    assert_int_equal(take(0x7E8, "\x21\x5A\x5A\x5A\x31\x4B\x5A\x41", 8, 10), ISOTP_NOTHING);
    assert_int_equal(take(0x7E8, "\x22\x57\x30\x30\x30\x30\x30\x31", 8, 20), ISOTP_MESSAGE);
    assert_int_equal(bytes_len, 20);
    assert_memory_equal(bytes, "\x49\x02\x01WVWZZZ1KZAW000001", 20);
    assert_int_equal(isotp_rx_open(&rx), 0);
}

static void interleaved_units_do_not_mix(void **state)
{
    (void)state;
    assert_int_equal(take(0x7E8, "\x10\x0A\x01\x02\x03\x04\x05\x06", 8, 0), ISOTP_FLOW);
    assert_int_equal(take(0x7E9, "\x10\x0A\x11\x12\x13\x14\x15\x16", 8, 0), ISOTP_FLOW);
    assert_int_equal(isotp_rx_open(&rx), 2);
    assert_int_equal(take(0x7E9, "\x21\x17\x18\x19\x1A", 5, 0), ISOTP_MESSAGE);
    assert_memory_equal(bytes, "\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1A", 10);
    assert_int_equal(take(0x7E8, "\x21\x07\x08\x09\x0A", 5, 0), ISOTP_MESSAGE);
    assert_memory_equal(bytes, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A", 10);
}

static void lost_doubled_and_swapped_frames_give_the_message_up(void **state)
{
    static const char *const next[] = {"\x22", "\x20", "\x2F"};

    (void)state;
    for (size_t i = 0; i < sizeof next / sizeof next[0]; i++) {
        char frame[8] = {0};

        frame[0] = next[i][0];
        assert_int_equal(take(1, "\x10\x20\x01\x02\x03\x04\x05\x06", 8, 0), ISOTP_FLOW);
        assert_int_equal(take(1, frame, 8, 0), ISOTP_LOST);
        assert_int_equal(take(1, "\x21\x00\x00\x00\x00\x00\x00\x00", 8, 0), ISOTP_NOTHING);
    }
    assert_int_equal(take(1, "\x10\x20\x01\x02\x03\x04\x05\x06", 8, 0), ISOTP_FLOW);
    assert_int_equal(take(1, "\x21\x00\x00\x00\x00\x00\x00\x00", 8, 0), ISOTP_NOTHING);
    assert_int_equal(take(1, "\x21\x00\x00\x00\x00\x00\x00\x00", 8, 0), ISOTP_LOST);
}

static void impossible_lengths_are_refused(void **state)
{
    (void)state;
    assert_int_equal(take(1, "\x00\x41\x0D\x32", 4, 0), ISOTP_LOST);
    assert_int_equal(take(1, "\x09\x41\x0D\x32", 4, 0), ISOTP_LOST);
    assert_int_equal(take(1, "\x04\x41\x0D\x32", 4, 0), ISOTP_LOST);
    assert_int_equal(take(1, "\x10\x07\x41\x0D\x32\x00\x00\x00", 8, 0), ISOTP_LOST);
    assert_int_equal(take(1, "\x10\x00\x00\x00\x20\x00\x00\x00", 8, 0), ISOTP_LOST);
    assert_int_equal(take(1, "\x10\x14\x49\x02", 4, 0), ISOTP_LOST);
    assert_int_equal(take(1, "\x10", 1, 0), ISOTP_LOST);
    assert_int_equal(take(1, "", 0, 0), ISOTP_NOTHING);
    assert_int_equal(take(1, "\x51\x00", 2, 0), ISOTP_NOTHING);
    assert_int_equal(take(1, "\x10\x0A\x01\x02\x03\x04\x05\x06", 8, 0), ISOTP_FLOW);
    assert_int_equal(take(1, "\x21\x07\x08", 3, 0), ISOTP_LOST);
}

static void a_promise_not_kept_ends_with_its_time(void **state)
{
    (void)state;
    assert_int_equal(take(1, "\x1F\xFF\x01\x02\x03\x04\x05\x06", 8, 1000), ISOTP_FLOW);
    assert_int_equal(isotp_rx_expire(&rx, 1000 + ISOTP_WAIT_MS - 1), 0);
    assert_int_equal(isotp_rx_expire(&rx, 1000 + ISOTP_WAIT_MS), 1);
    assert_int_equal(isotp_rx_open(&rx), 0);
}

static void a_new_message_ends_the_old_one_of_its_unit(void **state)
{
    (void)state;
    assert_int_equal(take(1, "\x10\x20\x01\x02\x03\x04\x05\x06", 8, 0), ISOTP_FLOW);
    assert_int_equal(take(1, "\x02\x41\x0D", 3, 0), ISOTP_MESSAGE);
    assert_int_equal(isotp_rx_open(&rx), 0);
}

static void more_units_than_places_are_not_begun(void **state)
{
    (void)state;
    for (uint32_t ecu = 0; ecu < ISOTP_ECUS_MAX; ecu++)
        assert_int_equal(take(ecu, "\x10\x20\x01\x02\x03\x04\x05\x06", 8, 0), ISOTP_FLOW);
    assert_int_equal(take(99, "\x10\x20\x01\x02\x03\x04\x05\x06", 8, 0), ISOTP_LOST);
}

/* Send `len` bytes 0, 1, 2 ... to our own receiver, with a flow control of `block` frames. */
static void round_trip(size_t len, uint8_t block)
{
    const uint8_t go[] = {0x30, block, 0};
    uint8_t message[ISOTP_MESSAGE_MAX], frame[8];
    enum isotp_event event = ISOTP_NOTHING;

    for (size_t i = 0; i < len; i++)
        message[i] = (uint8_t)i;
    assert_true(isotp_tx_begin(&tx, message, len));
    while (event != ISOTP_MESSAGE) {
        if (tx.state == ISOTP_TX_WAIT)
            isotp_tx_flow(&tx, go, sizeof go);
        assert_true(isotp_tx_next(&tx, frame));
        event = isotp_rx_take(&rx, 5, frame, 8, 0, &bytes, &bytes_len);
        assert_int_not_equal(event, ISOTP_LOST);
    }
    assert_int_equal(tx.state, ISOTP_TX_DONE);
    assert_int_equal(bytes_len, len);
    assert_memory_equal(bytes, message, len);
}

static void every_length_survives_sending_and_receiving(void **state)
{
    (void)state;
    for (size_t len = 1; len <= 300; len++)
        round_trip(len, 0);
    round_trip(ISOTP_MESSAGE_MAX, 0);
    round_trip(ISOTP_MESSAGE_MAX, 1);
    round_trip(1000, 7);
    assert_false(isotp_tx_begin(&tx, (const uint8_t *)"", 0));
}

static void a_sender_waits_for_flow_control_and_obeys_it(void **state)
{
    static const uint8_t message[40] = {0};
    uint8_t frame[8];

    (void)state;
    assert_true(isotp_tx_begin(&tx, message, sizeof message));
    assert_true(isotp_tx_next(&tx, frame));
    assert_int_equal(frame[0], 0x10);
    assert_int_equal(frame[1], 40);
    assert_false(isotp_tx_next(&tx, frame));
    isotp_tx_flow(&tx, (const uint8_t *)"\x31\x00\x00", 3);
    assert_int_equal(tx.state, ISOTP_TX_WAIT);
    isotp_tx_flow(&tx, (const uint8_t *)"\x30\x02\xF5", 3);
    assert_int_equal(tx.gap_ms, 1);
    assert_true(isotp_tx_next(&tx, frame) && isotp_tx_next(&tx, frame));
    assert_false(isotp_tx_next(&tx, frame));
    isotp_tx_flow(&tx, (const uint8_t *)"\x32\x00\x00", 3);
    assert_int_equal(tx.state, ISOTP_TX_FAILED);
}

static void a_receiver_that_only_says_wait_is_given_up(void **state)
{
    static const uint8_t message[40] = {0};
    uint8_t frame[8];

    (void)state;
    assert_true(isotp_tx_begin(&tx, message, sizeof message) && isotp_tx_next(&tx, frame));
    for (int i = 0; i < ISOTP_WAITS_MAX; i++)
        isotp_tx_flow(&tx, (const uint8_t *)"\x31\x00\x00", 3);
    assert_int_equal(tx.state, ISOTP_TX_WAIT);
    isotp_tx_flow(&tx, (const uint8_t *)"\x31\x00\x00", 3);
    assert_int_equal(tx.state, ISOTP_TX_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_vin_asks_for_flow_control_once_and_comes_whole, fresh),
        cmocka_unit_test_setup(interleaved_units_do_not_mix, fresh),
        cmocka_unit_test_setup(lost_doubled_and_swapped_frames_give_the_message_up, fresh),
        cmocka_unit_test_setup(impossible_lengths_are_refused, fresh),
        cmocka_unit_test_setup(a_promise_not_kept_ends_with_its_time, fresh),
        cmocka_unit_test_setup(a_new_message_ends_the_old_one_of_its_unit, fresh),
        cmocka_unit_test_setup(more_units_than_places_are_not_begun, fresh),
        cmocka_unit_test_setup(every_length_survives_sending_and_receiving, fresh),
        cmocka_unit_test_setup(a_sender_waits_for_flow_control_and_obeys_it, fresh),
        cmocka_unit_test_setup(a_receiver_that_only_says_wait_is_given_up, fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
