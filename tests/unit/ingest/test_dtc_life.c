/* The life of trouble codes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <string.h>

#include "services/ingest/facts/dtc_life.h"

static const struct dtc_fact *facts; /* of the last step */
static const struct dtc p0301 = {"P0301", "7E8", DTC_STORED};
static const struct dtc p0420 = {"P0420", "7E8", DTC_PENDING};

static struct dtc_report report(int64_t t_ms, const struct dtc *codes, size_t n)
{
    return (struct dtc_report){
        .t_ms = t_ms,
        .extent = {DTC_FULL, DTC_FULL, DTC_ABSENT},
        .codes = codes,
        .n = n,
        .mil = -1,
        .cleared_km = (double)NAN,
    };
}

static size_t step_report(struct dtc_life *d, const struct dtc_report *r)
{
    size_t n = dtc_life_step(d, r);

    assert_false(d->failed);
    facts = d->facts;
    return n;
}

static size_t step(struct dtc_life *d, int64_t t_ms, const struct dtc *codes, size_t n)
{
    struct dtc_report r = report(t_ms, codes, n);

    return step_report(d, &r);
}

static void a_code_is_new_once_gone_and_back(void **state)
{
    static struct dtc_life d;

    (void)state;
    assert_int_equal(step(&d, 1000, &p0301, 1), 1);
    assert_int_equal(facts[0].kind, DTC_NEW);
    assert_int_equal(step(&d, 2000, &p0301, 1), 0);
    assert_int_equal(step(&d, 3000, NULL, 0), 1);
    assert_int_equal(facts[0].kind, DTC_GONE);
    assert_false(facts[0].erased);
    assert_string_equal(facts[0].dtc.code, "P0301");
    assert_int_equal(step(&d, 4000, &p0301, 1), 1);
    assert_int_equal(facts[0].kind, DTC_BACK);
    assert_int_equal(facts[0].first_ms, 1000);
    assert_int_equal(facts[0].count, 2);
}

static void code_ecu_and_state_make_three_different_codes(void **state)
{
    static struct dtc_life d;
    const struct dtc codes[] = {
        {"P0301", "7E8", DTC_STORED}, {"P0301", "7E9", DTC_STORED}, {"P0301", "7E8", DTC_PENDING}};

    (void)state;
    assert_int_equal(step(&d, 1000, codes, 3), 3);
    assert_int_equal(step(&d, 2000, codes, 2), 1);
    assert_int_equal(facts[0].dtc.list, DTC_PENDING);
}

static void a_partial_or_absent_list_never_clears_but_may_add(void **state)
{
    static struct dtc_life d;
    const struct dtc both[] = {p0301, p0420};
    const struct dtc other = {"P0171", "7E8", DTC_STORED};
    struct dtc_report r = report(2000, &other, 1);

    (void)state;
    assert_int_equal(step(&d, 1000, both, 2), 2);
    r.extent[DTC_STORED] = DTC_PARTIAL;
    r.extent[DTC_PENDING] = DTC_ABSENT;
    assert_int_equal(step_report(&d, &r), 1);
    assert_int_equal(facts[0].kind, DTC_NEW);
    r = report(3000, NULL, 0);
    r.extent[DTC_STORED] = DTC_PARTIAL;
    r.extent[DTC_PENDING] = DTC_FULL; /* each list for itself */
    assert_int_equal(step_report(&d, &r), 1);
    assert_string_equal(facts[0].dtc.code, "P0420");
    assert_int_equal(facts[0].kind, DTC_GONE);
}

static void reports_of_one_time_add_up_and_take_nothing_from_each_other(void **state)
{
    static struct dtc_life d;
    const struct dtc other = {"P0171", "7E9", DTC_STORED};
    struct dtc_report r = report(2000, &p0301, 1);

    (void)state;
    assert_int_equal(step(&d, 1000, &p0420, 1), 1);
    assert_int_equal(step_report(&d, &r), 2); /* P0420 went */
    r = report(2000, &other, 1);
    assert_int_equal(step_report(&d, &r), 1);
    assert_int_equal(facts[0].kind, DTC_NEW);
    assert_string_equal(facts[0].dtc.code, "P0171");
    assert_int_equal(step_report(&d, &r), 0);
    assert_true(dtc_life_find(&d, &p0301)->there);
    r.t_ms = 1999;
    r.n = 0;
    assert_int_equal(step_report(&d, &r), 0); /* that one is late */
    r.t_ms = 2001;
    assert_int_equal(step_report(&d, &r), 2);
    assert_int_equal(dtc_life_find(&d, &other)->count, 1);
}

static void between_reports_of_one_time_nothing_falls_and_no_lamp_goes_out(void **state)
{
    static struct dtc_life d;
    struct dtc_report r = report(1000, NULL, 0);

    (void)state;
    r.mil = 1;
    r.readiness_known = true;
    r.supported = 1;
    r.cleared_km = 820;
    assert_int_equal(step_report(&d, &r), 1);
    r.mil = 0;
    r.incomplete = 1;
    r.cleared_km = 3;
    assert_int_equal(step_report(&d, &r), 0);
    assert_int_equal(d.mil, 1);
    r.t_ms = 2000; /* what fell meanwhile is seen with the next */
    assert_int_equal(step_report(&d, &r), 2);
    assert_true(facts[0].kind == DTC_ERASED && facts[0].fell);
    assert_int_equal(facts[1].kind, DTC_MIL_OFF);
}

static void codes_erased_by_somebody_are_told_from_codes_that_healed(void **state)
{
    static struct dtc_life by_distance, by_monitors, silent;
    struct dtc_report r = report(1000, &p0301, 1);

    (void)state;
    r.cleared_km = 820;
    (void)step_report(&by_distance, &r);
    r = report(2000, NULL, 0);
    r.cleared_km = 3;
    assert_int_equal(step_report(&by_distance, &r), 1);
    assert_true(facts[0].erased);

    r = report(1000, &p0301, 1);
    r.readiness_known = true;
    r.supported = 0x7;
    r.incomplete = 0x4;
    (void)step_report(&by_monitors, &r);
    r = report(2000, NULL, 0);
    r.readiness_known = true;
    r.supported = 0x7;
    r.incomplete = 0x5;
    assert_int_equal(step_report(&by_monitors, &r), 1);
    assert_true(facts[0].erased);

    r = report(1000, NULL, 0); /* nothing was stored, and it was erased all the same */
    r.cleared_km = 100;
    (void)step_report(&silent, &r);
    r.t_ms = 2000;
    r.cleared_km = 0;
    assert_int_equal(step_report(&silent, &r), 1);
    assert_int_equal(facts[0].kind, DTC_ERASED);
}

static void what_was_not_read_erases_nothing(void **state)
{
    static struct dtc_life d;
    struct dtc_report r = report(1000, &p0301, 1);

    (void)state;
    r.cleared_km = 820;
    r.readiness_known = true;
    r.supported = 0x7;
    (void)step_report(&d, &r);
    assert_int_equal(step(&d, 2000, NULL, 0), 1);
    assert_false(facts[0].erased);
    r = report(3000, NULL, 0);
    r.cleared_km = 900;
    r.readiness_known = true;
    r.supported = 0x3; /* one ECU less answered: its monitor is not incomplete */
    assert_int_equal(step_report(&d, &r), 0);
}

static void the_lamp_is_told_when_it_changes(void **state)
{
    static struct dtc_life d;
    struct dtc_report r = report(1000, NULL, 0);

    (void)state;
    r.mil = 0;
    assert_int_equal(step_report(&d, &r), 0);
    r.t_ms = 2000;
    r.mil = 1;
    assert_int_equal(step_report(&d, &r), 1);
    assert_int_equal(facts[0].kind, DTC_MIL_ON);
    r.t_ms = 3000;
    r.mil = -1;
    assert_int_equal(step_report(&d, &r), 0);
    r.t_ms = 3000; /* not after */
    r.mil = 0;
    assert_int_equal(step_report(&d, &r), 0);
    r.t_ms = 4000;
    assert_int_equal(step_report(&d, &r), 1);
    assert_int_equal(facts[0].kind, DTC_MIL_OFF);
}

static struct dtc *many_codes(size_t n)
{
    struct dtc *many = calloc(n, sizeof *many);

    assert_non_null(many);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(many[i].code, sizeof many[i].code, "P%04X", (unsigned)(i & 0xffff));
        (void)snprintf(many[i].ecu, sizeof many[i].ecu, "7E8");
    }
    return many;
}

static void a_list_of_a_thousand_is_taken_whole(void **state)
{
    struct dtc_life d = {0};
    struct dtc *many = many_codes(1000);

    (void)state;
    assert_int_equal(step(&d, 1000, many, 1000), 1000);
    assert_int_equal(step(&d, 2000, many, 1000), 0); /* all are there: none went, none came */
    assert_int_equal(step(&d, 3000, many + 1, 999), 1);
    assert_int_equal(facts[0].kind, DTC_GONE);
    assert_string_equal(facts[0].dtc.code, "P0000");
    assert_int_equal(step(&d, 4000, many, 1000), 1);
    assert_int_equal(facts[0].kind, DTC_BACK);
    assert_int_equal(facts[0].first_ms, 1000);
    assert_int_equal(d.forgotten, 0);
    dtc_life_done(&d);
    free(many);
}

static void more_codes_than_a_car_can_have_are_counted_and_none_is_lost_for_them(void **state)
{
    struct dtc_life d = {0};
    struct dtc *many = many_codes(DTC_THERE_MAX + 10);
    struct dtc_report r = report(2000, many + 10, DTC_THERE_MAX);

    (void)state;
    assert_int_equal(step(&d, 1000, many, DTC_THERE_MAX), DTC_THERE_MAX);
    r.extent[DTC_STORED] = DTC_PARTIAL;
    assert_int_equal(step_report(&d, &r), 0);
    assert_int_equal(d.forgotten, 10);
    assert_null(dtc_life_find(&d, &many[DTC_THERE_MAX]));
    assert_int_equal(step(&d, 3000, many + 10, DTC_THERE_MAX), 20); /* ten go, ten come */
    dtc_life_done(&d);
    free(many);
}

static void a_life_that_is_cleared_knows_nothing(void **state)
{
    struct dtc_life d = {0};

    (void)state;
    assert_int_equal(step(&d, 1000, &p0301, 1), 1);
    dtc_life_clear(&d);
    assert_null(dtc_life_find(&d, &p0301));
    assert_int_equal(step(&d, 500, &p0301, 1), 1);
    assert_int_equal(facts[0].kind, DTC_NEW);
    dtc_life_done(&d);
}

static void a_pending_code_is_one_severity_lower(void **state)
{
    struct dtc pending = p0301;

    (void)state;
    pending.list = DTC_PENDING;
    assert_string_equal(dtc_severity_word(dtc_severity(&p0301)), "major");
    assert_string_equal(dtc_severity_word(dtc_severity(&pending)), "minor");
    assert_string_equal(dtc_severity_word(dtc_severity(&p0420)), "info");
    assert_int_equal(dtc_list_of("permanent"), DTC_PERMANENT);
    assert_int_equal(dtc_list_of("?"), -1);
    assert_int_equal(dtc_extent_of("full"), DTC_FULL);
    assert_int_equal(dtc_extent_of("?"), DTC_ABSENT);
}

/* Stepped anew in order of time: alerts are of how it ends alone. */
static void in_the_end_only_the_last_of_each_code_is_so(void **state)
{
    static struct dtc_life d;
    struct dtc_fact came, gone, back;

    (void)state;
    assert_int_equal(step(&d, 1000, &p0301, 1), 1);
    came = facts[0];
    assert_true(dtc_life_is_last(&d, &came));
    assert_int_equal(step(&d, 2000, NULL, 0), 1);
    gone = facts[0];
    assert_true(dtc_life_is_last(&d, &gone));
    assert_false(dtc_life_is_last(&d, &came));
    assert_int_equal(step(&d, 3000, &p0301, 1), 1);
    back = facts[0];
    assert_true(dtc_life_is_last(&d, &back));
    assert_false(dtc_life_is_last(&d, &gone));
    assert_false(dtc_life_is_last(&d, &came));
}

static void the_oldest_report_kept_tells_how_older_codes_stood(void **state)
{
    static struct dtc_life d;
    struct dtc_report first = report(5000, &p0301, 1);

    (void)state;
    dtc_life_add(&d, &(struct dtc_known){.dtc = p0301, .first_ms = 1000, .count = 2});
    dtc_life_add(&d, &(struct dtc_known){.dtc = p0420, .first_ms = 2000, .count = 1});
    first.mil = 1;
    dtc_life_ground(&d, &first);
    assert_int_equal(step_report(&d, &first), 0);
    assert_int_equal(step(&d, 6000, &p0420, 1), 2);
    assert_int_equal(facts[0].kind, DTC_GONE);
    assert_int_equal(facts[0].first_ms, 1000);
    assert_int_equal(facts[1].kind, DTC_BACK);
    assert_int_equal(facts[1].count, 2);
}

static void what_the_oldest_report_did_not_read_stands_as_it_did(void **state)
{
    static struct dtc_life d;
    struct dtc_report first = report(5000, NULL, 0);

    (void)state;
    dtc_life_add(&d,
                 &(struct dtc_known){.dtc = p0301, .first_ms = 1000, .count = 1, .there = true});
    dtc_life_add(&d,
                 &(struct dtc_known){.dtc = p0420, .first_ms = 2000, .count = 1, .there = true});
    first.extent[DTC_STORED] = DTC_PARTIAL;
    dtc_life_ground(&d, &first);
    assert_true(dtc_life_find(&d, &p0301)->there);
    assert_false(dtc_life_find(&d, &p0420)->there); /* pending was read in full */
    assert_int_equal(step(&d, 6000, NULL, 0), 1);
    assert_int_equal(facts[0].kind, DTC_GONE);
    assert_string_equal(facts[0].dtc.code, "P0301");
}

static void a_distance_that_fell_then_still_says_that_they_were_erased(void **state)
{
    static struct dtc_life d;
    struct dtc_report r = report(2000, NULL, 0);

    (void)state;
    assert_int_equal(step(&d, 1000, &p0301, 1), 1);
    r.fell = true;
    assert_int_equal(step_report(&d, &r), 1);
    assert_true(facts[0].kind == DTC_GONE && facts[0].erased && facts[0].fell);
}

static void of_many_codes_the_worst_have_a_case_and_all_a_fact(void **state)
{
    static struct dtc_life d;
    static struct dtc many[200];
    size_t with_case = 0;

    (void)state;
    for (unsigned i = 0; i < 200; i++)
        (void)snprintf(many[i].code, sizeof many[i].code, "%s%03u", i < 199 ? "U1" : "P0301", i);
    assert_int_equal(step(&d, 1000, many, DTC_CASES_MAX), DTC_CASES_MAX);
    assert_int_equal(d.caseless, 0);
    assert_int_equal(step(&d, 2000, many, 200), 200 - DTC_CASES_MAX);
    assert_int_equal(d.caseless, 200 - 2 * DTC_CASES_MAX);
    assert_false(facts[199 - DTC_CASES_MAX].crowded); /* the last, and the worst */
    assert_int_equal(step(&d, 3000, NULL, 0), 200);
    assert_int_equal(d.caseless, 200 - DTC_CASES_MAX);
    for (size_t i = 0; i < d.facts_n; i++)
        with_case += !facts[i].crowded;
    assert_int_equal(with_case, DTC_CASES_MAX);
    dtc_life_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_is_new_once_gone_and_back),
        cmocka_unit_test(code_ecu_and_state_make_three_different_codes),
        cmocka_unit_test(a_partial_or_absent_list_never_clears_but_may_add),
        cmocka_unit_test(reports_of_one_time_add_up_and_take_nothing_from_each_other),
        cmocka_unit_test(between_reports_of_one_time_nothing_falls_and_no_lamp_goes_out),
        cmocka_unit_test(codes_erased_by_somebody_are_told_from_codes_that_healed),
        cmocka_unit_test(what_was_not_read_erases_nothing),
        cmocka_unit_test(the_lamp_is_told_when_it_changes),
        cmocka_unit_test(a_list_of_a_thousand_is_taken_whole),
        cmocka_unit_test(more_codes_than_a_car_can_have_are_counted_and_none_is_lost_for_them),
        cmocka_unit_test(of_many_codes_the_worst_have_a_case_and_all_a_fact),
        cmocka_unit_test(a_life_that_is_cleared_knows_nothing),
        cmocka_unit_test(a_pending_code_is_one_severity_lower),
        cmocka_unit_test(in_the_end_only_the_last_of_each_code_is_so),
        cmocka_unit_test(the_oldest_report_kept_tells_how_older_codes_stood),
        cmocka_unit_test(what_the_oldest_report_did_not_read_stands_as_it_did),
        cmocka_unit_test(a_distance_that_fell_then_still_says_that_they_were_erased),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
