/* Vehicles that cannot be computed again just now. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "services/ingest/again/setbacks.h"

#define ONE "WVWZZZ1KZAW000001"
#define OTHER "WVWZZZ1KZAW000002"

static struct setbacks *opened(void)
{
    struct setbacks *s = NULL;
    struct fault fault;

    assert_int_equal(setbacks_open(&s, &fault), ST_OK);
    return s;
}

static void a_vehicle_that_failed_waits_and_no_other_does(void **state)
{
    struct setbacks *s = opened();

    (void)state;
    assert_true(setbacks_allow(s, ONE, 5000));
    assert_int_equal(setbacks_add(s, ONE, false, 5000), 1);
    assert_false(setbacks_allow(s, ONE, 5999));
    assert_true(setbacks_allow(s, OTHER, 5000));
    assert_true(setbacks_allow(s, ONE, 6000));
    assert_int_equal(setbacks_add(s, ONE, false, 6000), 2);
    assert_false(setbacks_allow(s, ONE, 7999));
    assert_true(setbacks_allow(s, ONE, 8000));
    setbacks_close(s);
}

static void what_went_well_begins_anew(void **state)
{
    struct setbacks *s = opened();

    (void)state;
    for (int64_t i = 0; i < 5; i++)
        (void)setbacks_add(s, ONE, false, i);
    setbacks_end(s, ONE);
    assert_true(setbacks_allow(s, ONE, 5));
    assert_int_equal(setbacks_add(s, ONE, false, 5), 1);
    setbacks_end(s, OTHER); /* who never failed */
    setbacks_close(s);
}

static void what_takes_long_leaves_most_of_the_time_to_others(void **state)
{
    struct setbacks *s = opened();

    (void)state;
    setbacks_rest(s, ONE, 9999, 10000);
    assert_true(setbacks_allow(s, ONE, 10000));
    setbacks_rest(s, ONE, 20000, 30000);
    assert_false(setbacks_allow(s, ONE, 209999));
    assert_true(setbacks_allow(s, OTHER, 30000));
    assert_true(setbacks_allow(s, ONE, 210000));
    assert_int_equal(setbacks_add(s, ONE, false, 210000), 1); /* that was no failure */
    setbacks_rest(s, ONE, 10000, 210000);
    assert_false(setbacks_allow(s, ONE, 299999));
    setbacks_close(s);
}

static void pauses_double_up_to_a_longest(void **state)
{
    (void)state;
    assert_int_equal(setback_pause_ms(1, false), 1000);
    assert_int_equal(setback_pause_ms(4, false), 8000);
    assert_int_equal(setback_pause_ms(9, false), 256000);
    assert_int_equal(setback_pause_ms(10, false), 300000);
    assert_int_equal(setback_pause_ms(2000000000, false), 300000);
    assert_int_equal(setback_pause_ms(1, true), 60000);
    assert_int_equal(setback_pause_ms(7, true), 3600000);
    assert_int_equal(setback_pause_ms(2000000000, true), 3600000);
}

static void room_for_new_ones_is_made_of_those_that_wait_no_more(void **state)
{
    struct setbacks *s = opened();
    char vin[18];

    (void)state;
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(vin, sizeof vin, "WVWZZZ1KZAX%06d", i);
        assert_int_equal(setbacks_add(s, vin, false, 1000), 1);
    }
    assert_int_equal(setbacks_add(s, ONE, false, 1500), 1);
    assert_true(setbacks_allow(s, ONE, 1500)); /* no room: it does not wait */
    assert_int_equal(setbacks_add(s, ONE, false, 9000), 1);
    assert_false(setbacks_allow(s, ONE, 9000));
    setbacks_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vehicle_that_failed_waits_and_no_other_does),
        cmocka_unit_test(what_went_well_begins_anew),
        cmocka_unit_test(what_takes_long_leaves_most_of_the_time_to_others),
        cmocka_unit_test(pauses_double_up_to_a_longest),
        cmocka_unit_test(room_for_new_ones_is_made_of_those_that_wait_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
