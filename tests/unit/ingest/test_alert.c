/* The life of alerts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "services/ingest/facts/alert.h"

#define NOW ((int64_t)1795420800000)
#define MIN ((int64_t)60000)
#define HOUR (60 * MIN)

static struct alert_raise at(int64_t t_ms, enum alert_ending ending, enum alert_severity severity)
{
    return (struct alert_raise){
        .key = {"WVWZZZ1KZAW000001", "low_battery", ""},
        .ending = ending,
        .severity = severity,
        .occurred_ms = t_ms,
        .detected_ms = t_ms,
        .ends = ending == ALERT_CONDITION,
    };
}

static enum alert_change raise_at(struct alert *a, int64_t t_ms)
{
    struct alert_raise r = at(t_ms, ALERT_CONDITION, ALERT_MINOR);

    return alert_raise(a, &alert_defaults, &r);
}

static void repeats_raise_the_count_of_the_one_uncleared_case(void **state)
{
    struct alert a = {0};
    char id[UUID_TEXT + 1];

    (void)state;
    assert_int_equal(raise_at(&a, NOW), ALERT_OPENED);
    memcpy(id, a.id, sizeof id);
    assert_int_equal(raise_at(&a, NOW), ALERT_SAME); /* the same fact, redelivered */
    assert_int_equal(raise_at(&a, NOW + MIN), ALERT_REPEATED);
    assert_int_equal(alert_acknowledge(&a, NOW + 2 * MIN), ALERT_TAKEN);
    assert_int_equal(alert_acknowledge(&a, NOW + 2 * MIN), ALERT_SAME);
    assert_int_equal(raise_at(&a, NOW + 3 * MIN), ALERT_REPEATED);
    assert_int_equal(a.state, ALERT_ACKNOWLEDGED);
    assert_int_equal(a.count, 3);
    assert_int_equal(a.last_ms, NOW + 3 * MIN);
    assert_int_equal(a.occurred_ms, NOW);
    assert_string_equal(a.id, id);
}

static void two_sites_that_find_one_fact_make_one_row(void **state)
{
    struct alert here = {0}, there = {0};

    (void)state;
    (void)raise_at(&here, NOW);
    (void)raise_at(&there, NOW);
    assert_string_equal(here.id, there.id);
    assert_true(uuid_is_valid(here.id, UUID_TEXT));
    there = (struct alert){0};
    (void)raise_at(&there, NOW + 1);
    assert_string_not_equal(here.id, there.id);
}

static void a_condition_that_ends_clears_itself_and_reopens_within_ten_minutes(void **state)
{
    struct alert a = {0};
    char id[UUID_TEXT + 1];

    (void)state;
    (void)raise_at(&a, NOW);
    memcpy(id, a.id, sizeof id);
    assert_int_equal(alert_end(&a, NOW + MIN), ALERT_CLOSED);
    assert_int_equal(alert_end(&a, NOW + MIN), ALERT_SAME);
    assert_string_equal(alert_reason_word(a.reason), "ended");
    assert_int_equal(raise_at(&a, NOW), ALERT_SAME); /* an old fact again opens nothing */
    assert_int_equal(raise_at(&a, NOW + 11 * MIN), ALERT_REOPENED);
    assert_string_equal(a.id, id);
    assert_int_equal(a.count, 2);
    assert_int_equal(alert_end(&a, NOW + 12 * MIN), ALERT_CLOSED);
    assert_int_equal(raise_at(&a, NOW + 23 * MIN), ALERT_OPENED); /* 11 minutes: a new case */
    assert_string_not_equal(a.id, id);
    assert_int_equal(a.count, 1);
}

static void critical_ones_and_those_of_persons_wait_for_a_person(void **state)
{
    struct alert a = {0}, b = {0};
    struct alert_raise critical = at(NOW, ALERT_CONDITION, ALERT_CRITICAL);
    struct alert_raise persons = at(NOW, ALERT_PERSON, ALERT_MAJOR);

    (void)state;
    (void)alert_raise(&a, &alert_defaults, &critical);
    (void)alert_raise(&b, &alert_defaults, &persons);
    assert_int_equal(alert_end(&a, NOW + MIN), ALERT_ENDED);
    assert_int_equal(alert_end(&b, NOW + MIN), ALERT_ENDED);
    assert_int_equal(alert_end(&b, NOW + MIN), ALERT_SAME);
    assert_int_equal(a.state, ALERT_OPEN);
    assert_int_equal(a.ended_ms, NOW + MIN);
    assert_int_equal(alert_clear(&a, NOW + HOUR), ALERT_CLOSED);
    assert_int_equal(a.reason, ALERT_BY_HAND);
    assert_false(a.held_down);
}

static void cleared_by_hand_while_true_stays_cleared_until_false_once(void **state)
{
    struct alert a = {0};

    (void)state;
    (void)raise_at(&a, NOW);
    assert_int_equal(alert_clear(&a, NOW + MIN), ALERT_CLOSED);
    assert_int_equal(raise_at(&a, NOW + 2 * MIN), ALERT_SAME);
    assert_int_equal(raise_at(&a, NOW + HOUR), ALERT_SAME);
    assert_int_equal(alert_end(&a, NOW + 2 * HOUR), ALERT_SAME);
    assert_int_equal(raise_at(&a, NOW + 3 * HOUR), ALERT_OPENED);
}

static void what_nobody_sees_end_is_a_case_each_time_after_a_person_cleared_it(void **state)
{
    static const enum alert_ending endings[] = {ALERT_PERSON, ALERT_CONDITION};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct alert a = {0};
        struct alert_raise first = at(NOW, endings[i], ALERT_CRITICAL), again;
        char id[UUID_TEXT + 1];

        first.ends = false;
        again = first;
        again.occurred_ms = again.detected_ms = NOW + 5 * MIN;
        (void)alert_raise(&a, &alert_defaults, &first);
        memcpy(id, a.id, sizeof id);
        assert_int_equal(alert_clear(&a, NOW + 10 * MIN), ALERT_CLOSED);
        assert_int_equal(alert_raise(&a, &alert_defaults, &first), ALERT_SAME); /* a late copy */
        assert_int_equal(a.state, ALERT_CLEARED);
        again.detected_ms = NOW + HOUR; /* it was before that clear, and nobody knew */
        assert_int_equal(alert_raise(&a, &alert_defaults, &again), ALERT_OPENED);
        assert_string_not_equal(a.id, id);
        assert_int_equal(a.count, 1);
        assert_int_equal(alert_clear(&a, NOW + 2 * HOUR), ALERT_CLOSED);
        again.occurred_ms = again.detected_ms = NOW + 3 * HOUR;
        assert_int_equal(alert_raise(&a, &alert_defaults, &again), ALERT_OPENED);
    }
}

static void a_withdrawn_fact_clears_as_corrected_and_may_come_back(void **state)
{
    struct alert a = {0};
    char id[UUID_TEXT + 1];

    (void)state;
    (void)raise_at(&a, NOW);
    memcpy(id, a.id, sizeof id);
    assert_int_equal(alert_correct(&a, NOW + MIN), ALERT_CLOSED);
    assert_int_equal(alert_correct(&a, NOW + MIN), ALERT_SAME);
    assert_string_equal(alert_reason_word(a.reason), "corrected");
    assert_int_equal(raise_at(&a, NOW), ALERT_REOPENED);
    assert_string_equal(a.id, id);
    assert_int_equal(a.count, 1);
}

static void what_was_corrected_bars_nothing_that_happened_before_it(void **state)
{
    struct alert a = {0};

    (void)state;
    (void)raise_at(&a, NOW + HOUR);
    assert_int_equal(alert_correct(&a, NOW + 2 * HOUR), ALERT_CLOSED);
    assert_int_equal(raise_at(&a, NOW), ALERT_OPENED);
    assert_int_equal(a.occurred_ms, NOW);
    assert_int_equal(a.count, 1);
    (void)alert_end(&a, NOW + MIN);
    assert_int_equal(raise_at(&a, NOW - HOUR), ALERT_SAME); /* this one was */
}

static void a_point_that_was_corrected_may_come_back_by_its_own_id(void **state)
{
    struct alert_raise r = at(NOW, ALERT_POINT, ALERT_MINOR);
    struct alert a = {0};

    (void)state;
    r.id = "0197f3c2-5f0e-7abc-8def-0123456789ab";
    assert_int_equal(alert_raise(&a, &alert_defaults, &r), ALERT_OPENED);
    assert_int_equal(alert_correct(&a, NOW + MIN), ALERT_CLOSED);
    assert_int_equal(alert_raise(&a, &alert_defaults, &r), ALERT_REOPENED);
    assert_int_equal(a.state, ALERT_OPEN);
    assert_int_equal(a.count, 1);
    (void)alert_clear(&a, NOW + MIN);
    assert_int_equal(alert_raise(&a, &alert_defaults, &r), ALERT_SAME); /* by hand stays so */
}

static void severity_rises_and_never_falls(void **state)
{
    struct alert a = {0};
    struct alert_raise major = at(NOW, ALERT_CONDITION, ALERT_MAJOR);

    (void)state;
    (void)raise_at(&a, NOW);
    assert_int_equal(alert_raise(&a, &alert_defaults, &major), ALERT_WORSENED);
    assert_int_equal(raise_at(&a, NOW + MIN), ALERT_REPEATED);
    assert_int_equal(a.severity, ALERT_MAJOR);
}

static void more_than_six_changes_an_hour_send_one_message(void **state)
{
    struct alert a = {0};
    int sent = 0;

    (void)state;
    for (int64_t i = 0; i < 30; i++) {
        enum alert_change change =
            i % 2 ? alert_end(&a, NOW + i * MIN) : raise_at(&a, NOW + i * MIN);

        assert_int_not_equal(change, ALERT_SAME);
        sent += alert_message(&a, &alert_defaults, false, NOW + i * MIN);
    }
    assert_true(alert_is_flapping(&a, &alert_defaults, NOW + 30 * MIN));
    assert_int_equal(sent, 6);
    assert_true(alert_message(&a, &alert_defaults, false, NOW + 5 * MIN + HOUR)); /* once an hour */
    assert_false(alert_is_flapping(&a, &alert_defaults, NOW + 3 * HOUR));
}

static void late_facts_are_sent_from_major_only(void **state)
{
    struct alert a = {0}, b = {0};
    struct alert_raise minor = at(NOW, ALERT_CONDITION, ALERT_MINOR);
    struct alert_raise major = at(NOW, ALERT_CONDITION, ALERT_MAJOR);

    (void)state;
    (void)alert_raise(&a, &alert_defaults, &minor);
    (void)alert_raise(&b, &alert_defaults, &major);
    assert_false(alert_message(&a, &alert_defaults, true, NOW + 16 * MIN));
    assert_true(alert_message(&b, &alert_defaults, true, NOW + 16 * MIN));
}

/* A rule that has to hold for twenty minutes is told in time then; a parked car that is silent, by
 * nobody at all. */
static void what_has_to_last_is_not_late_for_that(void **state)
{
    (void)state;
    assert_false(alert_is_late(&alert_defaults, NOW, NOW + 15 * MIN));
    assert_true(alert_is_late(&alert_defaults, NOW, NOW + 15 * MIN + 1));
    assert_false(alert_is_late(&alert_defaults, 0, NOW));
}

static void what_flapped_goes_on_flapping_in_its_next_case(void **state)
{
    struct alert a = {0};
    char id[UUID_TEXT + 1];

    (void)state;
    for (int64_t i = 0; i < 8; i++)
        (void)(i % 2 ? alert_end(&a, NOW + i * MIN) : raise_at(&a, NOW + i * MIN));
    assert_true(alert_message(&a, &alert_defaults, false, NOW + 7 * MIN));
    memcpy(id, a.id, sizeof id);
    assert_int_equal(raise_at(&a, NOW + 18 * MIN), ALERT_OPENED);
    assert_string_not_equal(a.id, id);
    assert_true(alert_is_flapping(&a, &alert_defaults, NOW + 18 * MIN));
    assert_false(alert_message(&a, &alert_defaults, false, NOW + 18 * MIN));
}

static void a_withdrawn_fact_was_never_although_it_is_over(void **state)
{
    struct alert a = {0}, b = {0};

    (void)state;
    (void)raise_at(&a, NOW);
    (void)alert_end(&a, NOW + MIN);
    assert_int_equal(alert_correct(&a, NOW + HOUR), ALERT_UNSAID);
    assert_int_equal(a.reason, ALERT_CORRECTED);
    assert_int_equal(a.cleared_ms, NOW + MIN);
    assert_int_equal(alert_correct(&a, NOW + HOUR), ALERT_SAME);
    (void)raise_at(&b, NOW);
    (void)alert_clear(&b, NOW + MIN);
    assert_int_equal(alert_correct(&b, NOW + HOUR), ALERT_SAME); /* a person's word stands */
    assert_int_equal(b.reason, ALERT_BY_HAND);
}

static void what_is_over_may_have_been_worse_than_was_known(void **state)
{
    struct alert_raise major = at(NOW, ALERT_CONDITION, ALERT_MAJOR);
    struct alert a = {0};

    (void)state;
    (void)raise_at(&a, NOW);
    (void)alert_end(&a, NOW + MIN);
    assert_int_equal(alert_raise(&a, &alert_defaults, &major), ALERT_WORSENED);
    assert_int_equal(a.severity, ALERT_MAJOR);
    assert_int_equal(a.state, ALERT_CLEARED);
    assert_int_equal(alert_raise(&a, &alert_defaults, &major), ALERT_SAME);
}

static void what_a_newer_case_followed_is_over_whoever_was_to_end_it(void **state)
{
    struct alert_raise persons = at(NOW, ALERT_PERSON, ALERT_MAJOR);
    struct alert a = {0};

    (void)state;
    assert_int_equal(alert_overtake(&a, NOW), ALERT_SAME);
    (void)alert_raise(&a, &alert_defaults, &persons);
    assert_int_equal(alert_overtake(&a, NOW + HOUR), ALERT_CLOSED);
    assert_int_equal(a.reason, ALERT_BY_ITSELF);
    assert_int_equal(a.ended_ms, NOW + HOUR);
    assert_int_equal(alert_overtake(&a, NOW + HOUR), ALERT_SAME);
}

static void points_keep_their_ids(void **state)
{
    struct alert a = {0};
    struct alert_raise r = at(NOW, ALERT_POINT, ALERT_MINOR);

    (void)state;
    r.id = "0197f3c2-5f0e-7abc-8def-0123456789ab";
    assert_int_equal(alert_raise(&a, &alert_defaults, &r), ALERT_OPENED);
    assert_string_equal(a.id, r.id);
    assert_int_equal(alert_raise(&a, &alert_defaults, &r), ALERT_SAME);
    assert_int_equal(alert_end(&a, NOW + MIN), ALERT_SAME);
    assert_int_equal(alert_clear(&a, NOW + 2 * MIN), ALERT_CLOSED);
    r.id = "0197f3c2-5f0e-7abc-8def-0123456789ac";
    r.severity = ALERT_MAJOR;
    assert_int_equal(alert_raise(&a, &alert_defaults, &r), ALERT_OPENED);
    assert_string_equal(a.id, r.id);
}

static void a_late_end_of_an_earlier_time_does_not_end_this_one(void **state)
{
    struct alert a = {0};

    (void)state;
    (void)raise_at(&a, NOW);
    (void)raise_at(&a, NOW + HOUR);
    assert_int_equal(alert_end(&a, NOW + MIN), ALERT_SAME);
    assert_int_equal(a.state, ALERT_OPEN);
}

static void every_type_of_the_contract_is_known(void **state)
{
    static const char *const all[] = {
        "crash",           "harsh_braking",    "harsh_acceleration",
        "harsh_cornering", "overspeed",        "geofence_enter",
        "geofence_exit",   "geofence_dwell",   "dtc_new",
        "dtc_cleared",     "mil_on",           "low_battery",
        "overheating",     "fuel_drop",        "tow",
        "power_cut",       "vin_mismatch",     "vehicle_silent",
        "maintenance_due", "contract_mileage", "gps_lost",
        "camera_lost",
    };
    enum alert_ending ending;
    enum alert_severity severity;

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_true(alert_type(all[i], &ending, &severity));
    assert_false(alert_type("nonsense", &ending, &severity));
    assert_true(alert_type("crash", &ending, &severity));
    assert_string_equal(alert_severity_word(severity), "critical");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeats_raise_the_count_of_the_one_uncleared_case),
        cmocka_unit_test(two_sites_that_find_one_fact_make_one_row),
        cmocka_unit_test(a_condition_that_ends_clears_itself_and_reopens_within_ten_minutes),
        cmocka_unit_test(critical_ones_and_those_of_persons_wait_for_a_person),
        cmocka_unit_test(cleared_by_hand_while_true_stays_cleared_until_false_once),
        cmocka_unit_test(what_nobody_sees_end_is_a_case_each_time_after_a_person_cleared_it),
        cmocka_unit_test(a_withdrawn_fact_clears_as_corrected_and_may_come_back),
        cmocka_unit_test(what_was_corrected_bars_nothing_that_happened_before_it),
        cmocka_unit_test(a_point_that_was_corrected_may_come_back_by_its_own_id),
        cmocka_unit_test(severity_rises_and_never_falls),
        cmocka_unit_test(more_than_six_changes_an_hour_send_one_message),
        cmocka_unit_test(late_facts_are_sent_from_major_only),
        cmocka_unit_test(what_has_to_last_is_not_late_for_that),
        cmocka_unit_test(what_flapped_goes_on_flapping_in_its_next_case),
        cmocka_unit_test(a_withdrawn_fact_was_never_although_it_is_over),
        cmocka_unit_test(what_is_over_may_have_been_worse_than_was_known),
        cmocka_unit_test(what_a_newer_case_followed_is_over_whoever_was_to_end_it),
        cmocka_unit_test(points_keep_their_ids),
        cmocka_unit_test(a_late_end_of_an_earlier_time_does_not_end_this_one),
        cmocka_unit_test(every_type_of_the_contract_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
