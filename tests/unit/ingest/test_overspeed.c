/* Overspeed episodes. */
#include "services/ingest/facts/overspeed.h"
#include "tests/unit/ingest/drives.h"

static struct overspeed_episode events[16];
static int n;

static void feed(struct overspeed *o, int64_t t_s, double kmh, double limit_kmh)
{
    if (overspeed_step(o, &overspeed_defaults, MONDAY + t_s * SECOND, kmh, limit_kmh) ==
        OVERSPEED_ENDED) {
        assert_true(n < 16);
        events[n++] = o->ended;
    }
}

static void b08_has_two_events_though_65_points_are_above(void **state)
{
    struct drive d = drive_b08();
    struct overspeed o = {0};
    int above = 0;

    (void)state;
    n = 0;
    for (size_t i = 0; i < d.n; i++) {
        above += d.at[i].v[MOMENT_SPEED] > d.limit[i];
        feed(&o, (d.at[i].t_ms - MONDAY) / SECOND, d.at[i].v[MOMENT_SPEED], d.limit[i]);
    }
    drive_done(&d);
    assert_int_equal(above, 65);
    assert_int_equal(n, 2);
    NEAR(events[0].peak_kmh, 49.4, 0.05);
    NEAR(events[0].limit_kmh, 40, 0);
    NEAR(events[1].peak_kmh, 42.5, 0.05);
    NEAR(events[1].limit_kmh, 30, 0);
}

static void span(struct overspeed *o, int64_t *t_s, int64_t seconds, double kmh)
{
    for (int64_t i = 0; i < seconds; i++)
        feed(o, ++*t_s, kmh, 50);
}

static void ten_seconds_above_the_threshold_make_an_event(void **state)
{
    struct overspeed o = {0};
    int64_t t = 0;

    (void)state;
    n = 0;
    span(&o, &t, 5, 50);
    span(&o, &t, 30, 53); /* not above: 53 = limit + 3 */
    span(&o, &t, 10, 49);
    span(&o, &t, 9, 60);
    span(&o, &t, 10, 50);
    assert_int_equal(n, 0);
    span(&o, &t, 10, 60);
    span(&o, &t, 10, 50);
    assert_int_equal(n, 1);
    assert_int_equal(events[0].start_ms, MONDAY + 65 * SECOND);
    assert_int_equal(events[0].end_ms, MONDAY + 75 * SECOND);
    assert_int_equal(events[0].above_ms, 10 * SECOND);
    NEAR(events[0].mean_kmh, 59.5, 0.01);
    assert_true(overspeed_is_major(&overspeed_defaults, &events[0]));
}

static void interruptions_of_less_than_five_seconds_do_not_end_it(void **state)
{
    struct overspeed o = {0};
    int64_t t = 0;

    (void)state;
    n = 0;
    span(&o, &t, 8, 58);
    span(&o, &t, 4, 50);
    span(&o, &t, 8, 59);
    span(&o, &t, 6, 50);
    assert_int_equal(n, 1);
    assert_int_equal(events[0].end_ms, MONDAY + 21 * SECOND);
    assert_int_equal(events[0].above_ms, 16 * SECOND);
    NEAR(events[0].mean_kmh, 56.6, 0.01); /* the way of the pause and its time are both in it */
    assert_false(overspeed_is_major(&overspeed_defaults, &events[0]));
}

static void a_hole_ends_it_where_it_was_last_seen(void **state)
{
    struct overspeed o = {0};
    int64_t t = 0;

    (void)state;
    n = 0;
    span(&o, &t, 20, 70);
    t += 16;
    span(&o, &t, 5, 70);
    assert_int_equal(n, 1);
    assert_int_equal(events[0].end_ms, MONDAY + 20 * SECOND);
    assert_false(overspeed_tick(&o, &overspeed_defaults, MONDAY + (t + 30) * SECOND));
    assert_int_equal(o.now.start_ms, 0);
}

static void at(struct overspeed *o, int64_t *t_s, int64_t seconds, double kmh, double limit_kmh)
{
    for (int64_t i = 0; i < seconds; i++)
        feed(o, ++*t_s, kmh, limit_kmh);
}

/* 60 all the way, 50 allowed, but 30 past a school. */
static void where_another_limit_holds_another_episode_begins(void **state)
{
    struct overspeed o = {0};
    int64_t t = 0;

    (void)state;
    n = 0;
    at(&o, &t, 30, 60, 50);
    at(&o, &t, 30, 60, 30);
    assert_int_equal(n, 1);
    assert_true(o.told); /* and is told while it lasts */
    at(&o, &t, 30, 60, 50);
    at(&o, &t, 10, 40, 50);
    assert_int_equal(n, 3);
    for (int i = 0; i < 3; i++) {
        NEAR(events[i].limit_kmh, i == 1 ? 30 : 50, 0);
        NEAR(events[i].mean_kmh, i < 2 ? 60 : 59.67, 0.01);
        assert_int_equal(events[i].start_ms, MONDAY + (30 * i + 1) * SECOND);
        assert_int_equal(events[i].end_ms, MONDAY + (30 * i + 31) * SECOND);
        assert_int_equal(events[i].above_ms, 30 * SECOND);
    }
}

static void each_limit_is_held_against_what_was_driven_under_it(void **state)
{
    struct overspeed o = {0};
    int64_t t = 0;

    (void)state;
    n = 0;
    at(&o, &t, 30, 60, 50);
    at(&o, &t, 180, 40, 30); /* above 30, not above 50 */
    at(&o, &t, 30, 60, 50);
    at(&o, &t, 10, 48, 50);
    assert_int_equal(n, 3);
    assert_int_equal(events[0].above_ms, 30 * SECOND);
    NEAR(events[1].limit_kmh, 30, 0);
    NEAR(events[1].peak_kmh, 40, 0);
    assert_int_equal(events[1].above_ms, 180 * SECOND);
    n = 0;
    at(&o, &t, 1, 60, 50); /* a moment before the zone is known */
    at(&o, &t, 60, 60, 30);
    at(&o, &t, 10, 48, 50);
    assert_int_equal(n, 1);
    NEAR(events[0].limit_kmh, 30, 0);
    n = 0;
    at(&o, &t, 9, 60, 50); /* nine seconds above each are no event */
    at(&o, &t, 9, 60, 30);
    at(&o, &t, 20, 50, 50);
    assert_int_equal(n, 0);
    at(&o, &t, 20, 60, 50); /* and no limit at all ends it, too */
    at(&o, &t, 20, 60, NOT_MEASURED);
    assert_int_equal(n, 1);
}

static void a_limit_that_holds_for_less_than_five_seconds_changes_nothing(void **state)
{
    static const double others[] = {30, 70, NOT_MEASURED};
    struct overspeed o = {0};
    int64_t t = 0;

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        n = 0;
        at(&o, &t, 10, 60, 50);
        at(&o, &t, 4, 60, others[i]);
        at(&o, &t, 10, 60, 50);
        at(&o, &t, 10, 40, 50);
        assert_int_equal(n, 1);
        NEAR(events[0].limit_kmh, 50, 0);
        assert_int_equal(events[0].end_ms - events[0].start_ms, 24 * SECOND);
        assert_int_equal(events[0].above_ms, 20 * SECOND);
    }
}

static void without_a_limit_there_is_no_episode(void **state)
{
    struct overspeed o = {0};
    double zones[] = {70, 30, NOT_MEASURED}, none = NOT_MEASURED;

    (void)state;
    n = 0;
    for (int i = 1; i < 100; i++)
        feed(&o, i, 200, none);
    assert_int_equal(n, 0);
    NEAR(overspeed_limit(zones, 3, 50, 90, 110), 30, 0);
    NEAR(overspeed_limit(zones, 0, none, 90, 110), 90, 0);
    NEAR(overspeed_limit(zones, 0, none, none, 110), 110, 0);
    assert_true(isnan(overspeed_limit(zones, 0, none, none, none)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(b08_has_two_events_though_65_points_are_above),
        cmocka_unit_test(ten_seconds_above_the_threshold_make_an_event),
        cmocka_unit_test(interruptions_of_less_than_five_seconds_do_not_end_it),
        cmocka_unit_test(a_hole_ends_it_where_it_was_last_seen),
        cmocka_unit_test(where_another_limit_holds_another_episode_begins),
        cmocka_unit_test(each_limit_is_held_against_what_was_driven_under_it),
        cmocka_unit_test(a_limit_that_holds_for_less_than_five_seconds_changes_nothing),
        cmocka_unit_test(without_a_limit_there_is_no_episode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
