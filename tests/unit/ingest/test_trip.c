/* Trips, stops, idles and gaps. */
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

static void defaults_are_those_of_the_shared_detection(void **state)
{
    (void)state;
    assert_memory_equal(&sight_defaults.fix, &fix_defaults, sizeof fix_defaults);
    assert_memory_equal(&sight_defaults.motion, &motion_defaults, sizeof motion_defaults);
    assert_memory_equal(&sight_defaults.engine, &engine_defaults, sizeof engine_defaults);
    assert_int_equal(trip_defaults.meter.hole_ms, meter_defaults.hole_ms);
    assert_int_equal(trip_defaults.idle.after_ms, idle_defaults.after_ms);
    assert_int_equal(trip_defaults.idle.hole_ms, idle_defaults.hole_ms);
    assert_memory_equal(&trip_defaults.level, &level_defaults,
                        offsetof(struct level_settings, tank_l));
    NEAR(trip_defaults.fuel.petrol_g_l, fuel_defaults.petrol_g_l, 0);
    NEAR(trip_defaults.fuel.diesel_kg_l, fuel_defaults.diesel_kg_l, 0);
}

static void b08_is_two_trips_and_one_stop_of_272_seconds(void **state)
{
    struct drive d = drive_b08();
    size_t n = run(&d, &trip_defaults);
    const struct segment *first = nth(rows, n, SEGMENT_TRIP, 0);
    const struct segment *second = nth(rows, n, SEGMENT_TRIP, 1);
    const struct segment *stop = nth(rows, n, SEGMENT_STOP, 1);

    (void)state;
    drive_done(&d);
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 2);
    assert_int_equal(count(rows, n, SEGMENT_GAP), 0);
    NEAR((double)(stop->end_ms - stop->start_ms) / 1000, 272, 3);
    assert_int_equal((second->end_ms - MONDAY) / SECOND, 1836);
    NEAR((first->sum.distance_m + second->sum.distance_m) / 1000, 6.9, 0.05);
    NEAR(first->sum.max_kmh, 49.41, 0.01);
    assert_int_equal(second->reason, END_STANDING);
}

static void the_caliber_drove_34_52_km_on_2_957_litres(void **state)
{
    struct trip_settings set = trip_defaults;
    struct drive d = drive_caliber();
    const struct segment *trip;
    double litres;
    size_t n;

    (void)state;
    set.fuel.kind = FUEL_PETROL;
    set.fuel.displacement_l = 1.798;
    n = run(&d, &set);
    drive_done(&d);
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 1);
    trip = nth(rows, n, SEGMENT_TRIP, 0);
    litres = fuel_litres(&trip->sum.fuel);
    NEAR(trip->sum.distance_m, 34520, 34520 * 0.02);
    NEAR(litres, 2.957, 2.957 * 0.01);
    NEAR(fuel_co2_kg(&set.fuel, litres), 6.95, 0.0695);
    assert_int_equal(fuel_main_method(&trip->sum.fuel, NULL), FUEL_DENSITY);
    assert_true(fuel_coverage(&trip->sum.fuel) > 0.95);
    NEAR(fuel_per_100_km(&trip->sum.fuel, &set.fuel, trip->sum.distance_m), 8.57, 0.1);
}

/* Two minutes at rest, a drive of about a kilometre, five minutes at rest. */
static void a_drive(struct car *c)
{
    car_stand(c, 120);
    car_go(c, 60, 60);
    car_stand(c, 300);
}

static void a_trip_begins_at_the_last_standing_sample_and_ends_on_arrival(void **state)
{
    struct car c = car_new();
    const struct segment *trip;
    size_t n;

    (void)state;
    a_drive(&c);
    n = run_car(&c);
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 1);
    trip = nth(rows, n, SEGMENT_TRIP, 0);
    assert_int_equal(trip->start_ms, MONDAY + 120 * SECOND);
    assert_int_equal(trip->end_ms, MONDAY + 181 * SECOND);
    assert_int_equal(trip->state, SEGMENT_CLOSED);
    NEAR(trip->sum.distance_m, 992, 10);
    NEAR(trip->start.lat, 48.5, 1e-6);
    NEAR(trip->end.lat, 48.5 + 992 * METRE_DEGREES, 2e-5);
}

static void a_red_light_does_not_end_a_trip_and_200_seconds_do(void **state)
{
    struct car c = car_new();
    size_t n;

    (void)state;
    car_stand(&c, 10);
    car_go(&c, 60, 50);
    car_stand(&c, 195);
    car_go(&c, 60, 50);
    car_stand(&c, 250);
    car_go(&c, 60, 50);
    n = run_car(&c);
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 2);
    assert_int_equal(nth(rows, n, SEGMENT_TRIP, 1)->state, SEGMENT_OPEN);
}

static void ignition_off_for_a_minute_ends_it_sooner_and_a_flip_does_not(void **state)
{
    struct car c = car_new();
    const struct segment *trip;
    size_t n;

    (void)state;
    car_stand(&c, 10);
    car_go(&c, 60, 50);
    car_stand(&c, 5);
    c.ignition_on = false;
    car_stand(&c, 20);
    c.ignition_on = true; /* the key once more, for the window */
    car_stand(&c, 10);
    c.ignition_on = false;
    car_stand(&c, 40);
    n = run_car(&c);
    trip = nth(rows, n, SEGMENT_TRIP, 0);
    assert_int_equal(trip->state, SEGMENT_CLOSED);
    assert_int_equal(trip->reason, END_IGNITION_OFF);
    assert_int_equal(trip->end_ms, MONDAY + 71 * SECOND);
}

static void a_stop_start_is_neither_the_end_of_a_trip_nor_idling(void **state)
{
    struct car c = car_new();
    size_t n;

    (void)state;
    car_stand(&c, 10);
    car_go(&c, 60, 50);
    c.rpm = 0;
    car_stand(&c, 150);
    c.rpm = NOT_MEASURED;
    car_go(&c, 60, 50);
    car_stand(&c, 210);
    n = run_car(&c);
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 1);
    assert_int_equal(nth(rows, n, SEGMENT_TRIP, 0)->sum.idle_ms, 0);
}

static void idling_lies_over_the_trip_and_the_stop_it_happened_in(void **state)
{
    struct car c = car_new();
    const struct segment *trip;
    size_t n;

    (void)state;
    car_stand(&c, 10);
    car_go(&c, 60, 50);
    car_stand(&c, 150); /* at a barrier, engine on: part of the trip */
    car_go(&c, 60, 50);
    car_stand(&c, 300); /* arrived, engine on: part of the stop */
    c.ignition_on = false;
    car_stand(&c, 30);
    n = run_car(&c);
    trip = nth(rows, n, SEGMENT_TRIP, 0);
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 1);
    NEAR((double)trip->sum.idle_ms / 1000, 149, 1);
    NEAR((double)nth(rows, n, SEGMENT_STOP, 1)->sum.idle_ms / 1000, 299, 1);
    assert_int_equal(count(rows, n, SEGMENT_IDLE), 2);
    assert_int_equal(nth(rows, n, SEGMENT_IDLE, 1)->start_ms, trip->end_ms);
}

static void idling_before_a_trip_is_none_of_it(void **state)
{
    (void)state;
    for (int64_t seconds = 118; seconds <= 124; seconds++) {
        struct car c = car_new();
        size_t n;

        car_stand(&c, seconds);
        car_go(&c, 60, 50);
        car_stand(&c, 60);
        n = run_car(&c);
        assert_int_equal(nth(rows, n, SEGMENT_TRIP, 0)->sum.idle_ms, 0);
        assert_int_equal(nth(rows, n, SEGMENT_STOP, 0)->sum.idle_ms,
                         seconds > 120 ? (seconds - 1) * SECOND : 0);
    }
}

static void harsh_manoeuvres_show_only_where_speeds_come_fast_enough(void **state)
{
    for (int step_s = 1; step_s <= 10; step_s += 9) {
        struct car c = car_new();
        const struct segment *trip;
        size_t n;

        (void)state;
        c.obd = c.told = false;
        for (int64_t s = 0; s < 1200; s += step_s) {
            c.kmh = s >= 60 && s < 960 ? 72 : 0;
            c.north_m += c.kmh / 3.6 * step_s;
            c.t_ms += step_s * SECOND;
            (void)car_tick(&c);
        }
        n = run_car(&c);
        assert_int_equal(count(rows, n, SEGMENT_TRIP), 1);
        trip = nth(rows, n, SEGMENT_TRIP, 0);
        NEAR((double)trip->sum.moving_ms / 1000, 900, 20);
        NEAR((double)trip->sum.slope_ms, step_s == 1 ? (double)trip->sum.moving_ms : 0, 2000);
    }
}

static void jitter_never_makes_a_trip(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 20; seed++) {
        struct car c = car_new();
        size_t n;

        c.seed = seed;
        c.obd = c.told = false;
        c.noise_m = 4;
        for (int i = 0; i < 3600; i++) {
            struct moment *m;

            c.t_ms += SECOND;
            m = car_tick(&c);
            m->v[MOMENT_ACCURACY] = 12;
            m->v[MOMENT_SPEED] = seed % 2 ? fabs(car_random(&c)) * 4 : NOT_MEASURED;
        }
        n = run_car(&c);
        assert_int_equal(n, 1);
        assert_int_equal(rows[0].kind, SEGMENT_STOP);
        NEAR(rows[0].sum.distance_m, 0, 0);
    }
}

static void a_bad_receiver_that_goes_in_circles_makes_no_trip(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 10; seed++) {
        struct car c = car_new();
        size_t n;

        c.seed = seed;
        c.obd = c.told = false;
        car_stand(&c, 60);
        for (int i = 0; i < 1800; i++) { /* under a roof: 25 m about, and speeds to match */
            struct moment *m;

            c.north_m = 25 * sin(i / 9.0);
            c.t_ms += SECOND;
            m = car_tick(&c);
            m->v[MOMENT_ACCURACY] = 12;
            m->v[MOMENT_SPEED] = fabs(car_random(&c)) * 14;
        }
        n = run_car(&c);
        assert_int_equal(count(rows, n, SEGMENT_TRIP), 0);
        assert_int_equal(n, 1);
    }
}

static void a_parked_car_does_not_drift_from_its_anchor(void **state)
{
    struct car c = car_new();
    size_t n;

    (void)state;
    car_stand(&c, 120);
    for (int i = 0; i < 600; i++) { /* the receiver walks away, slowly */
        c.north_m += 0.1;
        c.t_ms += SECOND;
        (void)car_tick(&c);
    }
    n = run_car(&c);
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 0);
    assert_int_equal(count(rows, n, SEGMENT_STOP), 1);
    NEAR(rows[0].start.lat, 48.5, 1e-6);
    NEAR(rows[0].sum.distance_m, 0, 0);
}

static void a_parking_manoeuvre_is_withdrawn_and_the_stop_goes_on(void **state)
{
    struct car c = car_new();
    size_t n;

    (void)state;
    car_stand(&c, 60);
    car_go(&c, 20, 10);
    car_stand(&c, 300);
    n = run_car(&c);
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 0);
    assert_int_equal(count(rows, n, SEGMENT_STOP), 1);
    assert_int_equal(nth(rows, n, SEGMENT_STOP, 0)->start_ms, MONDAY + SECOND);
    NEAR(nth(rows, n, SEGMENT_STOP, 0)->sum.distance_m, 0, 0);
}

static void gps_alone_needs_two_good_fixes(void **state)
{
    struct car c = car_new();
    size_t n;

    (void)state;
    c.obd = c.told = false;
    a_drive(&c);
    n = run_car(&c);
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 1);
    assert_int_equal(nth(rows, n, SEGMENT_TRIP, 0)->end_ms, MONDAY + 181 * SECOND);
}

static void refuel(struct car *c, double level_after, int64_t seconds)
{
    car_stand(c, 60);
    c->ignition_on = false;
    car_stand(c, seconds);
    c->ignition_on = true;
    c->level = level_after;
}

static void a_fuel_stop_does_not_split_a_trip(void **state)
{
    for (int soon = 0; soon < 2; soon++) { /* the gauge speaks before, or after it drove on */
        struct car c = car_new();
        struct watch w = {0};
        const struct segment *trip;
        size_t n;

        (void)state;
        c.level = 20;
        car_stand(&c, 60);
        car_go(&c, 300, 60);
        refuel(&c, 95, 400);
        car_stand(&c, soon ? 20 : 130);
        car_go(&c, 300, 60);
        car_stand(&c, 260);
        n = watch_drive(&w, &c.d, &trip_defaults, rows);
        is_partition(rows, n);
        drive_done(&c.d);
        assert_int_equal(w.refuels, 1);
        assert_int_equal(count(rows, n, SEGMENT_TRIP), 1);
        trip = nth(rows, n, SEGMENT_TRIP, 0);
        assert_int_equal(trip->start_ms, MONDAY + 60 * SECOND);
        NEAR((double)trip->pause_ms / 1000, 60 + 400 + (soon ? 20 : 130), 3);
        NEAR(trip->sum.distance_m, 10000, 60);
    }
}

static void the_gauge_tells_nothing_of_a_trip_that_was_refuelled_on_its_way(void **state)
{
    struct trip_settings set = trip_defaults;
    struct car c = car_new();
    const struct segment *trip;
    size_t n;

    (void)state;
    set.fuel.kind = FUEL_PETROL;
    set.fuel.tank_l = 50;
    c.level = 80;
    car_stand(&c, 60);
    c.level = 60;
    car_go(&c, 300, 60);
    refuel(&c, 75, 400);
    car_stand(&c, 130);
    c.level = 40; /* below what it began with */
    car_go(&c, 300, 60);
    car_stand(&c, 260);
    n = run(&c.d, &set);
    drive_done(&c.d);
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 1);
    trip = nth(rows, n, SEGMENT_TRIP, 0);
    assert_true(trip->pause_ms > 0);
    assert_true(isnan(trip->level_start_percent));
    assert_true(isnan(fuel_litres(&trip->sum.fuel))); /* nor what its first half alone took */
}

static void a_fill_up_that_is_found_on_the_road_is_what_the_trip_began_with(void **state)
{
    struct car c = car_new();
    const struct segment *trip;
    size_t n;

    (void)state;
    c.level = 20;
    car_stand(&c, 60);
    car_go(&c, 300, 60);
    refuel(&c, 95, 1000); /* too long a stop to be one trip with it */
    car_stand(&c, 20);
    car_go(&c, 60, 60);
    car_stand(&c, 70); /* a red light */
    car_go(&c, 60, 60);
    n = run_car(&c);
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 2);
    trip = nth(rows, n, SEGMENT_TRIP, 1);
    NEAR(trip->level_start_percent, 95, 0);
}

static void the_same_stop_without_a_gauge_or_too_long_is_two_trips(void **state)
{
    for (int how = 0; how < 2; how++) {
        struct car c = car_new();
        size_t n;

        (void)state;
        c.level = how ? 20 : NOT_MEASURED;
        car_stand(&c, 60);
        car_go(&c, 300, 60);
        refuel(&c, how ? 95 : NOT_MEASURED, how ? 1000 : 400);
        car_stand(&c, 130);
        car_go(&c, 300, 60);
        car_stand(&c, 260);
        n = run_car(&c);
        assert_int_equal(count(rows, n, SEGMENT_TRIP), 2);
    }
}

static void an_unfed_trip_stays_open_for_an_hour_and_closes_provisionally(void **state)
{
    struct car c = car_new();
    struct watch w = {0};
    size_t n;

    (void)state;
    car_stand(&c, 10);
    car_go(&c, 60, 60);
    for (size_t i = 0; i < c.d.n; i++)
        watch_step(&w, &trip_defaults, &c.d.at[i]);
    n = watch_rows(&w, &trip_defaults, c.t_ms + HOUR, rows);
    assert_int_equal(rows[n - 1].state, SEGMENT_OPEN);
    n = watch_rows(&w, &trip_defaults, c.t_ms + HOUR + 1, rows);
    assert_int_equal(rows[n - 1].state, SEGMENT_CLOSED);
    assert_true(rows[n - 1].provisional);
    assert_int_equal(rows[n - 1].end_ms, c.t_ms);
    n = watch_rows(&w, &trip_defaults, 0, rows); /* looking changed nothing */
    assert_int_equal(rows[n - 1].state, SEGMENT_OPEN);
    drive_done(&c.d);
}

static void what_is_not_after_the_last_moment_changes_nothing(void **state)
{
    struct car c = car_new();
    struct watch w = {0}, before;

    (void)state;
    a_drive(&c);
    for (size_t i = 0; i < c.d.n; i++)
        watch_step(&w, &trip_defaults, &c.d.at[i]);
    before = w;
    for (size_t i = 0; i < c.d.n; i++)
        watch_step(&w, &trip_defaults, &c.d.at[i]);
    assert_memory_equal(&w, &before, sizeof w);
    drive_done(&c.d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_shared_detection),
        cmocka_unit_test(b08_is_two_trips_and_one_stop_of_272_seconds),
        cmocka_unit_test(the_caliber_drove_34_52_km_on_2_957_litres),
        cmocka_unit_test(a_trip_begins_at_the_last_standing_sample_and_ends_on_arrival),
        cmocka_unit_test(a_red_light_does_not_end_a_trip_and_200_seconds_do),
        cmocka_unit_test(ignition_off_for_a_minute_ends_it_sooner_and_a_flip_does_not),
        cmocka_unit_test(a_stop_start_is_neither_the_end_of_a_trip_nor_idling),
        cmocka_unit_test(idling_lies_over_the_trip_and_the_stop_it_happened_in),
        cmocka_unit_test(idling_before_a_trip_is_none_of_it),
        cmocka_unit_test(harsh_manoeuvres_show_only_where_speeds_come_fast_enough),
        cmocka_unit_test(jitter_never_makes_a_trip),
        cmocka_unit_test(a_bad_receiver_that_goes_in_circles_makes_no_trip),
        cmocka_unit_test(a_parked_car_does_not_drift_from_its_anchor),
        cmocka_unit_test(a_parking_manoeuvre_is_withdrawn_and_the_stop_goes_on),
        cmocka_unit_test(gps_alone_needs_two_good_fixes),
        cmocka_unit_test(a_fuel_stop_does_not_split_a_trip),
        cmocka_unit_test(the_gauge_tells_nothing_of_a_trip_that_was_refuelled_on_its_way),
        cmocka_unit_test(a_fill_up_that_is_found_on_the_road_is_what_the_trip_began_with),
        cmocka_unit_test(the_same_stop_without_a_gauge_or_too_long_is_two_trips),
        cmocka_unit_test(an_unfed_trip_stays_open_for_an_hour_and_closes_provisionally),
        cmocka_unit_test(what_is_not_after_the_last_moment_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
