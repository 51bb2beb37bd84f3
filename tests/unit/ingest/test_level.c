/* The fuel gauge at rest. */
#include "services/ingest/facts/level.h"
#include "tests/unit/ingest/drives.h"

/* Pauses of ten minutes with the ignition off; the level before and after. */
static enum level_fact pause(const struct level_settings *set, double before, double after,
                             int64_t rest_s)
{
    struct car c = car_new();
    struct sight sight = {0};
    struct level l = {0};
    struct seen seen;
    enum level_fact found = LEVEL_NONE;

    c.level = 80;
    car_stand(&c, 90);
    car_go(&c, 300, 80);
    c.level = before;
    car_stand(&c, rest_s);
    c.ignition_on = false;
    car_stand(&c, 600);
    c.ignition_on = true;
    c.level = after;
    car_stand(&c, 200);
    car_go(&c, 300, 50);
    for (size_t i = 0; i < c.d.n; i++) {
        enum level_fact fact;

        assert_true(sight_step(&sight, &sight_defaults, &c.d.at[i], &seen));
        fact = level_step(&l, set, &seen, c.d.at[i].v[MOMENT_LEVEL]);
        assert_true(fact == LEVEL_NONE || found == LEVEL_NONE);
        found = fact == LEVEL_NONE ? found : fact;
    }
    drive_done(&c.d);
    return found;
}

static void eight_percent_more_after_a_pause_is_a_fill_up(void **state)
{
    (void)state;
    assert_int_equal(pause(&level_defaults, 40, 48, 60), LEVEL_REFUEL);
    assert_int_equal(pause(&level_defaults, 40, 47.9, 60), LEVEL_NONE);
}

static void a_drop_needs_eight_percent_and_five_litres(void **state)
{
    struct level_settings set = level_defaults;

    (void)state;
    assert_int_equal(pause(&set, 60, 52, 60), LEVEL_DROP);
    assert_int_equal(pause(&set, 60, 52.5, 60), LEVEL_NONE);
    set.tank_l = 50; /* 8 % are 4 l */
    assert_int_equal(pause(&set, 60, 52, 60), LEVEL_NONE);
    assert_int_equal(pause(&set, 60, 50, 60), LEVEL_DROP);
}

static void what_was_burnt_on_the_road_is_no_drop(void **state)
{
    (void)state; /* it went off on arrival: the last reading at rest is from before the drive */
    assert_int_equal(pause(&level_defaults, NOT_MEASURED, 60, 1), LEVEL_NONE);
    assert_int_equal(pause(&level_defaults, NOT_MEASURED, 95, 1), LEVEL_REFUEL);
}

static void sloshing_while_driving_says_nothing(void **state)
{
    struct car c = car_new();
    struct sight sight = {0};
    struct level l = {0};
    struct seen seen;

    (void)state;
    c.level = 50;
    car_stand(&c, 90);
    for (int i = 0; i < 60; i++) {
        c.level = i % 2 ? 30 : 70;
        car_go(&c, 10, 50);
    }
    for (size_t i = 0; i < c.d.n; i++) {
        assert_true(sight_step(&sight, &sight_defaults, &c.d.at[i], &seen));
        assert_int_equal(level_step(&l, &level_defaults, &seen, c.d.at[i].v[MOMENT_LEVEL]),
                         LEVEL_NONE);
    }
    NEAR(level_at_rest(&l), 50, 0);
    drive_done(&c.d);
}

/* Filled up, and then so many minutes on the road, with a gauge that sloshes by 6 %, until it is
 * turned off on arrival, for the night; the next morning it idles. */
static int fill_up(double after, int minutes, bool rests_at_last, struct level *l)
{
    struct car c = car_new();
    struct sight sight = {0};
    struct seen seen;
    int64_t off_s, on_s;
    int found = 0;

    *l = (struct level){0};
    c.level = 20;
    car_stand(&c, 90);
    off_s = c.t_ms / SECOND;
    c.ignition_on = false;
    car_stand(&c, 300);
    c.ignition_on = true;
    on_s = c.t_ms / SECOND;
    car_stand(&c, 15);
    for (int i = 0; i < minutes * 6; i++) {
        c.level = after - i / 60.0 + (i % 2 ? 6 : -6);
        car_go(&c, 10, 90);
    }
    c.level = after - minutes / 10.0;
    car_stand(&c, rests_at_last ? 100 : 1);
    c.ignition_on = false;
    car_stand(&c, 100);
    car_silent(&c, 3600 * SECOND, 0);
    c.ignition_on = true;
    car_stand(&c, 300);
    for (size_t i = 0; i < c.d.n; i++) {
        assert_true(sight_step(&sight, &sight_defaults, &c.d.at[i], &seen));
        if (level_step(l, &level_defaults, &seen, c.d.at[i].v[MOMENT_LEVEL]) != LEVEL_REFUEL)
            continue;
        found++;
        assert_int_equal(l->before_ms / SECOND, off_s + 1);
        assert_int_equal(l->after_ms / SECOND, on_s + 1);
        NEAR(l->before_percent, 20, 0.01);
        NEAR(l->after_percent, after, 8);
    }
    drive_done(&c.d);
    return found;
}

static void a_car_that_drives_off_after_a_fill_up_tells_it_all_the_same(void **state)
{
    static const int minutes[] = {5, 10, 14, 20, 60};
    struct level l;

    (void)state;
    for (size_t i = 0; i < sizeof minutes / sizeof *minutes; i++) {
        assert_int_equal(fill_up(95, minutes[i], false, &l), 1);
        assert_int_equal(fill_up(95, minutes[i], true, &l), 1);
        assert_int_equal(fill_up(20, minutes[i], false, &l), 0);
        assert_int_equal(fill_up(20, minutes[i], true, &l), 0);
    }
    assert_int_equal(fill_up(29, 60, true, &l), 0); /* no more than a long hill and slosh make */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_percent_more_after_a_pause_is_a_fill_up),
        cmocka_unit_test(a_drop_needs_eight_percent_and_five_litres),
        cmocka_unit_test(what_was_burnt_on_the_road_is_no_drop),
        cmocka_unit_test(sloshing_while_driving_says_nothing),
        cmocka_unit_test(a_car_that_drives_off_after_a_fill_up_tells_it_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
