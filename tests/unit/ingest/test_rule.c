/* Rules on signals, and the hours they hold in. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "services/ingest/facts/rule.h"

#define MONDAY ((int64_t)1795420800000) /* 2026-11-23 08:00 UTC */
#define S ((int64_t)1000)
#define H (3600 * S)

static enum rule_fact at(struct rule_state *s, const struct rule *r, int64_t t_s, double value)
{
    return rule_step(s, r, MONDAY + t_s * S, value, true, 60);
}

static void a_threshold_without_duration_raises_at_once(void **state)
{
    const struct rule r = {.threshold = 100};
    struct rule_state s = {0};

    (void)state;
    assert_int_equal(at(&s, &r, 1, 100), RULE_NONE);
    assert_int_equal(at(&s, &r, 2, 101), RULE_RAISED);
    assert_int_equal(at(&s, &r, 3, 105), RULE_NONE);
    assert_int_equal(at(&s, &r, 4, 99), RULE_ENDED);
    assert_int_equal(at(&s, &r, 5, 99), RULE_NONE);
}

static void a_duration_is_stamped_at_its_first_moment(void **state)
{
    const struct rule r = {.threshold = 100, .duration_ms = 10 * S};
    struct rule_state s = {0};

    (void)state;
    for (int t = 1; t < 10; t++)
        assert_int_equal(at(&s, &r, t, 110), RULE_NONE);
    assert_int_equal(at(&s, &r, 10, 90), RULE_NONE); /* a break */
    for (int t = 11; t < 21; t++)
        assert_int_equal(at(&s, &r, t, 110), RULE_NONE);
    assert_int_equal(at(&s, &r, 21, 110), RULE_RAISED);
    assert_int_equal(s.raised_ms, MONDAY + 11 * S);
}

static void a_hole_proves_no_duration(void **state)
{
    const struct rule r = {.threshold = 100, .duration_ms = 60 * S};
    struct rule_state s = {0};

    (void)state;
    assert_int_equal(at(&s, &r, 1, 110), RULE_NONE);
    assert_int_equal(at(&s, &r, 100, 110), RULE_NONE);
    assert_int_equal(at(&s, &r, 100, 90), RULE_NONE); /* not after */
    for (int t = 110; t < 160; t += 10)
        assert_int_equal(at(&s, &r, t, 110), RULE_NONE);
    assert_int_equal(at(&s, &r, 160, 110), RULE_RAISED);
}

static void values_that_are_always_far_apart_make_no_holes(void **state)
{
    const struct rule r = {.threshold = 100, .duration_ms = 300 * S};
    struct rule_state s = {0};
    int raised = 0;

    (void)state;
    for (int t = 1; t < 3600; t += 40) /* a car that asks for many, slowly */
        raised += at(&s, &r, t, 110) == RULE_RAISED;
    assert_int_equal(raised, 1);
    assert_int_equal(s.raised_ms, MONDAY + 41 * S); /* it takes two to know */
    s = (struct rule_state){0};
    for (int t = 1; t < 60; t++)
        assert_int_equal(at(&s, &r, t, 110), RULE_NONE);
    for (int t = 99; t < 350; t++) /* but 40 s of one that is told each second is a hole */
        assert_int_equal(at(&s, &r, t, 110), RULE_NONE);
}

static void a_value_that_is_steady_is_told_rarely_and_still_lasts(void **state)
{
    const struct rule r = {.threshold = 20, .duration_ms = 60 * S};
    struct rule_state s = {0};

    (void)state;
    assert_int_equal(at(&s, &r, 1, 30), RULE_NONE);
    assert_int_equal(at(&s, &r, 2, 31), RULE_NONE);
    assert_int_equal(at(&s, &r, 27, 31), RULE_NONE);
    assert_int_equal(at(&s, &r, 52, 31), RULE_NONE);
    assert_int_equal(at(&s, &r, 77, 31), RULE_RAISED);
    assert_int_equal(s.raised_ms, MONDAY + S);
}

static void a_hole_makes_no_other_time_of_it(void **state)
{
    const struct rule r = {.threshold = 100, .repeat = 3, .repeat_ms = H};
    struct rule_state s = {0};

    (void)state;
    for (int t = 1; t < 3600; t += 100) /* true without a break, as far as anybody knows */
        assert_int_equal(at(&s, &r, t, 110), RULE_NONE);
    assert_int_equal(at(&s, &r, 3601, 90), RULE_NONE);
    assert_int_equal(at(&s, &r, 3602, 110), RULE_NONE);
    assert_int_equal(at(&s, &r, 3603, 90), RULE_NONE);
    assert_int_equal(at(&s, &r, 3604, 110), RULE_NONE); /* of 1: too long ago */
    assert_int_equal(at(&s, &r, 3605, 90), RULE_NONE);
    assert_int_equal(at(&s, &r, 3606, 110), RULE_RAISED);
}

static void hysteresis_does_not_outlive_a_hole(void **state)
{
    const struct rule r = {.threshold = 110, .release = 10, .duration_ms = 5 * S};
    struct rule_state s = {0};

    (void)state;
    assert_int_equal(at(&s, &r, 1, 111), RULE_NONE);
    assert_int_equal(at(&s, &r, 3, 105), RULE_NONE); /* still so */
    for (int t = 3600; t < 3620; t++)
        assert_int_equal(at(&s, &r, t, 105), RULE_NONE);
    assert_int_equal(at(&s, &r, 3620, 111), RULE_NONE);
    for (int t = 3621; t < 3625; t++)
        assert_int_equal(at(&s, &r, t, 105), RULE_NONE);
    assert_int_equal(at(&s, &r, 3625, 105), RULE_RAISED);
    assert_int_equal(at(&s, &r, 9000, 105), RULE_NONE); /* what is raised ends when it is over */
    assert_int_equal(at(&s, &r, 9001, 99), RULE_ENDED);
}

static void it_ends_only_when_it_has_come_back_far_enough(void **state)
{
    const struct rule r = {.test = RULE_BELOW, .threshold = 20, .release = 5};
    struct rule_state s = {0};

    (void)state;
    assert_int_equal(at(&s, &r, 1, 19), RULE_RAISED);
    for (int t = 2; t < 20; t++)
        assert_int_equal(at(&s, &r, t, t % 2 ? 19 : 22), RULE_NONE);
    assert_int_equal(at(&s, &r, 20, 25), RULE_ENDED);
    assert_int_equal(at(&s, &r, 21, 22), RULE_NONE);
}

static void repeats_count_within_their_time(void **state)
{
    const struct rule r = {.threshold = 100, .repeat = 3, .repeat_ms = 60 * S};
    struct rule_state s = {0};

    (void)state;
    assert_int_equal(at(&s, &r, 1, 110), RULE_NONE);
    assert_int_equal(at(&s, &r, 2, 90), RULE_NONE);
    assert_int_equal(at(&s, &r, 50, 110), RULE_NONE);
    assert_int_equal(at(&s, &r, 51, 90), RULE_NONE);
    assert_int_equal(at(&s, &r, 70, 110), RULE_NONE); /* the first is too long ago */
    assert_int_equal(at(&s, &r, 71, 90), RULE_NONE);
    assert_int_equal(at(&s, &r, 72, 110), RULE_RAISED);
    assert_int_equal(at(&s, &r, 73, 90), RULE_ENDED);
    assert_int_equal(at(&s, &r, 74, 110), RULE_NONE); /* counting begins anew */
}

static void zone_and_schedule_make_the_condition_false(void **state)
{
    const struct rule r = {.threshold = 100,
                           .place = RULE_OUTSIDE,
                           .schedule = {.spans = {{0x1f, 8 * 60, 18 * 60}}, .n = 1}};
    struct rule_state s = {0};

    (void)state;
    assert_int_equal(rule_step(&s, &r, MONDAY, 110, true, 60), RULE_NONE);
    assert_int_equal(rule_step(&s, &r, MONDAY + S, 110, false, 60), RULE_RAISED);
    assert_int_equal(rule_step(&s, &r, MONDAY + 9 * H, 110, false, 60), RULE_ENDED); /* 18:00 */
    assert_int_equal(rule_step(&s, &r, MONDAY + 10 * H, 110, false, 60), RULE_NONE);
}

static void what_was_not_measured_changes_nothing(void **state)
{
    const struct rule r = {.test = RULE_OTHER, .threshold = 1};
    struct rule_state s = {0};

    (void)state;
    assert_int_equal(at(&s, &r, 1, (double)NAN), RULE_NONE);
    assert_int_equal(at(&s, &r, 2, 0), RULE_RAISED);
    assert_int_equal(at(&s, &r, 3, (double)NAN), RULE_NONE);
    assert_int_equal(at(&s, &r, 4, 1), RULE_ENDED);
}

static void a_night_belongs_to_the_day_it_began_on(void **state)
{
    const struct schedule fridays = {.spans = {{1 << 4, 22 * 60, 6 * 60}}, .n = 1};
    const int64_t friday = MONDAY + 4 * 24 * H; /* 08:00 UTC */
    struct schedule except = fridays, always = {0};

    (void)state;
    except.except = true;
    assert_false(schedule_holds(&fridays, friday, 0));
    assert_true(schedule_holds(&fridays, friday + 14 * H, 0));
    assert_true(schedule_holds(&fridays, friday + 21 * H, 0));
    assert_false(schedule_holds(&fridays, friday + 22 * H, 0));
    assert_false(schedule_holds(&fridays, friday - 3 * H, 0));  /* Friday 05:00: Thursday's night */
    assert_true(schedule_holds(&fridays, friday + 13 * H, 60)); /* 22:00 in Strasbourg */
    assert_true(schedule_holds(&except, friday, 0));
    assert_true(schedule_holds(&always, friday, 0));
}

static void a_scope_narrows_from_customer_to_vehicle(void **state)
{
    const struct rule all = {.customer = "c1"}, group = {.customer = "c1", .group = "vans"},
                      one = {.customer = "c1", .vin = "WVWZZZ1KZAW000001"};

    (void)state;
    assert_true(rule_covers(&all, "c1", "cars", "X"));
    assert_false(rule_covers(&all, "c2", "cars", "X"));
    assert_true(rule_covers(&group, "c1", "vans", "X"));
    assert_false(rule_covers(&group, "c1", "cars", "X"));
    assert_true(rule_covers(&one, "c1", "", "WVWZZZ1KZAW000001"));
    assert_false(rule_covers(&one, "c1", "", "X"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_threshold_without_duration_raises_at_once),
        cmocka_unit_test(a_duration_is_stamped_at_its_first_moment),
        cmocka_unit_test(a_hole_proves_no_duration),
        cmocka_unit_test(values_that_are_always_far_apart_make_no_holes),
        cmocka_unit_test(a_value_that_is_steady_is_told_rarely_and_still_lasts),
        cmocka_unit_test(a_hole_makes_no_other_time_of_it),
        cmocka_unit_test(hysteresis_does_not_outlive_a_hole),
        cmocka_unit_test(it_ends_only_when_it_has_come_back_far_enough),
        cmocka_unit_test(repeats_count_within_their_time),
        cmocka_unit_test(zone_and_schedule_make_the_condition_false),
        cmocka_unit_test(what_was_not_measured_changes_nothing),
        cmocka_unit_test(a_night_belongs_to_the_day_it_began_on),
        cmocka_unit_test(a_scope_narrows_from_customer_to_vehicle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
