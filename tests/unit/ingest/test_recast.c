/* Cases found again: as in order, and which of those that are stored each one is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "services/ingest/facts/recast.h"

#define NOW ((int64_t)1795420800000)
#define MIN ((int64_t)60000)
#define STEPS 40

static const struct alert none = {.state = ALERT_NONE};
static const struct alert_raise like = {.key = {"WVWZZZ1KZAW000001", "overspeed", ""},
                                        .ending = ALERT_CONDITION,
                                        .detected_ms = NOW,
                                        .ends = true};

static struct recast_step so(int64_t t_ms)
{
    return (struct recast_step){.t_ms = t_ms, .severity = ALERT_MINOR};
}

static struct recast_step over(int64_t t_ms)
{
    return (struct recast_step){.t_ms = t_ms, .ends = true};
}

static struct recast_step was_over(int64_t t_ms)
{
    return (struct recast_step){.t_ms = t_ms, .ends = true, .kept = true};
}

/* ---- in order */
static void assert_same(const struct alert *a, const struct alert *b)
{
    assert_string_equal(a->id, b->id);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->severity, b->severity);
    assert_int_equal(a->count, b->count);
    assert_true(a->occurred_ms == b->occurred_ms && a->last_ms == b->last_ms &&
                a->ended_ms == b->ended_ms && a->cleared_ms == b->cleared_ms);
}

/* Stretches of some minutes, some of them soon after the one before. */
static size_t make_steps(struct recast_step *steps)
{
    int64_t t_ms = NOW;
    size_t n = 0;

    while (n < STEPS) {
        steps[n] = so(t_ms += (1 + rand() % 20) * MIN);
        steps[n++].severity = rand() % 5 ? ALERT_MINOR : ALERT_MAJOR;
        if (rand() % 4)
            steps[n++] = over(t_ms += (1 + rand() % 5) * MIN);
    }
    return n;
}

static void whatever_the_order_the_cases_are_those_of_the_order_of_time(void **state)
{
    (void)state;
    srand(7);
    for (int round = 0; round < 200; round++) {
        struct recast_step steps[STEPS + 1];
        struct recast_case in_order[STEPS + 2], late[STEPS + 2];
        size_t n = make_steps(steps), cases;
        struct alert newest = none;

        cases = recast(&none, &like, steps, n, in_order, NULL, NULL);
        for (size_t i = n; i-- > 1;) {
            size_t k = (size_t)rand() % (i + 1);
            struct recast_step other = steps[i];

            steps[i] = steps[k];
            steps[k] = other;
        }
        assert_int_equal(recast_sort(steps, n, INT64_MAX), n);
        assert_int_equal(recast(&none, &like, steps, n, late, NULL, NULL), cases);
        for (size_t i = 0; i < cases; i++)
            assert_same(&late[i].alert, &in_order[i].alert);
        for (size_t i = 0; i < n; i++) { /* and those that steps one by one make */
            struct alert_raise raise = like;

            raise.occurred_ms = steps[i].t_ms;
            raise.severity = steps[i].severity;
            if (steps[i].ends)
                (void)alert_end(&newest, steps[i].t_ms);
            else
                (void)alert_raise(&newest, &alert_defaults, &raise);
        }
        assert_same(&newest, &in_order[cases - 1].alert);
    }
}

static void it_goes_on_from_the_case_before(void **state)
{
    struct recast_case cases[3];
    struct recast_step steps[] = {over(NOW + MIN), so(NOW + 5 * MIN), over(NOW + 6 * MIN),
                                  so(NOW + 60 * MIN)};
    struct recast_step first = so(NOW);
    struct alert begin;

    (void)state;
    assert_int_equal(recast(&none, &like, &first, 1, cases, NULL, NULL), 1);
    begin = cases[0].alert;
    assert_int_equal(recast(&begin, &like, steps, 4, cases, NULL, NULL), 2);
    assert_false(cases[0].began);
    assert_string_equal(cases[0].alert.id, begin.id);
    assert_int_equal(cases[0].alert.count, 2);
    assert_true(cases[1].began && cases[1].alert.state == ALERT_OPEN);
}

static void an_end_that_was_known_gives_way_to_the_one_that_is_found(void **state)
{
    struct recast_step steps[] = {so(NOW), was_over(NOW + 2 * MIN), over(NOW + 2 * MIN + 4000)};
    struct recast_step far[] = {so(NOW), was_over(NOW + 2 * MIN), over(NOW + 9 * MIN)};
    struct recast_step other[] = {so(NOW), was_over(NOW + 2 * MIN), so(NOW + 2 * MIN + 1000),
                                  over(NOW + 2 * MIN + 4000)};

    (void)state;
    assert_int_equal(recast_sort(steps, 3, NOW + 2 * MIN + 1000), 2);
    assert_true(steps[1].t_ms == NOW + 2 * MIN + 4000);
    assert_int_equal(recast_sort(far, 3, NOW + 8 * MIN), 3); /* long before what was looked at */
    assert_int_equal(recast_sort(other, 4, NOW + 2 * MIN + 2000), 4);
}

static void what_is_over_as_soon_as_it_is_so_is_over(void **state)
{
    struct recast_case cases[3];
    struct recast_step stay[] = {so(NOW), over(NOW)};
    struct recast_step next[] = {so(NOW), over(NOW + MIN), so(NOW + MIN)};

    (void)state;
    assert_int_equal(recast_sort(stay, 2, INT64_MAX), 2);
    assert_int_equal(recast(&none, &like, stay, 2, cases, NULL, NULL), 1);
    assert_true(cases[0].alert.state == ALERT_CLEARED && cases[0].alert.ended_ms == NOW);
    assert_int_equal(recast_sort(next, 3, INT64_MAX), 3);
    assert_int_equal(recast(&none, &like, next, 3, cases, NULL, NULL), 1);
    assert_true(cases[0].alert.state == ALERT_OPEN && cases[0].alert.count == 2);
}

/* ---- which is which */
static struct recast_case from_to(int64_t from_ms, int64_t to_ms)
{
    struct recast_case c = {.began = true};

    c.alert.occurred_ms = c.alert.last_ms = from_ms;
    c.alert.ended_ms = to_ms;
    c.alert.state = to_ms ? ALERT_CLEARED : ALERT_OPEN;
    c.alert.reason = to_ms ? ALERT_BY_ITSELF : ALERT_NOT;
    return c;
}

static struct recast_row row(int64_t from_ms, int64_t to_ms, int handled)
{
    return (struct recast_row){.alert = from_to(from_ms, to_ms).alert, .handled = handled};
}

static void a_case_whose_beginning_comes_late_is_the_same_case(void **state)
{
    struct recast_case cases[] = {from_to(NOW - 3 * MIN, 0)};
    struct recast_row rows[] = {row(NOW, 0, 3)};
    size_t row_of[1];

    (void)state;
    recast_match(cases, 1, rows, 1, row_of);
    assert_int_equal(row_of[0], 0);
    rows[0] = row(NOW - 9 * MIN, NOW - 4 * MIN, 3);
    recast_match(cases, 1, rows, 1, row_of);
    assert_true(row_of[0] == RECAST_NONE && rows[0].of == RECAST_NONE);
}

static void of_two_that_are_one_the_one_that_is_not_over_goes_on(void **state)
{
    struct recast_case cases[] = {from_to(NOW, 0)};
    struct recast_row rows[] = {row(NOW, NOW + MIN, 2), row(NOW + 2 * MIN, 0, 0)};
    size_t row_of[1];

    (void)state;
    recast_match(cases, 1, rows, 2, row_of);
    assert_int_equal(row_of[0], 1);
    assert_int_equal(rows[0].of, 0);
}

static void of_two_that_are_over_the_one_people_worked_on_goes_on(void **state)
{
    struct recast_case cases[] = {from_to(NOW, NOW + 5 * MIN)};
    struct recast_row rows[] = {row(NOW, NOW + MIN, 1), row(NOW + 2 * MIN, NOW + 5 * MIN, 2)};
    size_t row_of[1];

    (void)state;
    recast_match(cases, 1, rows, 2, row_of);
    assert_int_equal(row_of[0], 1);
    assert_int_equal(rows[0].of, 0);
    rows[0].handled = 2;
    recast_match(cases, 1, rows, 2, row_of);
    assert_int_equal(row_of[0], 0); /* as much: the earlier */
}

static void of_one_that_is_two_people_keep_the_one_that_is_not_over(void **state)
{
    struct recast_case cases[] = {from_to(NOW, NOW + MIN), from_to(NOW + 20 * MIN, 0)};
    struct recast_row rows[] = {row(NOW, 0, 3)};
    size_t row_of[2];

    (void)state;
    recast_match(cases, 2, rows, 1, row_of);
    assert_true(row_of[0] == RECAST_NONE && row_of[1] == 0);
    rows[0].handled = 0;
    recast_match(cases, 2, rows, 1, row_of);
    assert_true(row_of[0] == 0 && row_of[1] == RECAST_NONE);
}

static void one_that_was_withdrawn_comes_back_where_it_began(void **state)
{
    struct recast_case cases[] = {from_to(NOW, NOW + MIN), from_to(NOW + 20 * MIN, 0)};
    struct recast_row rows[] = {row(NOW + 20 * MIN, NOW + 21 * MIN, 0)};
    size_t row_of[2];

    (void)state;
    rows[0].alert.reason = ALERT_CORRECTED;
    recast_match(cases, 2, rows, 1, row_of);
    assert_true(row_of[0] == RECAST_NONE && row_of[1] == 0);
    rows[0].alert.occurred_ms++;
    recast_match(cases, 2, rows, 1, row_of);
    assert_true(row_of[1] == RECAST_NONE && rows[0].of == RECAST_NONE);
}

/* Times of n cases or rows, one after the other; the last may not be over. */
static size_t make_cases(struct recast_case *cases, size_t n)
{
    int64_t t_ms = NOW;

    for (size_t i = 0; i < n; i++) {
        int64_t from_ms = t_ms += (1 + rand() % 4) * MIN;

        t_ms += rand() % 3 * MIN;
        cases[i] = from_to(from_ms, i + 1 < n || rand() % 2 ? t_ms : 0);
    }
    return n;
}

static bool touch(const struct alert *a, const struct alert *b)
{
    return (b->state != ALERT_CLEARED || a->occurred_ms <= b->ended_ms) &&
           (a->state != ALERT_CLEARED || b->occurred_ms <= a->ended_ms);
}

static void every_row_is_a_case_that_it_shares_time_with(void **state)
{
    (void)state;
    srand(9);
    for (int round = 0; round < 500; round++) {
        struct recast_case cases[STEPS], old[STEPS];
        struct recast_row rows[STEPS];
        size_t row_of[STEPS], n = make_cases(cases, 1 + (size_t)rand() % STEPS);
        size_t rows_n = make_cases(old, 1 + (size_t)rand() % STEPS);

        for (size_t j = 0; j < rows_n; j++)
            rows[j] = (struct recast_row){.alert = old[j].alert};
        recast_match(cases, n, rows, rows_n, row_of);
        for (size_t j = 0; j < rows_n; j++) {
            size_t first = RECAST_NONE;

            for (size_t i = n; i-- > 0;)
                if (touch(&cases[i].alert, &rows[j].alert) &&
                    (first == RECAST_NONE ||
                     cases[first].alert.occurred_ms != rows[j].alert.occurred_ms))
                    first = i;
            assert_true(rows[j].of == first);
        }
        for (size_t i = 0; i < n; i++)
            assert_true(row_of[i] == RECAST_NONE || rows[row_of[i]].of == i);
    }
}

/* ---- who knows of it */
static struct alert open_since_end_at(int64_t end_ms)
{
    struct alert a = {.state = ALERT_OPEN, .occurred_ms = NOW, .last_ms = NOW + 90 * MIN};

    if (end_ms > 0)
        a.ends_ms[a.ends++] = end_ms;
    return a;
}

static bool is_known(enum alert_state state, enum alert_reason reason, int64_t ended_ms,
                     int handled, int64_t end_ms)
{
    struct recast_row row = {.alert = {.occurred_ms = NOW}, .handled = handled};
    struct alert a = open_since_end_at(end_ms);

    row.alert.state = state;
    row.alert.reason = reason;
    row.alert.ended_ms = ended_ms;
    return recast_is_known(&row, &a);
}

static void who_acknowledged_it_knows_of_it_unless_it_was_over_since(void **state)
{
    const int64_t end = NOW + 30 * MIN;

    (void)state;
    assert_true(is_known(ALERT_CLEARED, ALERT_BY_ITSELF, end, 2, 0));
    assert_true(is_known(ALERT_CLEARED, ALERT_BY_ITSELF, end, 2, end - MIN));
    assert_false(is_known(ALERT_CLEARED, ALERT_BY_ITSELF, end, 2, end));
    assert_false(is_known(ALERT_CLEARED, ALERT_BY_ITSELF, end, 2, end + MIN));
    assert_false(is_known(ALERT_CLEARED, ALERT_BY_ITSELF, end, 1, 0));
    assert_false(is_known(ALERT_CLEARED, ALERT_CORRECTED, end, 2, end));
    assert_true(is_known(ALERT_CLEARED, ALERT_CORRECTED, 0, 2, end));
    assert_true(is_known(ALERT_ACKNOWLEDGED, ALERT_NOT, 0, 3, end));
    assert_true(is_known(ALERT_ACKNOWLEDGED, ALERT_NOT, end, 3, end)); /* it waits for a person */
    assert_false(is_known(ALERT_OPEN, ALERT_NOT, 0, 2, end)); /* it was over in between before */
}

static void it_was_over_since_though_of_its_many_ends_that_one_is_not_kept(void **state)
{
    struct recast_row row = {.handled = 2};
    struct alert a = open_since_end_at(0);

    (void)state;
    row.alert = (struct alert){.state = ALERT_CLEARED,
                               .reason = ALERT_BY_ITSELF,
                               .occurred_ms = NOW,
                               .ended_ms = NOW + MIN};
    while (a.ends < ALERT_ENDS) {
        a.ends_ms[a.ends] = NOW + (10 + a.ends) * MIN;
        a.ends++;
    }
    assert_false(recast_is_known(&row, &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_the_order_the_cases_are_those_of_the_order_of_time),
        cmocka_unit_test(it_goes_on_from_the_case_before),
        cmocka_unit_test(an_end_that_was_known_gives_way_to_the_one_that_is_found),
        cmocka_unit_test(what_is_over_as_soon_as_it_is_so_is_over),
        cmocka_unit_test(a_case_whose_beginning_comes_late_is_the_same_case),
        cmocka_unit_test(of_two_that_are_one_the_one_that_is_not_over_goes_on),
        cmocka_unit_test(of_two_that_are_over_the_one_people_worked_on_goes_on),
        cmocka_unit_test(of_one_that_is_two_people_keep_the_one_that_is_not_over),
        cmocka_unit_test(one_that_was_withdrawn_comes_back_where_it_began),
        cmocka_unit_test(every_row_is_a_case_that_it_shares_time_with),
        cmocka_unit_test(who_acknowledged_it_knows_of_it_unless_it_was_over_since),
        cmocka_unit_test(it_was_over_since_though_of_its_many_ends_that_one_is_not_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
