/* Who counts among those who share the shards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "services/ingest/reach.h"

#define T0 INT64_C(5000)
#define STEP INT64_C(200)

static const struct reach_others nobody = {0, 0}, served = {1, 1}, cut_off = {1, 0},
                                 coming = {0, 1};

/* Step until `until_ms`, and tell whether it counts then. */
static bool stays(struct reach *r, bool connected, struct reach_others others, int64_t *now_ms,
                  int64_t for_ms)
{
    for (int64_t until = *now_ms + for_ms; *now_ms < until; *now_ms += STEP)
        reach_step(r, connected, &others, *now_ms);
    reach_step(r, connected, &others, *now_ms);
    return r->counts;
}

/* One that has counted beside another, both connected, for a while. */
static struct reach working(int64_t *now_ms)
{
    struct reach r = {0};

    assert_true(stays(&r, true, served, now_ms, 60000));
    return r;
}

/* One that was cut off while the other was not. */
static struct reach gone(int64_t *now_ms)
{
    struct reach r = working(now_ms);

    assert_false(stays(&r, false, served, now_ms, REACH_CUT_MS));
    return r;
}

static void one_who_starts_alone_counts_before_it_is_connected(void **state)
{
    struct reach r = {0};

    (void)state;
    reach_step(&r, false, &nobody, T0);
    assert_true(r.counts);
}

static void one_who_starts_beside_others_counts_as_soon_as_it_is_connected(void **state)
{
    struct reach r = {0};
    int64_t now = T0;

    (void)state;
    assert_false(stays(&r, false, served, &now, 60000));
    reach_step(&r, true, &served, now + 1);
    assert_true(r.counts);
}

static void one_who_starts_beside_others_that_are_cut_off_leaves_them_what_they_have(void **state)
{
    struct reach r = {0};
    int64_t now = T0;

    (void)state;
    assert_false(stays(&r, false, cut_off, &now, 60000));
}

static void one_who_is_cut_off_leaves_after_a_while_and_not_before(void **state)
{
    int64_t now = T0, cut;
    struct reach r = working(&now);

    (void)state;
    cut = now + 1;
    reach_step(&r, false, &served, cut);
    reach_step(&r, false, &served, cut + REACH_CUT_MS - 1);
    assert_true(r.counts);
    reach_step(&r, false, &served, cut + REACH_CUT_MS);
    assert_false(r.counts);
}

static void a_connection_made_anew_in_time_moves_nothing(void **state)
{
    int64_t now = T0;
    struct reach r = working(&now);

    (void)state;
    for (int i = 0; i < 20; i++) {
        now += STEP;
        assert_true(stays(&r, false, served, &now, REACH_CUT_MS - 2 * STEP));
        now += STEP;
        reach_step(&r, true, &served, now);
        assert_true(r.counts);
    }
}

static void where_all_are_cut_off_each_keeps_what_it_has(void **state)
{
    int64_t now = T0;
    struct reach r = working(&now);

    (void)state;
    now += STEP;
    assert_true(stays(&r, false, cut_off, &now, 3600 * 1000));
    now += STEP;
    assert_true(stays(&r, false, nobody, &now, 3600 * 1000));
}

/* After an outage of the broker. */
static void the_first_who_is_back_does_not_take_all_from_those_who_follow_it(void **state)
{
    int64_t now = T0, back;
    struct reach r = working(&now);

    (void)state;
    now += STEP;
    assert_true(stays(&r, false, cut_off, &now, 3600 * 1000));
    back = now + 1;
    reach_step(&r, false, &served, back);
    reach_step(&r, false, &served, back + REACH_CUT_MS - 1);
    assert_true(r.counts);
    reach_step(&r, false, &served, back + REACH_CUT_MS);
    assert_false(r.counts);
}

static void one_who_comes_back_counts_once_its_connection_is_steady(void **state)
{
    int64_t now = T0;
    struct reach r = gone(&now);

    (void)state;
    now += STEP;
    reach_step(&r, true, &served, now);
    reach_step(&r, true, &served, now + REACH_STEADY_MS - 1);
    assert_false(r.counts);
    reach_step(&r, true, &served, now + REACH_STEADY_MS);
    assert_true(r.counts);
}

static void one_whose_connection_comes_and_goes_stays_away(void **state)
{
    int64_t now = T0;
    struct reach r = gone(&now);

    (void)state;
    for (int i = 0; i < 100; i++) {
        now += STEP;
        assert_false(stays(&r, true, served, &now, REACH_STEADY_MS - 2 * STEP));
        now += STEP;
        assert_false(stays(&r, false, served, &now, 1000));
    }
}

static void one_who_comes_back_and_finds_nobody_counts_at_once(void **state)
{
    int64_t now = T0;
    struct reach r = gone(&now);

    (void)state;
    reach_step(&r, true, &nobody, now + 1);
    assert_true(r.counts);
}

static void one_who_is_cut_off_counts_again_when_all_others_have_died(void **state)
{
    int64_t now = T0;
    struct reach r = gone(&now);

    (void)state;
    reach_step(&r, false, &nobody, now + 1);
    assert_true(r.counts);
}

static void what_nobody_has_is_left_to_one_who_is_connected(void **state)
{
    int64_t now = T0;
    struct reach r = gone(&now);

    (void)state;
    assert_false(stays(&r, false, coming, &now, 60000));
}

static void
one_who_left_does_not_come_back_because_those_who_stayed_are_cut_off_as_well(void **state)
{
    int64_t now = T0;
    struct reach r = gone(&now);

    (void)state;
    assert_false(stays(&r, false, cut_off, &now, 3600 * 1000));
}

/* Any two, whatever becomes of their connections: as soon as one has had one for a while it counts,
 * and while neither has nothing moves. */
static void of_two_whose_connections_are_stable_those_count_who_have_one(void **state)
{
    (void)state;
    for (unsigned phases = 0; phases < 4 * 4 * 4 * 4; phases++) {
        struct reach both[2] = {{0}, {0}};
        int64_t now = T0;

        for (unsigned p = phases, n = 0; n < 4; n++, p /= 4) {
            bool up[2] = {p & 1, p >> 1 & 1}, before[2] = {both[0].counts, both[1].counts};

            for (int64_t until = now + 20000; now < until; now += STEP)
                for (unsigned i = 0; i < 2; i++)
                    reach_step(&both[i], up[i], &(struct reach_others){both[!i].counts, up[!i]},
                               now);
            if (up[0] || up[1]) {
                assert_int_equal(both[0].counts, up[0]);
                assert_int_equal(both[1].counts, up[1]);
            } else if (before[0] || before[1]) {
                assert_int_equal(both[0].counts, before[0]);
                assert_int_equal(both[1].counts, before[1]);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_who_starts_alone_counts_before_it_is_connected),
        cmocka_unit_test(one_who_starts_beside_others_counts_as_soon_as_it_is_connected),
        cmocka_unit_test(one_who_starts_beside_others_that_are_cut_off_leaves_them_what_they_have),
        cmocka_unit_test(one_who_is_cut_off_leaves_after_a_while_and_not_before),
        cmocka_unit_test(a_connection_made_anew_in_time_moves_nothing),
        cmocka_unit_test(where_all_are_cut_off_each_keeps_what_it_has),
        cmocka_unit_test(the_first_who_is_back_does_not_take_all_from_those_who_follow_it),
        cmocka_unit_test(one_who_comes_back_counts_once_its_connection_is_steady),
        cmocka_unit_test(one_whose_connection_comes_and_goes_stays_away),
        cmocka_unit_test(one_who_comes_back_and_finds_nobody_counts_at_once),
        cmocka_unit_test(one_who_is_cut_off_counts_again_when_all_others_have_died),
        cmocka_unit_test(what_nobody_has_is_left_to_one_who_is_connected),
        cmocka_unit_test(
            one_who_left_does_not_come_back_because_those_who_stayed_are_cut_off_as_well),
        cmocka_unit_test(of_two_whose_connections_are_stable_those_count_who_have_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
