/* What the clock is worth: held, known, given up; receivers that are right and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vehicle/timekeeper.h"

#define T0 1795248000000
#define DAY 86400000LL
#define WEEKS_1024 (7168 * DAY)

static struct timekeeper t;

/* A machine that has been up for so long, as it says at `now_ms`. */
static void start(int64_t now_ms, int64_t boot_ms, int64_t floor_ms, bool has_rtc, bool ntp)
{
    struct timekeeper_start s = {now_ms, boot_ms, floor_ms, has_rtc, ntp};

    timekeeper_init(&t, &s);
    timekeeper_pass(&t, now_ms, boot_ms, ntp);
}

/* A fix of `gps_ms`, received at boot_ms on a kernel's clock that said `kernel_ms`. */
static void fix(int64_t gps_ms, int64_t kernel_ms, int64_t boot_ms)
{
    struct fix f = {
        .t_ms = gps_ms, .received_boot_ms = boot_ms, .received_ms = kernel_ms + t.correction_ms};

    timekeeper_fix(&t, &f, false);
}

static void a_receiver_that_agrees_vouches_for_the_clock(void **state)
{
    (void)state;
    start(T0, 5000, 0, false, false);
    assert_true(timekeeper_holds(&t, 5000)); /* it may be where it was switched off */
    assert_int_equal(timekeeper_source(&t, T0, 5000, false), CLOCK_NONE);
    assert_int_equal(timekeeper_source(&t, T0, 5000, true), CLOCK_NTP);
    fix(T0 + 1000, T0 + 1300, 6000);
    assert_false(timekeeper_holds(&t, 6000));
    assert_int_equal(t.correction_ms, 0);
    assert_int_equal(timekeeper_source(&t, T0, 6000, true), CLOCK_GPS);
    assert_int_equal(timekeeper_source(&t, T0, 6001 + TIMEKEEPER_VOUCH_MS, false), CLOCK_RTC);
}

static void a_clock_that_runs_on_is_believed_at_once(void **state)
{
    (void)state;
    start(T0, 5000, T0 + DAY, true, false); /* what was stored was ahead: that was wrong */
    assert_false(timekeeper_holds(&t, 5000));
    assert_int_equal(t.correction_ms, 0);
    assert_int_equal(timekeeper_source(&t, T0, 5000, false), CLOCK_RTC);
}

static void an_empty_battery_of_that_clock_is_noticed(void **state)
{
    (void)state;
    start(0, 3600000, T0, true, false); /* 1970, an hour after the machine's start */
    assert_true(timekeeper_holds(&t, 3600000));
    assert_int_equal(t.correction_ms, T0); /* never before the newest stored sample */
    assert_true(timekeeper_holds(&t, 3600000 + TIMEKEEPER_HOLD_MS - 1));
    assert_false(timekeeper_holds(&t, 3600000 + TIMEKEEPER_HOLD_MS));
    assert_int_equal(timekeeper_source(&t, T0, 3600000, false), CLOCK_NONE);
}

static void the_time_never_starts_before_what_must_have_passed(void **state)
{
    (void)state;
    start(1000, 5000, 0, false, false);
    assert_int_equal(1000 + t.correction_ms, TIMEKEEPER_FLOOR_MS);
    start(T0 - 3600000, 5000, T0, false, false); /* switched off an hour after it was last saved */
    assert_int_equal(t.correction_ms, 3600000);
    start(T0, 5000, T0 + 1500, false, false); /* a hair is none */
    assert_int_equal(t.correction_ms, 0);
    start(T0, 5000, TIMEKEEPER_CEILING_MS + DAY, false, false); /* nonsense was stored once */
    assert_int_equal(t.correction_ms, 0);
}

static void three_fixes_that_agree_set_a_clock_nobody_keeps(void **state)
{
    (void)state;
    start(1000, 5000, 0, false, false);
    fix(T0, 2000, 6000);
    fix(T0 + 1000, 3000, 7000);
    assert_true(timekeeper_holds(&t, 7000));
    fix(T0 + 2000, 4000, 8000);
    assert_false(timekeeper_holds(&t, 8000));
    assert_int_equal(4000 + t.correction_ms, T0 + 2000);
    assert_int_equal(timekeeper_source(&t, T0 + 2000, 8000, false), CLOCK_GPS);
}

static void fixes_that_disagree_with_each_other_set_nothing(void **state)
{
    (void)state;
    start(1000, 5000, 0, false, false);
    for (int i = 0; i < 20; i++)
        fix(T0 + i * 10000, 2000 + i * 1000, 6000 + i * 1000); /* ten times too fast */
    assert_true(timekeeper_holds(&t, 26000));
    fix(T0, 30000, 30000);
    fix(T0 + 1000, 31000, 31000);
    fix(T0 - WEEKS_1024, 32000, 32000); /* one impossible date in between */
    fix(T0 + 3000, 33000, 33000);
    assert_true(timekeeper_holds(&t, 33000));
}

static void the_fix_that_came_fastest_tells_the_time(void **state)
{
    (void)state;
    start(1000, 5000, 0, false, false);
    fix(T0, 2900, 6900); /* 900 ms on its way */
    fix(T0 + 1000, 3050, 7050);
    fix(T0 + 2000, 5400, 9400);
    assert_int_equal(3050 + t.correction_ms, T0 + 1000);
}

static void a_date_1024_weeks_off_is_no_time(void **state)
{
    (void)state;
    start(1000, 5000, 0, false, false);
    for (int i = 0; i < 10; i++)
        fix(T0 - WEEKS_1024 + i * 1000, 2000 + i * 1000, 6000 + i * 1000);
    for (int i = 0; i < 10; i++)
        fix(T0 + WEEKS_1024 + i * 1000, 12000 + i * 1000, 16000 + i * 1000);
    assert_true(timekeeper_holds(&t, 30000));
    assert_int_equal(1000 + t.correction_ms, TIMEKEEPER_FLOOR_MS);
}

static void a_receiver_sets_no_clock_that_somebody_keeps(void **state)
{
    struct fix f = {.t_ms = T0 + 3600000, .received_boot_ms = 5000, .received_ms = T0};

    (void)state;
    start(T0, 5000, 0, true, false);
    for (int i = 0; i < 10; i++)
        fix(T0 + 3600000 + i * 1000, T0 + i * 1000, 5000 + i * 1000);
    assert_int_equal(t.correction_ms, 0);
    start(T0, 5000, 0, false, true);
    for (int i = 0; i < 10; i++, f.t_ms += 1000, f.received_ms += 1000, f.received_boot_ms += 1000)
        timekeeper_fix(&t, &f, true);
    assert_int_equal(t.correction_ms, 0);
    assert_int_equal(timekeeper_source(&t, T0, 15000, true), CLOCK_NTP);
}

static void ntp_takes_the_correction_back(void **state)
{
    (void)state;
    start(1000, 5000, T0, false, false);
    timekeeper_pass(&t, 2000, 6000, true); /* kept, but still in 1970: not yet */
    assert_true(timekeeper_holds(&t, 6000));
    timekeeper_pass(&t, T0 + DAY, 7000, true); /* the kernel's clock was set */
    assert_int_equal(t.correction_ms, 0);
    assert_false(timekeeper_holds(&t, 7000));
    assert_int_equal(timekeeper_source(&t, T0 + DAY, 7000, true), CLOCK_NTP);
}

static void a_clock_that_was_set_needs_no_correction_whoever_set_it(void **state)
{
    (void)state;
    start(1000, 5000, T0, false, false);
    assert_int_equal(1000 + t.correction_ms, T0);
    timekeeper_pass(&t, 2000, 6000, false);
    assert_int_equal(2000 + t.correction_ms, T0 + 1000); /* it runs on */
    timekeeper_pass(&t, T0 + DAY, 7000, false); /* set, and nobody says yet that he keeps it */
    assert_int_equal(t.correction_ms, 0);
    assert_true(timekeeper_holds(&t, 7000));
    timekeeper_pass(&t, T0 + DAY + 1000, 8000, true);
    assert_false(timekeeper_holds(&t, 8000));
}

static void a_clock_that_was_set_to_the_past_is_lifted_again(void **state)
{
    (void)state;
    start(1000, 5000, T0, false, false);
    timekeeper_pass(&t, T0 - DAY, 7000, false); /* as the machine was switched off */
    assert_int_equal(t.correction_ms, DAY);
    timekeeper_pass(&t, 3000, 8000, false); /* back in 1970 */
    assert_int_equal(3000 + t.correction_ms, T0);
}

static void after_ten_minutes_it_goes_without(void **state)
{
    (void)state;
    start(T0, 30000, 0, false, false);
    assert_true(timekeeper_holds(&t, TIMEKEEPER_HOLD_MS - 1));
    assert_false(timekeeper_holds(&t, TIMEKEEPER_HOLD_MS));
    start(T0, 2 * TIMEKEEPER_HOLD_MS, 0, false, false); /* long after the machine's start */
    assert_false(timekeeper_holds(&t, 2 * TIMEKEEPER_HOLD_MS));
    assert_int_equal(timekeeper_source(&t, T0, 2 * TIMEKEEPER_HOLD_MS, false), CLOCK_NONE);
}

static void a_jump_of_the_clock_is_noticed_and_slewing_is_not(void **state)
{
    (void)state;
    start(T0, 1000, 0, true, false);
    assert_int_equal(timekeeper_step(&t, T0, 1000), 0);
    for (int i = 1; i < 1000; i++)
        assert_int_equal(timekeeper_step(&t, T0 + i * 101, 1000 + i * 100), 0);
    assert_int_equal(timekeeper_step(&t, T0 + 100899 + 3600000, 100900), 3600000);
    assert_int_equal(timekeeper_step(&t, T0 + 100999 + 3600000, 101000), 0);
    assert_int_equal(timekeeper_step(&t, T0 + 101099, 101100), -3600000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_receiver_that_agrees_vouches_for_the_clock),
        cmocka_unit_test(a_clock_that_runs_on_is_believed_at_once),
        cmocka_unit_test(an_empty_battery_of_that_clock_is_noticed),
        cmocka_unit_test(the_time_never_starts_before_what_must_have_passed),
        cmocka_unit_test(three_fixes_that_agree_set_a_clock_nobody_keeps),
        cmocka_unit_test(fixes_that_disagree_with_each_other_set_nothing),
        cmocka_unit_test(the_fix_that_came_fastest_tells_the_time),
        cmocka_unit_test(a_date_1024_weeks_off_is_no_time),
        cmocka_unit_test(a_receiver_sets_no_clock_that_somebody_keeps),
        cmocka_unit_test(ntp_takes_the_correction_back),
        cmocka_unit_test(a_clock_that_was_set_needs_no_correction_whoever_set_it),
        cmocka_unit_test(a_clock_that_was_set_to_the_past_is_lifted_again),
        cmocka_unit_test(after_ten_minutes_it_goes_without),
        cmocka_unit_test(a_jump_of_the_clock_is_noticed_and_slewing_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
