/* When a configuration with other brokers is kept, and when it is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vehicle/trial.h"

#define WINDOW INT64_C(600000)

static struct trial t;

static int begin(void **state)
{
    (void)state;
    t = (struct trial){.state = TRIAL_NONE};
    trial_begin(&t, 1000, WINDOW);
    return 0;
}

static void without_a_trial_nothing_happens(void **state)
{
    (void)state;
    t = (struct trial){.state = TRIAL_NONE};
    assert_int_equal(trial_look(&t, 5 * WINDOW, TRIAL_UP), TRIAL_GO_ON);
    assert_int_equal(trial_look(&t, 5 * WINDOW, TRIAL_SEEKING), TRIAL_GO_ON);
}

static void new_brokers_that_take_us_are_kept(void **state)
{
    (void)state;
    assert_int_equal(trial_look(&t, 1000, TRIAL_SEEKING), TRIAL_GO_ON);
    assert_int_equal(trial_look(&t, 2000, TRIAL_UP), TRIAL_KEEP);
    assert_int_equal(t.state, TRIAL_NONE);
    assert_int_equal(trial_look(&t, 5 * WINDOW, TRIAL_SEEKING), TRIAL_GO_ON);
}

static void none_within_the_window_and_an_old_one_there_means_refused(void **state)
{
    (void)state;
    assert_int_equal(trial_look(&t, 1000 + WINDOW - 1, TRIAL_SEEKING), TRIAL_GO_ON);
    assert_int_equal(trial_look(&t, 1000 + WINDOW, TRIAL_SEEKING), TRIAL_GO_BACK);
    assert_int_equal(trial_look(&t, 1000 + WINDOW + 1, TRIAL_SEEKING), TRIAL_GO_ON);
    assert_int_equal(trial_look(&t, 1000 + WINDOW + 2, TRIAL_UP), TRIAL_REFUSE);
    assert_int_equal(t.state, TRIAL_NONE);
}

static void where_nobody_answers_it_is_the_network_and_the_new_ones_are_tried_again(void **state)
{
    int64_t boot_ms = 1000;

    (void)state;
    for (int i = 0; i < 5; i++) {
        boot_ms += WINDOW;
        assert_int_equal(trial_look(&t, boot_ms, TRIAL_SEEKING), TRIAL_GO_BACK);
        boot_ms += WINDOW;
        assert_int_equal(trial_look(&t, boot_ms, TRIAL_SEEKING), TRIAL_TRY_AGAIN);
    }
    assert_int_equal(trial_look(&t, boot_ms, TRIAL_UP), TRIAL_KEEP);
}

static void the_time_a_car_sleeps_does_not_count(void **state)
{
    (void)state;
    assert_int_equal(trial_look(&t, 1000 + WINDOW - 1, TRIAL_CLOSED), TRIAL_GO_ON);
    assert_int_equal(trial_look(&t, 10 * WINDOW, TRIAL_CLOSED), TRIAL_GO_ON);
    assert_int_equal(trial_look(&t, 11 * WINDOW - 1, TRIAL_SEEKING), TRIAL_GO_ON);
    assert_int_equal(trial_look(&t, 11 * WINDOW, TRIAL_SEEKING), TRIAL_GO_BACK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_trial_nothing_happens),
        cmocka_unit_test_setup(new_brokers_that_take_us_are_kept, begin),
        cmocka_unit_test_setup(none_within_the_window_and_an_old_one_there_means_refused, begin),
        cmocka_unit_test_setup(
            where_nobody_answers_it_is_the_network_and_the_new_ones_are_tried_again, begin),
        cmocka_unit_test_setup(the_time_a_car_sleeps_does_not_count, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
