/* ISO-TP: long messages out of frames in any order, and nothing out of broken ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vehicle/obd/isotp.h"

static struct isotp in;
static size_t taken, last_len;
static uint32_t last_ecu;
static uint8_t last[ISOTP_MESSAGE_MAX];

static void take(void *self, uint32_t ecu, const uint8_t *bytes, size_t len)
{
    (void)self;
    taken++;
    last_ecu = ecu;
    last_len = len;
    memcpy(last, bytes, len);
}

static unsigned finish(void)
{
    taken = 0;
    return isotp_finish(&in, take, NULL);
}

/* Frame `number` (0: the first) of a message of `total` bytes 0, 1, 2 ... */
static void add(uint32_t ecu, size_t total, size_t number)
{
    uint8_t frame[8] = {0};
    size_t at = number == 0 ? 0 : 6 + (number - 1) * 7;
    size_t head = number == 0 ? 2 : 1, n = 8 - head;

    frame[0] = number == 0 ? (uint8_t)(0x10 | total >> 8) : (uint8_t)(0x20 | (number & 15));
    if (number == 0)
        frame[1] = (uint8_t)total;
    for (size_t i = 0; i < n; i++)
        frame[head + i] = at + i < total ? (uint8_t)(at + i) : 0xAA;
    isotp_add(&in, ecu, frame, 8);
}

static void assert_counting(size_t total)
{
    assert_int_equal(last_len, total);
    for (size_t i = 0; i < total; i++)
        assert_int_equal(last[i], (uint8_t)i);
}

static size_t frames_of(size_t total)
{
    return 1 + (total - 6 + 6) / 7;
}

static void a_single_frame_is_cut_at_its_length(void **state)
{
    const uint8_t frame[] = {0x03, 0x41, 0x0D, 0x3C, 0xAA, 0xAA, 0xAA, 0xAA};

    (void)state;
    isotp_init(&in);
    isotp_add(&in, 0x7E8, frame, sizeof frame);
    assert_int_equal(finish(), 0);
    assert_int_equal(taken, 1);
    assert_int_equal(last_len, 3);
    assert_int_equal(last_ecu, 0x7E8);
}

static void a_length_beyond_the_bytes_gives_nothing(void **state)
{
    const uint8_t frame[] = {0x05, 0x41, 0x0D, 0x3C};

    (void)state;
    isotp_init(&in);
    isotp_add(&in, 0x7E8, frame, sizeof frame);
    assert_int_equal(finish(), 1);
    assert_int_equal(taken, 0);
}

static void every_length_up_to_the_longest_is_put_together(void **state)
{
    (void)state;
    for (size_t total = 8; total <= ISOTP_MESSAGE_MAX; total += total < 300 ? 1 : 97) {
        isotp_init(&in);
        for (size_t i = 0; i < frames_of(total); i++)
            add(0x7E8, total, i);
        assert_int_equal(finish(), 0);
        assert_int_equal(taken, 1);
        assert_counting(total);
    }
    isotp_init(&in);
    for (size_t i = 0; i < frames_of(ISOTP_MESSAGE_MAX); i++)
        add(0x7E8, ISOTP_MESSAGE_MAX, i);
    assert_int_equal(finish(), 0);
    assert_counting(ISOTP_MESSAGE_MAX);
}

static void frames_in_reverse_give_the_same_message(void **state)
{
    const size_t total = 6 + 7 * 16; /* sixteen consecutive frames: the index wraps */

    (void)state;
    isotp_init(&in);
    for (size_t i = frames_of(total); i-- > 0;)
        add(0x7E8, total, i);
    assert_int_equal(finish(), 0);
    assert_counting(total);
}

static void neighbours_may_be_swapped_across_the_wrap(void **state)
{
    const size_t total = 300;

    (void)state;
    isotp_init(&in);
    add(0x7E8, total, 0);
    for (size_t i = 1; i < frames_of(total); i += 2) {
        if (i + 1 < frames_of(total))
            add(0x7E8, total, i + 1);
        add(0x7E8, total, i);
    }
    assert_int_equal(finish(), 0);
    assert_counting(total);
}

static void a_lost_or_doubled_frame_drops_that_message_only(void **state)
{
    (void)state;
    for (size_t victim = 0; victim < frames_of(60); victim++)
        for (int doubled = 0; doubled < 2; doubled++) {
            isotp_init(&in);
            for (size_t i = 0; i < frames_of(60); i++) {
                if (i != victim || doubled)
                    add(0x7E8, 60, i);
                if (i == victim && doubled)
                    add(0x7E8, 60, i);
                add(0x7E9, 60, i);
            }
            assert_true(finish() >= 1);
            assert_int_equal(taken, 1);
            assert_int_equal(last_ecu, 0x7E9);
            assert_counting(60);
        }
}

static void one_frame_lost_and_another_doubled_is_not_a_message(void **state)
{
    (void)state;
    isotp_init(&in);
    for (size_t i = 0; i < frames_of(60); i++)
        add(0x7E8, 60, i == 3 ? 4 : i);
    assert_int_equal(finish(), 1);
    assert_int_equal(taken, 0);
}

static void flow_control_and_rubbish_are_no_messages(void **state)
{
    const uint8_t flow[] = {0x30, 0, 0}, rubbish[] = {0xF1, 2, 3},
                  alone[] = {0x21, 1, 2, 3, 4, 5, 6, 7};

    (void)state;
    isotp_init(&in);
    isotp_add(&in, 0x7E8, flow, sizeof flow);
    assert_int_equal(finish(), 0);
    isotp_add(&in, 0x7E8, rubbish, sizeof rubbish);
    isotp_add(&in, 0x7E9, alone, sizeof alone);
    isotp_add(&in, 0x7E9, alone, 0);
    assert_int_equal(finish(), 2);
    assert_int_equal(taken, 0);
}

static void more_frames_than_fit_are_noticed(void **state)
{
    (void)state;
    isotp_init(&in);
    for (size_t i = 0; i < ISOTP_FRAMES_MAX + 10; i++)
        add(0x7E8, 60, 1);
    assert_true(in.overflow);
    assert_int_equal(in.count, ISOTP_FRAMES_MAX);
    finish();
    assert_int_equal(taken, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_single_frame_is_cut_at_its_length),
        cmocka_unit_test(a_length_beyond_the_bytes_gives_nothing),
        cmocka_unit_test(every_length_up_to_the_longest_is_put_together),
        cmocka_unit_test(frames_in_reverse_give_the_same_message),
        cmocka_unit_test(neighbours_may_be_swapped_across_the_wrap),
        cmocka_unit_test(a_lost_or_doubled_frame_drops_that_message_only),
        cmocka_unit_test(one_frame_lost_and_another_doubled_is_not_a_message),
        cmocka_unit_test(flow_control_and_rubbish_are_no_messages),
        cmocka_unit_test(more_frames_than_fit_are_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
