/* Private mode: its span, and what rows tell of a car that was in it. */
#include "tests/unit/ingest/watch.h"

static struct segment rows[ROWS_MAX];

/* ---- the span */
static void switches_in_order_make_a_span_and_older_ones_are_refused(void **state)
{
    struct privacy p = {0};

    (void)state;
    assert_false(privacy_is_on(&p) || privacy_covers(&p, 0) || privacy_covers(&p, MONDAY));
    assert_true(privacy_switch(&p, 500, false)); /* it was not private anyway */
    assert_true(privacy_switch(&p, 1000, true));
    assert_true(privacy_switch(&p, 1500, true)); /* for another reason: since 1000 all the same */
    assert_true(privacy_is_on(&p) && privacy_covers(&p, 1000) && privacy_covers(&p, MONDAY));
    assert_false(privacy_covers(&p, 999));
    assert_true(privacy_began(&p, 999, 1000) && privacy_began(&p, 0, 5000));
    assert_false(privacy_began(&p, 1000, 2000) || privacy_began(&p, 0, 999));
    assert_true(privacy_switch(&p, 2000, false));
    assert_false(privacy_is_on(&p) || privacy_covers(&p, 2000));
    assert_true(privacy_covers(&p, 1999));
    assert_false(privacy_switch(&p, 1700, true));
    assert_true(p.from_ms == 1000 && p.until_ms == 2000);
    assert_true(privacy_is_newer(&p, &(struct privacy){1999, 0}));
    assert_false(privacy_is_newer(&p, &(struct privacy){1000, 2000}));
}

/* ---- rows; what is private drops its places as a car does */
struct ride {
    struct watch w;
    struct car car;
    size_t fed;
};

static void feed(struct ride *r)
{
    for (; r->fed < r->car.d.n; r->fed++) {
        struct moment *m = &r->car.d.at[r->fed];

        if (privacy_covers(&r->w.trip.privacy, m->t_ms))
            m->v[MOMENT_LAT] = m->v[MOMENT_LON] = m->v[MOMENT_ACCURACY] = NOT_MEASURED;
        watch_step(&r->w, &trip_defaults, m);
    }
}

static void go(struct ride *r, int64_t seconds, double kmh)
{
    car_go(&r->car, seconds, kmh);
    feed(r);
}

static void switched(struct ride *r, bool on)
{
    assert_true(privacy_switch(&r->w.trip.privacy, r->car.t_ms + 500, on));
}

static size_t view(struct ride *r)
{
    size_t n = watch_rows(&r->w, &trip_defaults, 0, rows);

    is_partition(rows, n);
    return n;
}

static const struct segment *last(struct ride *r, enum segment_kind kind)
{
    size_t n = view(r);

    return nth(rows, n, kind, count(rows, n, kind) - 1);
}

static bool nowhere(struct place p)
{
    return isnan(p.lat) && isnan(p.lon);
}

static double north(struct place p)
{
    return (p.lat - 48.5) / METRE_DEGREES;
}

static struct ride a_public_drive(void)
{
    struct ride r = {.car = car_new()};

    go(&r, 120, 0);
    go(&r, 60, 60);
    NEAR(north(last(&r, SEGMENT_TRIP)->end), r.car.north_m, 1);
    return r;
}

static void an_open_trip_has_no_end_while_private_and_goes_on_counting(void **state)
{
    struct ride r = a_public_drive();
    double before_m = last(&r, SEGMENT_TRIP)->sum.distance_m;
    const struct segment *trip;

    (void)state;
    switched(&r, true);
    assert_true(nowhere(last(&r, SEGMENT_TRIP)->end)); /* at once, before another sample */
    go(&r, 60, 60);
    trip = last(&r, SEGMENT_TRIP);
    assert_true(nowhere(trip->end) && !nowhere(trip->start));
    NEAR(trip->sum.distance_m, before_m + 1000, 20);
    switched(&r, false);
    assert_true(nowhere(last(&r, SEGMENT_TRIP)->end)); /* no older place comes back */
    go(&r, 10, 60);
    NEAR(north(last(&r, SEGMENT_TRIP)->end), r.car.north_m, 1);
    drive_done(&r.car.d);
}

static void where_a_private_trip_ended_is_not_told_by_the_fixes_that_follow(void **state)
{
    struct ride r = a_public_drive();
    double home_m;

    (void)state;
    switched(&r, true);
    go(&r, 60, 60);
    go(&r, 300, 0);
    switched(&r, false);
    go(&r, 300, 0); /* at home, and public */
    assert_true(nowhere(last(&r, SEGMENT_TRIP)->end));
    assert_true(nowhere(last(&r, SEGMENT_STOP)->start) && nowhere(last(&r, SEGMENT_STOP)->end));
    home_m = r.car.north_m;
    go(&r, 60, 60);
    assert_int_equal(count(rows, view(&r), SEGMENT_TRIP), 2);
    NEAR(north(last(&r, SEGMENT_TRIP)->start), home_m, 1); /* it began in public */
    assert_true(nowhere(nth(rows, view(&r), SEGMENT_STOP, 1)->start));
    assert_true(nowhere(nth(rows, view(&r), SEGMENT_TRIP, 0)->end));
    drive_done(&r.car.d);
}

static void
a_stop_that_began_in_public_keeps_its_place_and_the_trip_from_there_tells_none(void **state)
{
    struct ride r = a_public_drive();
    double work_m;

    (void)state;
    go(&r, 600, 0);
    work_m = r.car.north_m;
    NEAR(north(last(&r, SEGMENT_STOP)->start), work_m, 1);
    switched(&r, true);
    go(&r, 120, 0);
    assert_true(nowhere(last(&r, SEGMENT_STOP)->start)); /* it is there, and says so no more */
    go(&r, 60, 60);
    assert_true(nowhere(last(&r, SEGMENT_TRIP)->start) && nowhere(last(&r, SEGMENT_TRIP)->end));
    NEAR(north(nth(rows, view(&r), SEGMENT_STOP, 1)->start), work_m, 1);
    switched(&r, false);
    go(&r, 30, 60);
    assert_true(nowhere(last(&r, SEGMENT_TRIP)->start));
    NEAR(north(last(&r, SEGMENT_TRIP)->end), r.car.north_m, 1);
    drive_done(&r.car.d);
}

static void a_private_trip_by_gps_speed_alone_still_counts_kilometres(void **state)
{
    struct ride r = {.car = car_new()};
    const struct segment *trip;

    (void)state;
    r.car.obd = false;
    go(&r, 120, 0);
    switched(&r, true);
    go(&r, 5, 0);
    go(&r, 120, 60);
    go(&r, 300, 0);
    trip = last(&r, SEGMENT_TRIP);
    assert_non_null(trip);
    NEAR(trip->sum.distance_m, 2000, 40);
    assert_true(nowhere(trip->start) && nowhere(trip->end));
    assert_true(nowhere(last(&r, SEGMENT_STOP)->start));
    drive_done(&r.car.d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(switches_in_order_make_a_span_and_older_ones_are_refused),
        cmocka_unit_test(an_open_trip_has_no_end_while_private_and_goes_on_counting),
        cmocka_unit_test(where_a_private_trip_ended_is_not_told_by_the_fixes_that_follow),
        cmocka_unit_test(
            a_stop_that_began_in_public_keeps_its_place_and_the_trip_from_there_tells_none),
        cmocka_unit_test(a_private_trip_by_gps_speed_alone_still_counts_kilometres),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
