/* A vehicle among the rules that are about it: what becomes of a rule that goes, or changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/ingest/car/rules.h"

#define SIGNAL 1

static struct rule_entry entries[RULES_MAX + 1];
static const struct rule_entry *all[RULES_MAX + 1];
static struct rules rules;
static struct car_out out;
static const struct fences nowhere;
static int64_t t_ms;

static int set_up(void **state)
{
    (void)state;
    memset(&rules, 0, sizeof rules);
    t_ms = 1000;
    for (size_t i = 0; i < RULES_MAX + 1; i++) {
        entries[i] = (struct rule_entry){
            .version = 1, .rule = {.signal = SIGNAL, .test = RULE_ABOVE, .threshold = 50}};
        uuid_of_text(entries[i].id, (char[]){(char)('a' + i), 0});
        assert_true(uuid_scan(entries[i].key, entries[i].id));
        all[i] = &entries[i];
    }
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    car_out_done(&out);
    return 0;
}

/* One sample of `value` under `n` rules from the i-th; returns how many things were found. */
static size_t step(double value, size_t i, size_t n)
{
    struct rule_list list = {all + i, n};
    struct reading reading = {.signal = SIGNAL, .value = value};

    car_out_clear(&out);
    rules_step(&rules, &list, &nowhere, NULL, t_ms += 1000, &reading, 1, &out);
    return out.found_n;
}

static void assert_found(size_t i, unsigned parts, const struct rule_entry *rule)
{
    assert_int_equal(out.found[i].parts, parts);
    assert_string_equal(out.found[i].type, "rule");
    assert_string_equal(out.found[i].subject, rule->id);
    assert_int_equal(out.found[i].occurred_ms, t_ms);
}

static void what_a_rule_that_is_gone_raised_is_over(void **state)
{
    (void)state;
    assert_int_equal(step(60, 0, 2), 2);
    assert_int_equal(step(60, 1, 1), 1);
    assert_found(0, FOUND_END, &entries[0]);
    assert_int_equal(step(60, 1, 1), 0);
    assert_int_equal(step(60, 0, 0), 1);
    assert_found(0, FOUND_END, &entries[1]);
    assert_int_equal(rules.n, 0);
}

static void a_rule_that_raised_nothing_goes_without_a_word(void **state)
{
    (void)state;
    assert_int_equal(step(40, 0, 2), 0);
    assert_int_equal(step(40, 1, 1), 0);
    assert_int_equal(rules.n, 1);
}

static void a_changed_rule_ends_what_it_raised_and_begins_anew(void **state)
{
    (void)state;
    assert_int_equal(step(60, 0, 1), 1);
    entries[0].version = 2;
    entries[0].rule.threshold = 70;
    assert_int_equal(step(60, 0, 1), 1);
    assert_found(0, FOUND_END, &entries[0]);
    assert_int_equal(step(80, 0, 1), 1);
    assert_found(0, FOUND_EVENT | FOUND_ALERT, &entries[0]);
}

static void as_many_rules_as_there_may_be_and_one_for_another(void **state)
{
    (void)state;
    assert_int_equal(step(60, 0, RULES_MAX), RULES_MAX);
    assert_int_equal(step(60, 1, RULES_MAX), 2);
    assert_found(0, FOUND_END, &entries[0]);
    assert_found(1, FOUND_EVENT | FOUND_ALERT, &entries[RULES_MAX]);
}

static void a_rule_is_followed_where_the_vehicle_has_its_zone(void **state)
{
    struct fence depot = {.version = 1}, yard = {.version = 1};
    const struct fence *ours[] = {&depot};
    struct fence_list fences = {ours, 1, 0};
    struct rule_entry *rule = &entries[0];

    (void)state;
    memset(depot.key, 1, sizeof depot.key);
    memset(yard.key, 2, sizeof yard.key);
    memcpy(rule->fence, yard.key, sizeof rule->fence);
    assert_true(rule_has_place(rule, &fences));
    rule->rule.place = RULE_OUTSIDE;
    assert_false(rule_has_place(rule, &fences));
    rule->rule.place = RULE_INSIDE;
    assert_false(rule_has_place(rule, &fences));
    memcpy(rule->fence, depot.key, sizeof rule->fence);
    assert_true(rule_has_place(rule, &fences));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_rule_that_is_gone_raised_is_over, set_up, clean_up),
        cmocka_unit_test_setup_teardown(a_rule_that_raised_nothing_goes_without_a_word, set_up,
                                        clean_up),
        cmocka_unit_test_setup_teardown(a_changed_rule_ends_what_it_raised_and_begins_anew, set_up,
                                        clean_up),
        cmocka_unit_test_setup_teardown(a_rule_is_followed_where_the_vehicle_has_its_zone, set_up,
                                        clean_up),
        cmocka_unit_test_setup_teardown(as_many_rules_as_there_may_be_and_one_for_another, set_up,
                                        clean_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
