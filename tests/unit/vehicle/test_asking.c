/* How the PIDs of a round become requests, and what 50 does to 10. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vehicle/obd/asking.h"
#include "vehicle/obd/pids.h"

static struct support support;
static const struct asking one_by_one = {.physical = false}, addressed = {.physical = true},
                           batches = {.physical = true, .batch = true};
static struct ask asks[SCHEDULER_ROUND_MAX];

/* 7E8 offers nearly everything, 7E9 alone 2F. */
static int car(void **state)
{
    static const uint8_t all[4] = {0xFF, 0xFF, 0xFF, 0xFF}, fuel[4] = {0, 2, 0, 0},
                         no_fuel[4] = {0xFF, 0xFD, 0xFF, 0xFF};

    (void)state;
    support_init(&support);
    support_add(&support, 0x7E8, 0x00, all);
    support_add(&support, 0x7E8, 0x20, no_fuel);
    support_add(&support, 0x7E8, 0x40, all);
    support_add(&support, 0x7E9, 0x20, fuel);
    return 0;
}

static void without_batches_each_pid_is_a_request(void **state)
{
    static const uint8_t pids[] = {0x04, 0x0C, 0x0D};

    (void)state;
    assert_int_equal(asking_plan(&one_by_one, &support, pids, 3, asks), 3);
    assert_int_equal(asks[2].pids[0], 0x0D);
    assert_int_equal(asks[2].ecu, 0);
    assert_int_equal(asking_plan(&addressed, &support, pids, 3, asks), 3);
    assert_int_equal(asks[2].ecu, 0x7E8);
    assert_int_equal(asking_request(&asks[2]).frames, 1);
}

static void up_to_six_share_one_and_the_speed_goes_last(void **state)
{
    static const uint8_t pids[] = {0x05, 0x0F, 0x2F, 0x55, 0x10, 0x04, 0x11, 0x0C, 0x0D};

    (void)state;
    /* 05 0F 10 04 11 0C | 2F of the other unit | 55 may be short, so alone | 0D */
    assert_int_equal(asking_plan(&batches, &support, pids, sizeof pids, asks), 4);
    assert_int_equal(asks[0].count, 6);
    assert_memory_equal(asks[0].pids, "\x05\x0F\x10\x04\x11\x0C", 6);
    assert_int_equal(asks[1].ecu, 0x7E9);
    assert_int_equal(asks[2].count, 1);
    assert_int_equal(asks[2].pids[0], 0x55);
    assert_int_equal(asks[3].pids[0], 0x0D);
}

static void frames_are_counted_as_the_transport_cuts_them(void **state)
{
    static const struct {
        size_t n;
        uint8_t pids[6];
        unsigned frames;
    } cases[] = {{2, {0x0C, 0x0D}, 1},
                 {4, {0x04, 0x0C, 0x0D, 0x11}, 2},
                 {6, {0x04, 0x05, 0x0C, 0x0D, 0x0F, 0x11}, 3}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(asking_plan(&batches, &support, cases[i].pids, cases[i].n, asks), 1);
        assert_int_equal(asks[0].frames, cases[i].frames);
    }
}

static void a_pid_is_in_an_answer_only_where_it_can_be_read(void **state)
{
    static const struct ask ask = {.count = 3, .pids = {0x0C, 0x14, 0x0D}};
    static struct link_answer answer = {.count = 1, .messages = {{0x7E8, 0, 8}}};

    (void)state;
    memcpy(answer.bytes, "\x41\x0C\x0C\x08\x14\x80\xFF\x0D", 8); /* the speed's byte is missing */
    assert_true(asking_has(&answer, &ask, 0x0C));
    assert_true(asking_has(&answer, &ask, 0x14));
    assert_false(asking_has(&answer, &ask, 0x0D));
    memcpy(answer.bytes, "\x41\x05\x0C\x08\x0D\x32\x00\x00", 8); /* 05 was not asked */
    assert_false(asking_has(&answer, &ask, 0x0D));
}

static void three_short_answers_end_the_batches(void **state)
{
    struct asking a = batches;

    (void)state;
    asking_note_short(&a);
    asking_note_short(&a);
    assert_true(a.batch);
    asking_note_short(&a);
    assert_false(a.batch);
    assert_true(a.physical);
}

static void the_largest_air_flow_rescales_the_air_flow_alone(void **state)
{
    struct reading flow = {.value = 655.35}, speed = {.value = 50};

    (void)state;
    pid_rescale(0, 0x10, &flow, 1);
    assert_float_equal(flow.value, 655.35, 1e-12);
    pid_rescale(1310.70, 0x10, &flow, 1);
    assert_float_equal(flow.value, 1310.70, 1e-9);
    pid_rescale(1310.70, 0x0D, &speed, 1);
    assert_float_equal(speed.value, 50, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_batches_each_pid_is_a_request, car),
        cmocka_unit_test_setup(up_to_six_share_one_and_the_speed_goes_last, car),
        cmocka_unit_test_setup(frames_are_counted_as_the_transport_cuts_them, car),
        cmocka_unit_test_setup(a_pid_is_in_an_answer_only_where_it_can_be_read, car),
        cmocka_unit_test(three_short_answers_end_the_batches),
        cmocka_unit_test(the_largest_air_flow_rescales_the_air_flow_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
