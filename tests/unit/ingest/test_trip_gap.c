/* Holes in what is known of a drive: bridged, driven through, stood through, lost; tunnels. */
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

/* Two minutes at rest, a drive of about a kilometre, five minutes at rest. */
static void a_drive(struct car *c)
{
    car_stand(c, 120);
    car_go(c, 60, 60);
    car_stand(c, 300);
}

/* A hole in a drive; what follows is driven. */
static size_t hole(int64_t ms, double metres, bool stands)
{
    struct car c = car_new();

    car_stand(&c, 60);
    car_go(&c, 120, 60);
    if (stands)
        car_stand(&c, 30);
    car_silent(&c, ms, metres);
    if (stands)
        car_stand(&c, 30);
    car_go(&c, 120, 60);
    return run_car(&c);
}

static void holes_of_five_minutes_are_bridged(void **state)
{
    size_t n = hole(5 * MINUTE - SECOND, 5000, false);
    const struct segment *trip = nth(rows, n, SEGMENT_TRIP, 0);

    (void)state;
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 1);
    assert_int_equal(count(rows, n, SEGMENT_LAPSE), 0);
    NEAR(trip->sum.distance_m, 4000 + 5000, 60);
    NEAR(trip->sum.estimated_m, 5000, 40);
    assert_true(tally_coverage(&trip->sum) < 0.6);
}

static void a_longer_hole_that_was_driven_through_lies_over_the_same_trip(void **state)
{
    size_t n = hole(20 * MINUTE, 1400, false); /* 1.17 m/s */
    const struct segment *trip = nth(rows, n, SEGMENT_TRIP, 0);
    const struct segment *over = nth(rows, n, SEGMENT_LAPSE, 0);

    (void)state;
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 1);
    assert_non_null(over);
    NEAR(over->sum.estimated_m, 1400, 30);
    NEAR(trip->sum.estimated_m, 1400, 30);
    NEAR(trip->sum.distance_m, 4000 + 1400, 60);
}

static void a_hole_that_ends_in_the_same_place_was_a_stop(void **state)
{
    size_t n = hole(20 * MINUTE, 150, false);
    const struct segment *stop;

    (void)state;
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 2);
    assert_int_equal(count(rows, n, SEGMENT_GAP), 0);
    stop = nth(rows, n, SEGMENT_STOP, 1);
    assert_int_equal(stop->end_ms - stop->start_ms, 20 * MINUTE + SECOND);
    n = hole(20 * MINUTE, 20, true); /* stamped at the first standing sample, not at the last */
    stop = nth(rows, n, SEGMENT_STOP, 1);
    assert_int_equal(stop->start_ms, MONDAY + 181 * SECOND);
}

static void any_other_hole_ends_the_trip_and_is_a_row_of_its_own(void **state)
{
    const struct {
        int64_t ms;
        double metres;
    } holes[] = {{20 * MINUTE, 1200}, {2 * HOUR, 90000}, {2 * HOUR, 201}};

    (void)state;
    for (size_t i = 0; i < sizeof holes / sizeof *holes; i++) {
        size_t n = hole(holes[i].ms, holes[i].metres, false);
        const struct segment *gap = nth(rows, n, SEGMENT_GAP, 0);

        assert_int_equal(count(rows, n, SEGMENT_TRIP), 2);
        assert_non_null(gap);
        assert_int_equal(nth(rows, n, SEGMENT_TRIP, 0)->reason, END_GAP);
        assert_int_equal(nth(rows, n, SEGMENT_TRIP, 0)->end_ms, MONDAY + 180 * SECOND);
        NEAR(nth(rows, n, SEGMENT_TRIP, 0)->sum.distance_m, 2000, 20);
        NEAR(gap->sum.estimated_m, holes[i].metres, 25);
    }
}

static void the_odometer_tells_how_far_it_went_in_a_hole(void **state)
{
    struct car c = car_new();
    size_t n;

    (void)state;
    c.gps = false;
    car_stand(&c, 60);
    car_go(&c, 120, 60);
    c.d.at[c.d.n - 1].v[MOMENT_ODOMETER] = 1000000;
    car_silent(&c, 20 * MINUTE, 0);
    car_go(&c, 1, 60);
    c.d.at[c.d.n - 1].v[MOMENT_ODOMETER] = 1020000;
    car_go(&c, 60, 60);
    n = run_car(&c);
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 1);
    NEAR(nth(rows, n, SEGMENT_TRIP, 0)->sum.estimated_m, 20000, 1);
}

static void an_odometer_that_rose_faster_than_any_car_tells_nothing(void **state)
{
    struct car c = car_new();
    const struct segment *trip;
    size_t n;

    (void)state;
    car_stand(&c, 60);
    car_go(&c, 120, 60);
    c.d.at[c.d.n - 1].v[MOMENT_ODOMETER] = 80000000;
    car_silent(&c, 10 * MINUTE, 8000);
    car_go(&c, 1, 60);
    c.d.at[c.d.n - 1].v[MOMENT_ODOMETER] = 429496729500; /* FFFFFFFF */
    car_go(&c, 60, 60);
    n = run_car(&c);
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 1);
    trip = nth(rows, n, SEGMENT_TRIP, 0);
    NEAR(trip->sum.estimated_m, 8000, 40); /* as its positions tell */
}

static void what_drove_off_and_is_heard_elsewhere_was_a_trip(void **state)
{
    struct car c = car_new();
    const struct segment *trip, *over;
    size_t n;

    (void)state;
    car_stand(&c, 60);
    car_go(&c, 4, 30); /* not yet far enough to be one */
    car_silent(&c, 18 * MINUTE, 6000);
    car_stand(&c, 400);
    n = run_car(&c);
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 1);
    trip = nth(rows, n, SEGMENT_TRIP, 0);
    over = nth(rows, n, SEGMENT_LAPSE, 0);
    assert_int_equal(trip->start_ms, MONDAY + 60 * SECOND);
    assert_int_equal(trip->end_ms, over->end_ms);
    NEAR(trip->sum.distance_m, 6030, 30);
    NEAR(trip->end.lat, 48.5 + c.north_m * METRE_DEGREES, 2e-5);
    assert_int_equal(count(rows, n, SEGMENT_STOP), 2); /* one in each place */
    NEAR(nth(rows, n, SEGMENT_STOP, 0)->start.lat, 48.5, 2e-5);
    NEAR(nth(rows, n, SEGMENT_STOP, 1)->start.lat, trip->end.lat, 1e-9);
}

static void no_trip_ends_before_the_hole_it_drove_through(void **state)
{
    for (int how = 0; how < 2; how++) { /* no speed after it; standing before it and after */
        struct car c = car_new();
        const struct segment *trip, *over;
        size_t n;

        (void)state;
        car_stand(&c, 60);
        car_go(&c, 30, 72);
        c.d.at[c.d.n - 1].v[MOMENT_ODOMETER] = 80000000;
        if (how == 1)
            car_stand(&c, 30);
        car_silent(&c, 10 * MINUTE, 5000);
        if (how == 1) {
            car_stand(&c, 250);
        } else {
            c.gps = false;
            car_go(&c, 3, 72);
            for (size_t i = c.d.n - 3; i < c.d.n; i++)
                c.d.at[i].v[MOMENT_SPEED] = NOT_MEASURED;
            c.d.at[c.d.n - 3].v[MOMENT_ODOMETER] = 80005000;
        }
        n = run_car(&c);
        assert_int_equal(count(rows, n, SEGMENT_TRIP), 1);
        trip = nth(rows, n, SEGMENT_TRIP, 0);
        over = nth(rows, n, SEGMENT_LAPSE, 0);
        NEAR(trip->sum.estimated_m, 5000, 30);
        assert_true(trip->end_ms >= over->end_ms);
    }
}

static void nobody_knows_what_was_burnt_in_a_hole(void **state)
{
    struct trip_settings set = trip_defaults;
    struct car c = car_new();
    const struct segment *trip;
    size_t n;

    (void)state;
    set.fuel.kind = FUEL_PETROL;
    car_stand(&c, 60);
    car_go(&c, 300, 72);
    car_silent(&c, 50 * MINUTE, 60000);
    car_go(&c, 300, 72);
    for (size_t i = 0; i < c.d.n; i++)
        c.d.at[i].v[MOMENT_LITRES_H] = 6;
    n = run(&c.d, &set);
    drive_done(&c.d);
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 1);
    trip = nth(rows, n, SEGMENT_TRIP, 0);
    NEAR(fuel_litres(&trip->sum.fuel), 1, 0.01);
    NEAR(fuel_coverage(&trip->sum.fuel), 600.0 / 3600, 0.005);
    NEAR(tally_coverage(&trip->sum), 600.0 / 3600, 0.005);
    assert_true(isnan(fuel_per_100_km(&trip->sum.fuel, &set.fuel, trip->sum.distance_m)));
}

static void a_manoeuvre_before_a_hole_leaves_its_stop_no_way(void **state)
{
    struct car c = car_new();
    size_t n;

    (void)state;
    car_stand(&c, 60);
    car_go(&c, 6, 30); /* 48 m */
    car_silent(&c, 20 * MINUTE, 1200);
    car_stand(&c, 300);
    n = run_car(&c);
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 0);
    assert_int_equal(count(rows, n, SEGMENT_GAP), 1);
    NEAR(nth(rows, n, SEGMENT_STOP, 0)->sum.distance_m, 0, 0);
    NEAR(nth(rows, n, SEGMENT_STOP, 0)->sum.max_kmh, 0, 0);
    NEAR((double)nth(rows, n, SEGMENT_STOP, 0)->sum.moving_ms, 6000, 2000); /* it did move */
}

static void heartbeats_of_a_parked_car_are_one_stop(void **state)
{
    struct car c = car_new();
    const struct segment *trip;
    size_t n;

    (void)state;
    a_drive(&c);
    c.ignition_on = false;
    c.gps = false;
    for (int i = 0; i < 50; i++) {
        car_silent(&c, 10 * MINUTE, 0);
        (void)car_tick(&c);
    }
    c.ignition_on = c.gps = true;
    car_silent(&c, 9 * MINUTE, 0);
    car_go(&c, 60, 60);
    n = run_car(&c);
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 2);
    assert_int_equal(count(rows, n, SEGMENT_GAP), 0);
    trip = nth(rows, n, SEGMENT_TRIP, 1);
    assert_true(trip->start_ms > MONDAY + 8 * HOUR + 30 * MINUTE); /* not at the last heartbeat */
}

static void a_tunnel_is_no_gap_and_its_way_is_measured_by_speed(void **state)
{
    struct car c = car_new();
    const struct segment *trip;
    size_t n;

    (void)state;
    car_stand(&c, 10);
    car_go(&c, 60, 72);
    c.gps = false;
    car_go(&c, 600, 72); /* 12 km under the mountain */
    c.gps = true;
    car_go(&c, 60, 72);
    car_stand(&c, 220);
    n = run_car(&c);
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 1);
    assert_int_equal(count(rows, n, SEGMENT_LAPSE) + count(rows, n, SEGMENT_GAP), 0);
    trip = nth(rows, n, SEGMENT_TRIP, 0);
    NEAR(trip->sum.distance_m, 14400, 40);
    NEAR(trip->sum.estimated_m, 0, 0);
    NEAR(tally_coverage(&trip->sum), 1, 0);
}

/* Any values at all, at any times. */
static void some_moment(struct car *c, struct drive *d)
{
    static const int64_t steps_s[] = {1, 1, 1, 1, 1, 1, 5, 20, 100, 299, 301, 1200, 3601, 40000};
    double r = (car_random(c) + 1) / 2;
    struct moment *m;

    c->t_ms += steps_s[(size_t)(r * r * r * 14) % 14] * SECOND * (r > 0.001 ? 1 : -1);
    if (r > 0.97)
        c->kmh = car_random(c) > 0 ? 0 : 20 + 60 * r;
    c->north_m += c->kmh / 3.6 + (r > 0.995 ? 3000 : 0);
    m = drive_add(d, c->t_ms);
    for (int i = 0; i < MOMENT_VALUES; i++)
        if (car_random(c) > 0.9)
            m->v[i] = car_random(c) * 100;
    if (car_random(c) > -0.8) {
        m->v[MOMENT_LAT] = 48.5 + c->north_m * METRE_DEGREES;
        m->v[MOMENT_LON] = 7.7;
        m->v[MOMENT_SPEED] = c->kmh;
    }
    if (car_random(c) > 0)
        m->v[MOMENT_RPM] = c->kmh > 0 ? 2000 : car_random(c) * 900;
    m->v[MOMENT_VOLTAGE_STATE] = car_random(c) > 0.97 ? 2 : 4;
    m->ecu = isfinite(m->v[MOMENT_RPM]);
}

static void whatever_is_measured_the_rows_are_a_partition_of_time(void **state)
{
    struct trip_settings set = trip_defaults;

    (void)state;
    set.fuel.kind = FUEL_PETROL;
    set.fuel.displacement_l = 1.6;
    for (uint32_t seed = 1; seed <= 200; seed++) {
        struct car c = {.t_ms = MONDAY, .seed = seed};
        struct drive d = {0};
        struct watch w = {0};
        size_t n;

        for (int i = 0; i < 400; i++)
            some_moment(&c, &d);
        n = watch_drive(&w, &d, &set, rows);
        is_partition(rows, n);
        for (size_t i = 0; i < n; i++) {
            assert_true(isfinite(rows[i].sum.distance_m) && rows[i].sum.distance_m >= 0);
            assert_true(rows[i].sum.estimated_m <= rows[i].sum.distance_m + 0.001);
            assert_true(rows[i].sum.idle_ms >= 0 && rows[i].sum.engine_ms >= 0);
            assert_true(rows[i].sum.covered_ms <= rows[i].end_ms - rows[i].start_ms);
        }
        drive_done(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holes_of_five_minutes_are_bridged),
        cmocka_unit_test(a_longer_hole_that_was_driven_through_lies_over_the_same_trip),
        cmocka_unit_test(a_hole_that_ends_in_the_same_place_was_a_stop),
        cmocka_unit_test(any_other_hole_ends_the_trip_and_is_a_row_of_its_own),
        cmocka_unit_test(the_odometer_tells_how_far_it_went_in_a_hole),
        cmocka_unit_test(an_odometer_that_rose_faster_than_any_car_tells_nothing),
        cmocka_unit_test(what_drove_off_and_is_heard_elsewhere_was_a_trip),
        cmocka_unit_test(no_trip_ends_before_the_hole_it_drove_through),
        cmocka_unit_test(nobody_knows_what_was_burnt_in_a_hole),
        cmocka_unit_test(a_manoeuvre_before_a_hole_leaves_its_stop_no_way),
        cmocka_unit_test(heartbeats_of_a_parked_car_are_one_stop),
        cmocka_unit_test(a_tunnel_is_no_gap_and_its_way_is_measured_by_speed),
        cmocka_unit_test(whatever_is_measured_the_rows_are_a_partition_of_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
