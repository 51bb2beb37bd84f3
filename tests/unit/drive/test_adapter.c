/* tests/unit/drive/test_adapter.c - an adapter pulled out and put back. */
#include "capture.h"

#include "lib/drive/adapter.h"

static enum adapter_fact plug(struct adapter *a, int64_t t_s, bool there, bool ecu, double kmh)
{
    return adapter_step(a, &adapter_defaults, t_s * 1000, there, ecu, kmh);
}

static void an_adapter_away_for_10_s_is_unplugged_and_back_when_it_answers(void **state)
{
    struct adapter a = {0};

    (void)state;
    for (int64_t t_s = 1; t_s < 100; t_s++) /* never there: absent, not unplugged */
        assert_int_equal(plug(&a, t_s, false, false, 50), ADAPTER_NONE);
    plug(&a, 100, true, false, 0);
    for (int64_t t_s = 101; t_s < 111; t_s++)
        assert_int_equal(plug(&a, t_s, false, false, NOT_MEASURED), ADAPTER_NONE);
    assert_int_equal(plug(&a, 111, false, false, NOT_MEASURED), ADAPTER_UNPLUGGED);
    assert_int_equal(a.since_ms, 101000);
    assert_int_equal(plug(&a, 112, false, false, NOT_MEASURED), ADAPTER_NONE);
    assert_int_equal(plug(&a, 112, true, true, NOT_MEASURED), ADAPTER_NONE);
    assert_int_equal(plug(&a, 113, true, false, NOT_MEASURED), ADAPTER_BACK);
}

static void an_ecu_silent_on_the_road_for_10_s_is_unplugged_until_it_answers(void **state)
{
    struct adapter a = {0};

    (void)state;
    plug(&a, 1, true, true, 50);
    for (int64_t t_s = 2; t_s < 12; t_s++)
        assert_int_equal(plug(&a, t_s, true, false, t_s % 2 ? NOT_MEASURED : 8), ADAPTER_NONE);
    assert_int_equal(plug(&a, 12, true, false, 8), ADAPTER_UNPLUGGED);
    assert_true(a.silent);
    assert_int_equal(plug(&a, 13, true, false, 0), ADAPTER_NONE);
    assert_int_equal(plug(&a, 14, true, true, 0), ADAPTER_BACK);
    for (int64_t t_s = 15; t_s < 100; t_s++) /* asleep in a park */
        assert_int_equal(plug(&a, t_s, true, false, 7.9), ADAPTER_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_adapter_away_for_10_s_is_unplugged_and_back_when_it_answers),
        cmocka_unit_test(an_ecu_silent_on_the_road_for_10_s_is_unplugged_until_it_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
