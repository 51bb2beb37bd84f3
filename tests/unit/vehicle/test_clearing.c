/* Clearing trouble codes: only when the car itself says that its engine is off and that it stands,
 * and once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "vehicle/obd/answer.h"
#include "vehicle/obd/clearing.h"

/* A car behind a link: what it answers to 01 0C, 01 0D and 04. */
struct car {
    struct link link;
    int rpm, speed;           /* -1 silent */
    double volts, told_volts; /* 0: the adapter, the car cannot tell */
    unsigned lost;            /* so many of the next answers are lost */
    uint8_t refuses, second_refuses;
    bool two, mute;
    unsigned clears;
    bool once;
};

static enum status car_request(struct link *link, const struct link_request *q,
                               struct link_answer *out, struct fault *fault)
{
    struct car *car = (struct car *)link;
    struct answering a;

    (void)fault;
    answering_init(&a, out, q->bytes, q->len);
    if (car->lost > 0) {
        car->lost--;
        out->cut = true;
    } else if (q->bytes[0] == 0x01 && q->bytes[1] == 0x0C && car->rpm >= 0) {
        uint8_t m[] = {0x41, 0x0C, (uint8_t)(car->rpm * 4 >> 8), (uint8_t)(car->rpm * 4)};
        answering_take(&a, 0x7E8, m, sizeof m);
    } else if (q->bytes[0] == 0x01 && q->bytes[1] == 0x0D && car->speed >= 0) {
        uint8_t m[] = {0x41, 0x0D, (uint8_t)car->speed};
        answering_take(&a, 0x7E8, m, sizeof m);
    } else if (q->bytes[0] == 0x01 && q->bytes[1] == 0x42 && car->told_volts > 0) {
        uint16_t mv = (uint16_t)(car->told_volts * 1000);
        uint8_t m[] = {0x41, 0x42, (uint8_t)(mv >> 8), (uint8_t)mv};
        answering_take(&a, 0x7E8, m, sizeof m);
    } else if (q->bytes[0] == 0x04) {
        uint8_t done = 0x44, no[] = {0x7F, 0x04, car->refuses};
        uint8_t second_no[] = {0x7F, 0x04, car->second_refuses};

        car->clears++;
        car->once = q->once;
        if (car->refuses != 0)
            answering_take(&a, 0x7E8, no, sizeof no);
        else if (!car->mute)
            answering_take(&a, 0x7E8, &done, 1);
        if (car->second_refuses != 0)
            answering_take(&a, 0x7E9, second_no, sizeof second_no);
        else if (car->two)
            answering_take(&a, 0x7E9, &done, 1);
    }
    answering_finish(&a);
    return ST_OK;
}

static enum status car_voltage(struct link *link, double *volts, struct fault *fault)
{
    const struct car *car = (const struct car *)link;

    if (car->volts <= 0)
        return fault_set(fault, ST_REJECT, "it cannot tell");
    *volts = car->volts;
    return ST_OK;
}

static struct codes_result run(struct car *car, bool engine)
{
    static const uint8_t all[4] = {0x00, 0x18, 0, 0}, electric[4] = {0x00, 0x08, 0, 0};
    static const uint8_t volts[4] = {0x40, 0, 0, 0}; /* 42 */
    struct codes_result result;
    struct support support;
    struct fault fault;

    memset(&result, 0, sizeof result);
    support_init(&support);
    support_add(&support, 0x7E8, 0, engine ? all : electric);
    if (car->told_volts > 0)
        support_add(&support, 0x7E8, 0x40, volts);
    car->link.request = car_request;
    car->link.voltage = car_voltage;
    assert_int_equal(clearing_run(&car->link, &support, &result, &fault), ST_OK);
    return result;
}

static void a_standing_car_with_its_engine_off_is_cleared_once(void **state)
{
    struct car car = {.two = true};
    struct codes_result r = run(&car, true);

    (void)state;
    assert_int_equal(r.outcome, CODES_DONE);
    assert_string_equal(r.reason, "");
    assert_int_equal(car.clears, 1);
    assert_true(car.once);
    assert_int_equal(r.unit_count, 2);
    assert_true(r.units[0].ecu == 0x7E8 && r.units[0].cleared);
    assert_true(r.units[1].ecu == 0x7E9 && r.units[1].cleared);
}

static void a_running_engine_or_a_moving_car_is_left_alone(void **state)
{
    struct car idling = {.rpm = 800}, coasting = {.speed = 3}, fast = {.rpm = 3000, .speed = 90};
    struct codes_result r = run(&idling, true);

    (void)state;
    assert_int_equal(r.outcome, CODES_REFUSED);
    assert_string_equal(r.reason, "the engine runs");
    assert_int_equal(run(&coasting, true).outcome, CODES_REFUSED);
    assert_int_equal(run(&fast, true).outcome, CODES_REFUSED);
    assert_int_equal(idling.clears + coasting.clears + fast.clears, 0);
}

static void what_cannot_be_read_counts_as_running_and_moving(void **state)
{
    struct car deaf = {.lost = 2}, no_speed = {.speed = -1};

    (void)state;
    assert_string_equal(run(&deaf, true).reason, "the engine's speed could not be read");
    assert_string_equal(run(&no_speed, true).reason, "the car does not say that it stands");
    assert_int_equal(deaf.clears + no_speed.clears, 0);
}

static void one_lost_answer_is_asked_for_again(void **state)
{
    struct car car = {.lost = 1};

    (void)state;
    assert_int_equal(run(&car, true).outcome, CODES_DONE);
}

static void an_engine_speed_that_is_not_told_is_zero_only_where_nobody_charges(void **state)
{
    struct car off = {.rpm = -1, .volts = 12.4}, charging = {.rpm = -1, .volts = 14.1};
    struct car edge = {.rpm = -1, .volts = 13.2}, said = {.volts = 14.1};
    struct codes_result r = run(&charging, true);

    (void)state;
    assert_int_equal(run(&off, true).outcome, CODES_DONE);
    assert_int_equal(r.outcome, CODES_REFUSED);
    assert_string_equal(r.reason, "the car lists its engine's speed but does not tell it, and its "
                                  "supply is charged (14.1 V)");
    assert_int_equal(run(&edge, true).outcome, CODES_REFUSED);
    assert_int_equal(charging.clears + edge.clears, 0);
    assert_int_equal(run(&said, true).outcome, CODES_DONE); /* a charger in the workshop */
}

static void an_adapter_without_a_voltage_leaves_the_cars_own_or_none(void **state)
{
    struct car off = {.rpm = -1, .told_volts = 12.4}, charging = {.rpm = -1, .told_volts = 14.1};
    struct car mute = {.rpm = -1};
    struct codes_result r = run(&mute, true);

    (void)state;
    assert_int_equal(run(&off, true).outcome, CODES_DONE);
    assert_int_equal(run(&charging, true).outcome, CODES_REFUSED);
    assert_int_equal(r.outcome, CODES_REFUSED);
    assert_string_equal(r.reason, "the car lists its engine's speed but does not tell it, and no "
                                  "voltage says that the engine is off");
    assert_int_equal(charging.clears + mute.clears, 0);
}

static void an_electric_car_lists_no_engine_speed(void **state)
{
    struct car electric = {.rpm = -1, .volts = 14.1};

    (void)state;
    assert_int_equal(run(&electric, false).outcome, CODES_DONE);
}

static void a_refusal_is_told_by_unit_and_reason(void **state)
{
    struct car car = {.refuses = 0x22}, half = {.second_refuses = 0x22};
    struct codes_result r = run(&car, true), h = run(&half, true);

    (void)state;
    assert_int_equal(r.outcome, CODES_REFUSED);
    assert_string_equal(r.reason, "7E8 refuses (22): conditions are not correct");
    assert_int_equal(h.outcome, CODES_FAILED); /* one did it */
    assert_int_equal(h.unit_count, 2);
    assert_true(h.units[0].cleared && !h.units[1].cleared && h.units[1].refused == 0x22);
}

static void without_an_answer_the_list_that_is_read_decides(void **state)
{
    struct car car = {.mute = true};
    struct codes_result r = run(&car, true), still, unread;
    static struct diagnosis before;

    (void)state;
    assert_int_equal(r.outcome, CODES_FAILED);
    assert_int_equal(car.clears, 1);
    before.dtcs.count = 1;
    before.dtcs.codes[0] = (struct dtc){"P0301", DTC_STORED, 0x7E8};
    r.read = true;
    r.found.dtcs.lists[DTC_STORED] = DTC_LIST_FULL;
    still = unread = r;
    still.found.dtcs = before.dtcs;
    still.found.dtcs.lists[DTC_STORED] = DTC_LIST_FULL;
    unread.found.dtcs.lists[DTC_STORED] = DTC_LIST_PARTIAL;
    clearing_judge(&r, &before);
    clearing_judge(&still, &before);
    clearing_judge(&unread, &before);
    assert_int_equal(r.outcome, CODES_DONE);
    assert_int_equal(still.outcome, CODES_FAILED);
    assert_int_equal(unread.outcome, CODES_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_standing_car_with_its_engine_off_is_cleared_once),
        cmocka_unit_test(a_running_engine_or_a_moving_car_is_left_alone),
        cmocka_unit_test(what_cannot_be_read_counts_as_running_and_moving),
        cmocka_unit_test(one_lost_answer_is_asked_for_again),
        cmocka_unit_test(an_engine_speed_that_is_not_told_is_zero_only_where_nobody_charges),
        cmocka_unit_test(an_adapter_without_a_voltage_leaves_the_cars_own_or_none),
        cmocka_unit_test(an_electric_car_lists_no_engine_speed),
        cmocka_unit_test(a_refusal_is_told_by_unit_and_reason),
        cmocka_unit_test(without_an_answer_the_list_that_is_read_decides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
