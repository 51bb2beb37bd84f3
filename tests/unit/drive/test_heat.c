/* tests/unit/drive/test_heat.c - coolant, and sensors that lie. */
#include "capture.h"

#include "lib/drive/heat.h"

static enum heat_fact warm(struct heat *h, int64_t *t_ms, double celsius, int64_t ms)
{
    enum heat_fact fact = HEAT_NONE;

    for (int64_t end_ms = *t_ms + ms; *t_ms < end_ms;) {
        enum heat_fact now = heat_step(h, &heat_defaults, *t_ms += 1000, celsius);

        fact = now == HEAT_NONE ? fact : now;
    }
    return fact;
}

static void coolant_of_110_for_30_s_is_major_and_of_118_for_10_s_critical(void **state)
{
    struct heat h = {0};
    int64_t t = 1000;

    (void)state;
    assert_int_equal(warm(&h, &t, 100, 10000), HEAT_NONE);
    assert_int_equal(warm(&h, &t, 109.9, 100000), HEAT_NONE);
    assert_int_equal(warm(&h, &t, 110, 30000), HEAT_NONE);
    assert_int_equal(warm(&h, &t, 110, 1000), HEAT_MAJOR);
    assert_int_equal(h.since_ms, t - 30000);
    assert_int_equal(warm(&h, &t, 118, 10000), HEAT_NONE);
    assert_int_equal(warm(&h, &t, 118, 1000), HEAT_CRITICAL);
    assert_int_equal(warm(&h, &t, 105, 100000), HEAT_NONE);
    assert_int_equal(warm(&h, &t, 104.9, 60000), HEAT_NONE);
    assert_int_equal(warm(&h, &t, 104.9, 1000), HEAT_CLEARED);
    NEAR(h.peak_celsius, 118, 0);
    assert_int_equal(warm(&h, &t, 104.9, 200000), HEAT_NONE);
}

static void minus_40_and_215_and_a_step_of_more_than_20_are_the_sensor(void **state)
{
    struct heat h = {0};
    int64_t t = 1000;

    (void)state;
    warm(&h, &t, 90, 5000);
    assert_int_equal(warm(&h, &t, 215, 60000), HEAT_NONE);
    assert_int_equal(warm(&h, &t, 150, 60000), HEAT_NONE);
    assert_int_equal(warm(&h, &t, -40, 5000), HEAT_NONE);
    assert_true(h.doubted);
    assert_int_equal(warm(&h, &t, 91, 5000), HEAT_NONE);
    assert_false(h.doubted);
    assert_int_equal(warm(&h, &t, 111, 29000), HEAT_NONE); /* 20 degrees are believed */
    assert_int_equal(warm(&h, &t, 111, 3000), HEAT_MAJOR);
    assert_int_equal(warm(&h, &t, -40, 200000), HEAT_NONE); /* nor does a broken wire cool */
}

static void readings_a_long_time_apart_do_not_add_up_to_heat(void **state)
{
    struct heat h = {0};

    (void)state;
    assert_int_equal(heat_step(&h, &heat_defaults, 1000, 111), HEAT_NONE);
    assert_int_equal(heat_step(&h, &heat_defaults, 100000, 111), HEAT_NONE);
    assert_int_equal(heat_step(&h, &heat_defaults, 100000, 119), HEAT_NONE);
    assert_int_equal(heat_step(&h, &heat_defaults, 101000, NOT_MEASURED), HEAT_NONE);
    assert_int_equal(h.t_ms, 100000);
    assert_int_equal(heat_step(&h, &heat_defaults, 130000, 111), HEAT_MAJOR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coolant_of_110_for_30_s_is_major_and_of_118_for_10_s_critical),
        cmocka_unit_test(minus_40_and_215_and_a_step_of_more_than_20_are_the_sensor),
        cmocka_unit_test(readings_a_long_time_apart_do_not_add_up_to_heat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
