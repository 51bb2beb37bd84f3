/* What is added up of a trip. */
#include "tests/unit/ingest/watch.h"

static struct segment rows[ROWS_MAX];

static size_t run(const struct drive *d, const struct trip_settings *set)
{
    struct watch w = {0};
    size_t n = watch_drive(&w, d, set, rows);

    is_partition(rows, n);
    return n;
}

static size_t run_car(struct car *c)
{
    size_t n = run(&c->d, &trip_defaults);

    drive_done(&c->d);
    return n;
}

static void a_trip_moves_as_long_as_its_way_took(void **state)
{
    static const int64_t step_s[] = {1, 5, 10, 1, 10};

    (void)state;
    for (int i = 0; i < 5; i++) {
        struct car c = car_new();
        const struct segment *trip;
        size_t n;

        c.obd = c.told = false;
        c.mute = i > 2;
        for (int64_t s = 0; s <= 1200; s += step_s[i]) { /* stops for a minute on the way */
            c.kmh = (s > 300 && s <= 600) || (s > 660 && s <= 960) ? 72 : 0;
            c.north_m += c.kmh / 3.6 * (double)step_s[i];
            c.t_ms = MONDAY + SECOND + s * SECOND;
            (void)car_tick(&c);
        }
        n = run_car(&c);
        trip = nth(rows, n, SEGMENT_TRIP, 0);
        NEAR(trip->sum.distance_m, 12000, c.mute ? 20 : 1);
        NEAR((double)trip->sum.moving_ms, 600000 + 2000.0 * (double)step_s[i],
             c.mute ? 20000 : 0); /* twice what a leg takes */
        assert_true(trip->sum.moving_ms <= trip->end_ms - trip->start_ms);
    }
}

static void one_speed_that_no_car_gains_is_not_the_highest_and_two_are(void **state)
{
    (void)state;
    for (int fast = 1; fast <= 2; fast++) {
        struct car c = car_new();
        const struct segment *trip;
        size_t n;

        car_stand(&c, 60);
        car_go(&c, 60, 50);
        for (int i = 0; i < fast; i++) {
            c.t_ms += SECOND;
            car_tick(&c)->v[MOMENT_SPEED] = 300;
        }
        car_go(&c, 60, 51);
        n = run_car(&c);
        trip = nth(rows, n, SEGMENT_TRIP, 0);
        NEAR(trip->sum.max_kmh, fast > 1 ? 300 : 51, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trip_moves_as_long_as_its_way_took),
        cmocka_unit_test(one_speed_that_no_car_gains_is_not_the_highest_and_two_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
