/* tests/unit/drive/test_power.c - awake, draining, beating, down. */
#include "capture.h"

#include "lib/drive/power.h"

static void power(struct power *p, int64_t t_s, enum known ignition, bool sent, bool empty)
{
    struct power_input in = {t_s * 1000, ignition, sent, empty, 600000};

    (void)power_step(p, &power_defaults, &in);
}

static void ignition_off_empties_the_outbox_at_most_15_minutes_and_then_beats(void **state)
{
    struct power p = {0};
    int beats = 0;

    (void)state;
    power(&p, 1, KNOWN_NOT, true, false);
    assert_int_equal(p.mode, POWER_AWAKE);
    power(&p, 10, KNOWN_NO, false, false);
    assert_int_equal(p.mode, POWER_DRAINING);
    power(&p, 909, KNOWN_NO, false, false);
    assert_int_equal(p.mode, POWER_DRAINING);
    power(&p, 910, KNOWN_NO, false, false);
    assert_int_equal(p.mode, POWER_BEATING);
    for (int64_t t_s = 911; t_s <= 910 + 1800; t_s++) {
        struct power_input in = {t_s * 1000, KNOWN_NO, false, false, 600000};

        beats += power_step(&p, &power_defaults, &in);
    }
    assert_int_equal(beats, 3);
    power(&p, 9000, KNOWN_YES, false, false);
    assert_int_equal(p.mode, POWER_AWAKE);
    power(&p, 9001, KNOWN_NO, true, false);
    assert_int_equal(p.mode, POWER_BEATING);
}

static void an_empty_battery_gets_10_s_of_grace_and_ignition_takes_it_back(void **state)
{
    struct power p = {0};

    (void)state;
    power(&p, 10, KNOWN_NO, true, true);
    assert_int_equal(p.mode, POWER_GRACE);
    power(&p, 19, KNOWN_NO, true, true);
    assert_int_equal(p.mode, POWER_GRACE);
    power(&p, 15, KNOWN_YES, true, true); /* old: no effect */
    assert_int_equal(p.mode, POWER_GRACE);
    power(&p, 20, KNOWN_NO, true, true);
    assert_int_equal(p.mode, POWER_DOWN);
    power(&p, 21, KNOWN_NO, true, false);
    assert_int_equal(p.mode, POWER_DOWN);
    power(&p, 22, KNOWN_YES, true, true);
    assert_int_equal(p.mode, POWER_AWAKE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ignition_off_empties_the_outbox_at_most_15_minutes_and_then_beats),
        cmocka_unit_test(an_empty_battery_gets_10_s_of_grace_and_ignition_takes_it_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
