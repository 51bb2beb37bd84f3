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
        cmocka_unit_test(without_a_limit_there_is_no_episode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
