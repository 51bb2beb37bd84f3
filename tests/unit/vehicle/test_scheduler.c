/* Who offers what, what is asked when, and when a sleeping car is asked at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "vehicle/obd/scheduler.h"
#include "vehicle/obd/support.h"
#include "vehicle/obd/wake.h"

static struct support support;
static struct scheduler scheduler;
static bool ask[SUPPORT_PIDS];
static uint8_t out[SCHEDULER_ROUND_MAX];

static void offer(uint32_t ecu, uint8_t base, uint32_t bits)
{
    const uint8_t bytes[] = {(uint8_t)(bits >> 24), (uint8_t)(bits >> 16), (uint8_t)(bits >> 8),
                             (uint8_t)bits};

    support_add(&support, ecu, base, bytes);
}

static void offer_pid(uint32_t ecu, uint8_t pid)
{
    offer(ecu, (uint8_t)((pid - 1) / 32 * 32), 1U << (31 - (pid - 1) % 32));
}

static bool asked_in(size_t n, uint8_t pid)
{
    return memchr(out, pid, n) != NULL;
}

static void a_recorded_cars_bitmap_is_read(void **state)
{
    static const uint8_t offered[] = {0x01, 0x05, 0x0B, 0x0C, 0x0D, 0x0F, 0x10, 0x11, 0x1C, 0x20};
    unsigned n = 0;

    (void)state;
    support_init(&support);
    offer(0x7E8, 0x00, 0x883B8011);
    for (unsigned pid = 0; pid < 256; pid++)
        n += support_has(&support, (uint8_t)pid);
    assert_int_equal(n, sizeof offered);
    for (size_t i = 0; i < sizeof offered; i++)
        assert_true(support_has(&support, offered[i]));
}

static void the_engines_ecu_owns_what_it_offers(void **state)
{
    (void)state;
    support_init(&support);
    offer_pid(0x7EA, 0x42);
    offer_pid(0x7E9, 0x0D);
    offer_pid(0x7E9, 0x42);
    offer_pid(0x7E8, 0x0D);
    offer_pid(0x7E8, 0x0C);
    assert_true(support_is_owner(&support, 0x7E8, 0x0D));
    assert_false(support_is_owner(&support, 0x7E9, 0x0D));
    assert_true(support_is_owner(&support, 0x7E9, 0x42)); /* the lowest that has it */
    assert_false(support_is_owner(&support, 0x7EA, 0x42));
    assert_false(support_is_owner(&support, 0x7E8, 0x42));
}

static void without_the_usual_address_engine_speed_names_the_engine(void **state)
{
    (void)state;
    support_init(&support);
    offer_pid(0x18DAF101, 0x0D);
    offer_pid(0x18DAF110, 0x0C);
    offer_pid(0x18DAF110, 0x0D);
    assert_true(support_is_owner(&support, 0x18DAF110, 0x0D));
    assert_false(support_is_owner(&support, 0x18DAF101, 0x0D));
}

static void a_ninth_ecu_is_not_kept(void **state)
{
    (void)state;
    support_init(&support);
    for (uint32_t i = 0; i < 12; i++)
        offer_pid(0x700 + i, 0x0C);
    assert_int_equal(support.count, SUPPORT_ECUS_MAX);
}

static void a_signal_is_read_from_one_identifier(void **state)
{
    static const uint8_t pairs[][2] = {{0x05, 0x67}, {0x0F, 0x68}, {0x10, 0x66}, {0x24, 0x34}};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        support_init(&support);
        offer_pid(0x7E8, pairs[i][1]);
        support_choose(&support, ask);
        assert_true(ask[pairs[i][1]]);
        offer_pid(0x7E8, pairs[i][0]);
        support_choose(&support, ask);
        assert_true(ask[pairs[i][0]]);
        assert_false(ask[pairs[i][1]]);
    }
}

static void bitmaps_and_unknown_identifiers_are_not_polled(void **state)
{
    (void)state;
    support_init(&support);
    offer(0x7E8, 0x00, 0xFFFFFFFF);
    offer(0x7E8, 0x40, 0xFFFFFFFF);
    support_choose(&support, ask);
    assert_false(ask[0x20]);
    assert_false(ask[0x54]);
    assert_true(ask[0x0C]);
}

static void prepare(const uint8_t *pids, size_t n)
{
    memset(ask, 0, sizeof ask);
    for (size_t i = 0; i < n; i++)
        ask[pids[i]] = true;
    scheduler_init(&scheduler, ask);
}

static void the_fast_ones_come_every_round_and_the_speed_last(void **state)
{
    static const uint8_t pids[] = {0x04, 0x05, 0x0B, 0x0C, 0x0D, 0x0F, 0x10, 0x11, 0x2F};

    (void)state;
    prepare(pids, sizeof pids);
    for (int round = 0; round < 50; round++) {
        size_t n = scheduler_round(&scheduler, 1000 + round * 1000, out);

        assert_true(asked_in(n, 0x04) && asked_in(n, 0x0C) && asked_in(n, 0x10) &&
                    asked_in(n, 0x11));
        assert_int_equal(out[n - 1], 0x0D);
    }
}

static void the_slow_ones_take_turns(void **state)
{
    static const uint8_t pids[] = {0x05, 0x0C, 0x0D, 0x0F, 0x2F, 0x33,
                                   0x42, 0x46, 0x49, 0x4A, 0x5C};
    unsigned counts[256] = {0};

    (void)state;
    prepare(pids, sizeof pids);
    for (int round = 0; round < 60; round++) {
        size_t n = scheduler_round(&scheduler, 1000 + round * 1000, out);

        assert_true(n <= 4); /* two fast, one slow, one of the rest */
        for (size_t i = 0; i < n; i++)
            counts[out[i]]++;
    }
    for (size_t i = 0; i < sizeof pids; i++)
        assert_true(counts[pids[i]] >= 6);
    assert_true(counts[0x05] <= 12);
}

static void the_best_fuel_source_is_the_only_one(void **state)
{
    static const uint8_t pids[] = {0x0B, 0x0C, 0x0D, 0x10, 0x5E};
    size_t n;

    (void)state;
    prepare(pids, sizeof pids);
    assert_int_equal(scheduler.fuel, 0x5E);
    n = scheduler_round(&scheduler, 1000, out);
    assert_int_equal(n, 4); /* 0B or 10 once in a while, 5E always */
    scheduler_note(&scheduler, 0x5E, SCHEDULER_REFUSED);
    assert_int_equal(scheduler.fuel, 0x10);
}

static void codes_and_constants_are_rare(void **state)
{
    static const uint8_t pids[] = {0x01, 0x0D, 0x1C, 0x51};
    unsigned counts[256] = {0};

    (void)state;
    prepare(pids, sizeof pids);
    for (int second = 0; second < 900; second++) {
        size_t n = scheduler_round(&scheduler, 1000 + second * 1000, out);

        for (size_t i = 0; i < n; i++)
            counts[out[i]]++;
    }
    assert_int_equal(counts[0x1C], 1);
    assert_int_equal(counts[0x51], 1);
    assert_int_equal(counts[0x01], 3);
    assert_int_equal(counts[0x0D], 900);
}

static void what_nobody_answers_thrice_is_dropped_but_never_the_speeds(void **state)
{
    static const uint8_t pids[] = {0x04, 0x0C, 0x0D};

    (void)state;
    prepare(pids, sizeof pids);
    for (int i = 0; i < 2; i++)
        scheduler_note(&scheduler, 0x04, SCHEDULER_MISSED);
    scheduler_note(&scheduler, 0x04, SCHEDULER_ANSWERED);
    for (int i = 0; i < 2; i++)
        scheduler_note(&scheduler, 0x04, SCHEDULER_MISSED);
    assert_true(scheduler.ask[0x04]);
    scheduler_note(&scheduler, 0x04, SCHEDULER_MISSED);
    assert_false(scheduler.ask[0x04]);
    for (int i = 0; i < 20; i++) {
        scheduler_note(&scheduler, 0x0D, SCHEDULER_MISSED);
        scheduler_note(&scheduler, 0x0C, SCHEDULER_MISSED);
    }
    scheduler_note(&scheduler, 0x0D, SCHEDULER_REFUSED); /* its bitmap says otherwise */
    assert_true(scheduler.ask[0x0D] && scheduler.ask[0x0C]);
}

static void a_slow_adapter_keeps_the_fast_ones_and_still_gets_to_the_rest(void **state)
{
    static const uint8_t pids[] = {0x05, 0x0C, 0x0D, 0x0F};
    unsigned slow = 0;

    (void)state;
    prepare(pids, sizeof pids);
    scheduler_took(&scheduler, 1500, 1000);
    for (int round = 0; round < 40; round++) {
        size_t n = scheduler_round(&scheduler, 1000 + round * 1500, out);

        assert_int_equal(out[n - 1], 0x0D);
        slow += n > 2;
    }
    assert_true(slow >= 8 && slow <= 12);
}

static void a_sleeping_car_is_left_alone(void **state)
{
    struct wake wake;

    (void)state;
    wake_init(&wake, 1000);
    for (int64_t t = 1000; t < 3600000; t += 10000)
        assert_false(wake_step(&wake, t, 12.4, false));
}

static void a_voltage_step_a_running_alternator_or_a_moving_car_wakes(void **state)
{
    struct wake wake;

    (void)state;
    wake_init(&wake, 0);
    assert_false(wake_step(&wake, 40000, 12.1, false));
    assert_true(wake_step(&wake, 50000, 12.6, false));
    assert_false(wake_step(&wake, 60000, 12.6, false)); /* not again so soon */
    wake_init(&wake, 0);
    assert_false(wake_step(&wake, 10000, 13.9, false));
    assert_true(wake_step(&wake, 30000, 13.9, false));
    wake_init(&wake, 0);
    assert_true(wake_step(&wake, 31000, 12.4, true));
}

static void without_a_voltage_the_bus_is_tried_once_a_minute(void **state)
{
    struct wake wake;

    (void)state;
    wake_init(&wake, 0);
    assert_false(wake_step(&wake, 59000, NAN, false));
    assert_true(wake_step(&wake, 60000, NAN, false));
    assert_false(wake_step(&wake, 100000, NAN, false));
}

static void an_unchanged_voltage_is_told_once_a_minute(void **state)
{
    struct wake wake;

    (void)state;
    wake_init(&wake, 0);
    assert_true(wake_is_news(&wake, 0, 12.4));
    assert_false(wake_is_news(&wake, 10000, 12.5));
    assert_true(wake_is_news(&wake, 20000, 12.2));
    assert_false(wake_is_news(&wake, 70000, 12.2));
    assert_true(wake_is_news(&wake, 80000, 12.2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recorded_cars_bitmap_is_read),
        cmocka_unit_test(the_engines_ecu_owns_what_it_offers),
        cmocka_unit_test(without_the_usual_address_engine_speed_names_the_engine),
        cmocka_unit_test(a_ninth_ecu_is_not_kept),
        cmocka_unit_test(a_signal_is_read_from_one_identifier),
        cmocka_unit_test(bitmaps_and_unknown_identifiers_are_not_polled),
        cmocka_unit_test(the_fast_ones_come_every_round_and_the_speed_last),
        cmocka_unit_test(the_slow_ones_take_turns),
        cmocka_unit_test(the_best_fuel_source_is_the_only_one),
        cmocka_unit_test(codes_and_constants_are_rare),
        cmocka_unit_test(what_nobody_answers_thrice_is_dropped_but_never_the_speeds),
        cmocka_unit_test(a_slow_adapter_keeps_the_fast_ones_and_still_gets_to_the_rest),
        cmocka_unit_test(a_sleeping_car_is_left_alone),
        cmocka_unit_test(a_voltage_step_a_running_alternator_or_a_moving_car_wakes),
        cmocka_unit_test(without_a_voltage_the_bus_is_tried_once_a_minute),
        cmocka_unit_test(an_unchanged_voltage_is_told_once_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
