/* A car that is carried to another place with its ignition off. */
#include "tests/unit/ingest/watch.h"

static struct segment rows[ROWS_MAX];

static size_t run_car(struct car *c)
{
    struct watch w = {0};
    size_t n = watch_drive(&w, &c->d, &trip_defaults, rows);

    drive_done(&c->d);
    is_partition(rows, n);
    return n;
}

/* A drive of about a kilometre, and ten minutes at rest. */
static void park(struct car *c)
{
    car_stand(c, 120);
    car_go(c, 60, 60);
    car_stand(c, 300);
    c->ignition_on = false;
    car_stand(c, 600);
}

/* Parked with the ignition off, then towed for so long, with a halt of so many seconds on the way.
 */
static size_t run_towed(struct car *c, int64_t each_s, int64_t halt_s)
{
    park(c);
    car_go(c, each_s, 12);
    car_stand(c, halt_s);
    car_go(c, each_s, 12);
    car_stand(c, 600);
    return run_car(c);
}

static void a_towed_car_stops_anew_where_it_is_put_down(void **state)
{
    for (int told = 0; told < 2; told++) { /* a speed by the receiver, or none */
        struct car c = car_new();
        const struct segment *home, *pound;
        size_t n;

        (void)state;
        c.mute = !told;
        n = run_towed(&c, 600, 60);
        assert_int_equal(count(rows, n, SEGMENT_TRIP), 1);
        assert_int_equal(count(rows, n, SEGMENT_GAP), 0);
        assert_int_equal(count(rows, n, SEGMENT_STOP), 3); /* before the drive, too */
        home = nth(rows, n, SEGMENT_STOP, 1);
        pound = nth(rows, n, SEGMENT_STOP, 2);
        NEAR((double)(home->end_ms - (MONDAY + 1081 * SECOND)) / 1000, 62, 3); /* 200 m on */
        NEAR(home->start.lat, 48.5 + 992 * METRE_DEGREES, 2e-5);
        NEAR(pound->start.lat, 48.5 + c.north_m * METRE_DEGREES, 2e-5);
        NEAR(pound->sum.distance_m, 0, 0);
        assert_int_equal(pound->state, SEGMENT_OPEN);
        is_partition(rows, n);
    }
}

static void a_halt_of_more_than_200_seconds_on_the_way_is_a_stop(void **state)
{
    struct car c = car_new();
    size_t n = run_towed(&c, 600, 400);

    (void)state;
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 1);
    assert_int_equal(count(rows, n, SEGMENT_STOP), 4);
    NEAR(nth(rows, n, SEGMENT_STOP, 2)->start.lat, 48.5 + (992 + 12 / 3.6 * 600) * METRE_DEGREES,
         3e-5);
    is_partition(rows, n);
}

static void a_receiver_that_jumps_tows_nothing(void **state)
{
    struct car c = car_new();
    size_t n;

    (void)state;
    park(&c);
    for (int i = 0; i < 60; i++) { /* 300 m off for five seconds, again and again */
        double here_m = c.north_m;

        c.north_m += 300;
        car_stand(&c, 5);
        c.north_m = here_m;
        car_stand(&c, 20);
    }
    n = run_car(&c);
    assert_int_equal(count(rows, n, SEGMENT_STOP), 2);
    NEAR(nth(rows, n, SEGMENT_STOP, 1)->start.lat, 48.5 + 992 * METRE_DEGREES, 2e-5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_towed_car_stops_anew_where_it_is_put_down),
        cmocka_unit_test(a_halt_of_more_than_200_seconds_on_the_way_is_a_stop),
        cmocka_unit_test(a_receiver_that_jumps_tows_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
