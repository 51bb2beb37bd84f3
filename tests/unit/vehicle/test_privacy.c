/* When the car is private, since when, and who says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "vehicle/privacy.h"

#define HOUR INT64_C(3600000)
#define MONDAY_NOON INT64_C(1795431600000) /* Monday 2026-11-23 12:00 in Paris, 11:00 UTC */

static struct fault fault;
static struct privacy p;

static int begin(void **state)
{
    (void)state;
    memset(&p, 0, sizeof p);
    return 0;
}

static enum status rules(const char *text)
{
    json_t *object = json_loads(text, 0, NULL);
    enum status st = privacy_rules_read(&p.rules, object, &fault);

    json_decref(object);
    return st;
}

static void office_hours(void)
{
    assert_int_equal(rules("{\"zone\":\"CET-1CEST,M3.5.0,M10.5.0/3\",\"work\":[{\"days\":[1,2,3,4,"
                           "5],\"from\":480,\"to\":1080}]}"),
                     ST_OK);
}

/* ---- hours */

static void without_hours_every_hour_is_one_of_work(void **state)
{
    (void)state;
    assert_true(privacy_is_work(&p.rules, MONDAY_NOON));
    assert_int_equal(rules("{\"crash_place\":true}"), ST_OK);
    assert_true(privacy_is_work(&p.rules, MONDAY_NOON - 12 * HOUR));
    assert_true(p.rules.crash_place);
}

static void work_begins_and_ends_at_the_minute_of_the_place(void **state)
{
    (void)state;
    office_hours();
    assert_true(privacy_is_work(&p.rules, MONDAY_NOON));
    assert_false(privacy_is_work(&p.rules, MONDAY_NOON - 4 * HOUR - 1));
    assert_true(privacy_is_work(&p.rules, MONDAY_NOON - 4 * HOUR));
    assert_true(privacy_is_work(&p.rules, MONDAY_NOON + 6 * HOUR - 1));
    assert_false(privacy_is_work(&p.rules, MONDAY_NOON + 6 * HOUR));
    assert_false(privacy_is_work(&p.rules, MONDAY_NOON - 24 * HOUR)); /* Sunday */
    assert_true(privacy_is_work(&p.rules, MONDAY_NOON + 4 * 24 * HOUR));
    assert_false(privacy_is_work(&p.rules, MONDAY_NOON + 5 * 24 * HOUR));
}

static void a_night_shift_goes_on_until_the_morning_of_the_next_day(void **state)
{
    (void)state;
    assert_int_equal(
        rules("{\"zone\":\"CET-1CEST,M3.5.0,M10.5.0/3\",\"work\":[{\"days\":[7],\"from\":1320,"
              "\"to\":360}]}"),
        ST_OK);
    assert_true(privacy_is_work(&p.rules, MONDAY_NOON - 14 * HOUR));      /* Sunday 22:00 */
    assert_true(privacy_is_work(&p.rules, MONDAY_NOON - 6 * HOUR - 1));   /* Monday 05:59 */
    assert_false(privacy_is_work(&p.rules, MONDAY_NOON - 6 * HOUR));      /* 06:00 */
    assert_false(privacy_is_work(&p.rules, MONDAY_NOON + 11 * HOUR));     /* Monday 23:00 */
    assert_false(privacy_is_work(&p.rules, MONDAY_NOON - 14 * HOUR - 1)); /* Sunday 21:59 */
}

static void rules_that_are_wrong_are_refused_and_leave_the_old_ones(void **state)
{
    static const char *const wrong[] = {
        "[]",
        "{\"zone\":\"Europe/Paris\"}",
        "{\"zone\":1}",
        "{\"work\":{}}",
        "{\"work\":[1]}",
        "{\"work\":[{\"days\":[1],\"from\":0}]}",
        "{\"work\":[{\"days\":[0],\"from\":0,\"to\":5}]}",
        "{\"work\":[{\"days\":[8],\"from\":0,\"to\":5}]}",
        "{\"work\":[{\"days\":[],\"from\":0,\"to\":5}]}",
        "{\"work\":[{\"days\":[1],\"from\":1440,\"to\":5}]}",
        "{\"work\":[{\"days\":[1],\"from\":0,\"to\":1441}]}",
        "{\"crash_place\":1}",
    };

    (void)state;
    office_hours();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        fault.text[0] = '\0';
        if (rules(wrong[i]) != ST_REJECT || strncmp(fault.text, "privacy", 7) != 0)
            fail_msg("%s: %s", wrong[i], fault.text);
    }
    assert_int_equal(p.rules.span_count, 1);
}

static void no_hours_of_work_at_all_means_always_private(void **state)
{
    (void)state;
    assert_int_equal(rules("{\"work\":[]}"), ST_OK);
    assert_true(privacy_step(&p, MONDAY_NOON, true));
    assert_int_equal(p.cause, PRIVACY_HOURS);
}

/* ---- who says so */

static void it_is_private_since_the_switch_and_told_once(void **state)
{
    (void)state;
    assert_false(privacy_step(&p, MONDAY_NOON, true));
    p.button = true;
    assert_true(privacy_step(&p, MONDAY_NOON + 1000, true));
    assert_false(privacy_step(&p, MONDAY_NOON + 2000, true));
    assert_int_equal(p.cause, PRIVACY_BUTTON);
    assert_int_equal(p.since_ms, MONDAY_NOON + 1000);
    p.button = false;
    assert_true(privacy_step(&p, MONDAY_NOON + 3000, true));
    assert_int_equal(p.since_ms, 0);
}

static void another_cause_is_told_and_the_beginning_stays(void **state)
{
    (void)state;
    office_hours();
    p.button = true;
    assert_true(privacy_step(&p, MONDAY_NOON, true));
    assert_false(privacy_step(&p, MONDAY_NOON + 7 * HOUR, true));
    p.button = false;
    assert_true(privacy_step(&p, MONDAY_NOON + 8 * HOUR, true));
    assert_int_equal(p.cause, PRIVACY_HOURS);
    assert_int_equal(p.since_ms, MONDAY_NOON);
}

static void a_command_lasts_until_its_time(void **state)
{
    (void)state;
    privacy_command(&p, true, MONDAY_NOON + HOUR);
    assert_true(privacy_step(&p, MONDAY_NOON, true));
    assert_int_equal(p.cause, PRIVACY_COMMAND);
    assert_false(privacy_step(&p, MONDAY_NOON + HOUR - 1, true));
    assert_true(privacy_step(&p, MONDAY_NOON + HOUR, true));
    assert_int_equal(p.cause, PRIVACY_NONE);
}

static void a_command_cannot_end_what_the_driver_or_the_hours_say(void **state)
{
    (void)state;
    office_hours();
    p.button = true;
    privacy_step(&p, MONDAY_NOON, true);
    privacy_command(&p, false, 0);
    assert_false(privacy_step(&p, MONDAY_NOON + 1, true));
    p.button = false;
    privacy_step(&p, MONDAY_NOON - 24 * HOUR, true);
    privacy_command(&p, false, 0);
    privacy_step(&p, MONDAY_NOON - 24 * HOUR, true);
    assert_int_equal(p.cause, PRIVACY_HOURS);
}

static void while_the_time_is_not_known_hours_count_as_private_and_commands_go_on(void **state)
{
    (void)state;
    office_hours();
    assert_true(privacy_step(&p, 1000, false));
    assert_int_equal(p.cause, PRIVACY_HOURS);
    privacy_command(&p, true, 5000);
    privacy_step(&p, MONDAY_NOON, false);
    assert_int_equal(p.cause, PRIVACY_COMMAND);
    privacy_step(&p, MONDAY_NOON, true);
    assert_int_equal(p.cause, PRIVACY_NONE);
}

/* ---- places */

static void a_fix_that_waited_while_it_ended_keeps_no_place(void **state)
{
    (void)state;
    assert_false(privacy_covers(&p, MONDAY_NOON, MONDAY_NOON));
    p.button = true;
    privacy_step(&p, MONDAY_NOON, true);
    assert_true(privacy_covers(&p, MONDAY_NOON - 1, MONDAY_NOON - 1));
    p.button = false;
    privacy_step(&p, MONDAY_NOON + 5000, true);
    assert_true(privacy_covers(&p, MONDAY_NOON + 5000, MONDAY_NOON + 5000));
    assert_false(privacy_covers(&p, MONDAY_NOON + 5001, MONDAY_NOON + 5001));
    assert_true(privacy_covers(&p, MONDAY_NOON + 6000, MONDAY_NOON + 4000)); /* gpsd was slow */
    privacy_clock_set(&p); /* set back: the end may lie in the future now */
    assert_false(privacy_covers(&p, MONDAY_NOON, MONDAY_NOON));
}

static void what_began_before_the_time_was_known_gets_its_true_time(void **state)
{
    (void)state;
    p.button = true;
    privacy_step(&p, MONDAY_NOON, false);
    assert_true(privacy_shift(&p, HOUR));
    assert_int_equal(p.since_ms, MONDAY_NOON + HOUR);
    p.button = false;
    privacy_step(&p, MONDAY_NOON + 2 * HOUR, true);
    assert_false(privacy_shift(&p, HOUR)); /* not private */
    p.button = true;
    privacy_step(&p, MONDAY_NOON + 3 * HOUR, true);
    assert_false(privacy_shift(&p, HOUR)); /* its time was known */
    assert_int_equal(p.since_ms, MONDAY_NOON + 3 * HOUR);
}

/* ---- over a restart */

static void it_survives_a_restart(void **state)
{
    struct privacy again;
    struct text text;

    (void)state;
    text_init(&text);
    privacy_command(&p, true, MONDAY_NOON + HOUR);
    privacy_step(&p, MONDAY_NOON, true);
    privacy_write(&p, &text);
    memset(&again, 0, sizeof again);
    assert_int_equal(privacy_load(&again, text.bytes, text.len, &fault), ST_OK);
    assert_int_equal(again.cause, PRIVACY_COMMAND);
    assert_int_equal(again.since_ms, MONDAY_NOON);
    assert_false(privacy_step(&again, MONDAY_NOON + 1000, true));
    assert_true(privacy_step(&again, MONDAY_NOON + HOUR, true));
    assert_int_equal(privacy_load(&again, "{}", 2, &fault), ST_REJECT);
    assert_int_equal(privacy_load(&again, "x", 1, &fault), ST_REJECT);
    text_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_hours_every_hour_is_one_of_work, begin),
        cmocka_unit_test_setup(work_begins_and_ends_at_the_minute_of_the_place, begin),
        cmocka_unit_test_setup(a_night_shift_goes_on_until_the_morning_of_the_next_day, begin),
        cmocka_unit_test_setup(rules_that_are_wrong_are_refused_and_leave_the_old_ones, begin),
        cmocka_unit_test_setup(no_hours_of_work_at_all_means_always_private, begin),
        cmocka_unit_test_setup(it_is_private_since_the_switch_and_told_once, begin),
        cmocka_unit_test_setup(another_cause_is_told_and_the_beginning_stays, begin),
        cmocka_unit_test_setup(a_command_lasts_until_its_time, begin),
        cmocka_unit_test_setup(a_command_cannot_end_what_the_driver_or_the_hours_say, begin),
        cmocka_unit_test_setup(
            while_the_time_is_not_known_hours_count_as_private_and_commands_go_on, begin),
        cmocka_unit_test_setup(a_fix_that_waited_while_it_ended_keeps_no_place, begin),
        cmocka_unit_test_setup(what_began_before_the_time_was_known_gets_its_true_time, begin),
        cmocka_unit_test_setup(it_survives_a_restart, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
