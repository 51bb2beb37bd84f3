/* What other settings found stays, and nothing is added to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "services/ingest/car/judged.h"

static void settings_count_since_the_last_sample_of_others(void **state)
{
    struct judged j = {0};

    (void)state;
    judged_step(&j, (uint64_t[JUDGED_KINDS]){1, 1, 1, 1}, 0);
    judged_step(&j, (uint64_t[JUDGED_KINDS]){1, 1, 1, 1}, 1000);
    for (int k = 0; k < JUDGED_KINDS; k++)
        assert_int_equal(j.since_ms[k], 0); /* there never were others */
    judged_step(&j, (uint64_t[JUDGED_KINDS]){1, 3, 1, 1}, 2000);
    judged_step(&j, (uint64_t[JUDGED_KINDS]){1, 3, 5, 1}, 3000);
    judged_step(&j, (uint64_t[JUDGED_KINDS]){1, 3, 5, 1}, 4000);
    assert_int_equal(j.since_ms[JUDGED_ZONES], 0);
    assert_int_equal(j.since_ms[JUDGED_LIMITS], 2000);
    assert_int_equal(j.since_ms[JUDGED_RULES], 3000);
    assert_int_equal(j.since_ms[JUDGED_DETECTS], 0);
}

static void each_kind_of_fact_has_its_own_settings(void **state)
{
    const struct judged_past past = {.since_ms = {1000, 2000, 3000, 4000}};
    static const struct {
        const char *type;
        int64_t until_ms;
    } kinds[] = {
        {"geofence_enter", 1000}, {"geofence_dwell", 1000}, {"overspeed", 2000}, {"rule", 3000},
        {"harsh_braking", 4000},  {"low_battery", 4000},    {"tow", 4000},       {"crash", 4000},
        {"fuel_drop", -1},        {"odometer_reset", -1}};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        assert_int_equal(judged_is_past(&past, kinds[i].type, 0), kinds[i].until_ms >= 0);
        assert_int_equal(judged_is_past(&past, kinds[i].type, kinds[i].until_ms),
                         kinds[i].until_ms >= 0);
        assert_false(judged_is_past(&past, kinds[i].type, kinds[i].until_ms + 1));
        assert_int_equal(judged_spares(&past, kinds[i].type, "", 0), kinds[i].until_ms >= 0);
    }
}

static struct found found(unsigned parts, const char *type, const char *subject, int64_t t_ms)
{
    struct found f = {.parts = parts, .occurred_ms = t_ms};

    (void)snprintf(f.type, sizeof f.type, "%s", type);
    (void)snprintf(f.subject, sizeof f.subject, "%s", subject);
    return f;
}

/* A rule made while it was true began then, and by the same rule earlier, had it been there. */
static void what_lasts_from_the_past_has_another_beginning_then(void **state)
{
    const struct found all[] = {
        found(FOUND_EVENT | FOUND_ALERT, "rule", "a", 500),
        found(FOUND_EVENT | FOUND_ALERT, "rule", "b", 600),
        found(FOUND_END, "rule", "b", 900),
        found(FOUND_EVENT | FOUND_ALERT, "geofence_enter", "z", 950),
        found(FOUND_END, "rule", "a", 3000),
        found(FOUND_EVENT | FOUND_ALERT, "rule", "a", 4000),
    };
    const struct judged_past past = {.since_ms = {1000, 1000, 1000, 1000}, .found = all, .n = 6};

    (void)state;
    assert_true(judged_spares(&past, "rule", "a", 1500));
    assert_false(judged_spares(&past, "rule", "a", 3500)); /* that one is over */
    assert_false(judged_spares(&past, "rule", "b", 1500));
    assert_false(judged_spares(&past, "rule", "c", 1500));
    assert_false(judged_spares(&past, "geofence_enter", "z", 1500)); /* a point does not last */
}

static void settings_that_are_neither_those_of_then_nor_of_now_are_others(void **state)
{
    const uint64_t now[JUDGED_KINDS] = {1, 4, 1, 1};
    const struct judged then = {.stamp = {1, 2, 1, 1}};
    struct judged since = then;

    (void)state;
    assert_false(judged_anew(&since, &then, now)); /* it stood still */
    since.stamp[JUDGED_LIMITS] = 4;
    assert_false(judged_anew(&since, &then, now));
    since.stamp[JUDGED_LIMITS] = 6;
    assert_true(judged_anew(&since, &then, now));
    since = then;
    since.stamp[JUDGED_DETECTS] = 3;
    assert_true(judged_anew(&since, &then, now));
    assert_true(judged_so(&then, then.stamp));
    assert_false(judged_so(&then, now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_count_since_the_last_sample_of_others),
        cmocka_unit_test(each_kind_of_fact_has_its_own_settings),
        cmocka_unit_test(what_lasts_from_the_past_has_another_beginning_then),
        cmocka_unit_test(settings_that_are_neither_those_of_then_nor_of_now_are_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
