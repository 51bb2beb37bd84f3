/* The known answers hold for drives of which a car tells only what its dead bands let through. */
#include "vehicle/deadband.h"

#define sample capture_sample /* a recording's; proto/telemetry.h has another */
#include "services/ingest/facts/fuel.h"
#include "services/ingest/facts/overspeed.h"
#include "tests/unit/ingest/watch.h"
#undef sample

static struct segment rows[ROWS_MAX];

static uint16_t signal_of(enum moment_value value)
{
    static struct moment_map map;

    moment_map_init(&map);
    for (uint16_t id = 1; id <= signal_count(); id++)
        if (map.value_of[id] == (uint8_t)value)
            return id;
    fail_msg("value %d is no signal", value);
    return SIGNAL_NONE;
}

/* What is left of a drive; returns the share of readings that is. */
static double thin(struct drive *d)
{
    static struct deadband bands;
    struct moment_map map;
    size_t before = 0, after = 0, kept = 0;

    moment_map_init(&map);
    deadband_init(&bands);
    for (size_t i = 0; i < d->n; i++) {
        struct reading r[MOMENT_VALUES];
        struct moment m = d->at[i];
        size_t n = 0;

        for (int v = 0; v < MOMENT_VALUES; v++)
            if (isfinite(m.v[v])) {
                uint16_t signal = signal_of((enum moment_value)v);

                r[n++] = (struct reading){signal, signal_round(signal, m.v[v])};
            }
        before += n;
        n = deadband_pass(&bands, m.t_ms, r, n);
        after += n;
        if (n == 0)
            continue;
        moment_init(&d->at[kept], m.t_ms);
        for (size_t k = 0; k < n; k++)
            moment_take(&d->at[kept], &map, &r[k], 1);
        d->limit[kept++] = d->limit[i];
    }
    d->n = kept;
    return (double)after / (double)before;
}

static size_t run(struct drive *d, const struct trip_settings *set)
{
    static struct watch w;
    size_t n;

    w = (struct watch){0};
    n = watch_drive(&w, d, set, rows);
    drive_done(d);
    return n;
}

static void b08_is_still_two_trips_and_one_stop_of_272_seconds(void **state)
{
    struct drive d = drive_b08();
    const struct segment *first, *second, *stop;
    size_t n;

    (void)state;
    assert_true(thin(&d) < 0.95);
    n = run(&d, &trip_defaults);
    first = nth(rows, n, SEGMENT_TRIP, 0);
    second = nth(rows, n, SEGMENT_TRIP, 1);
    stop = nth(rows, n, SEGMENT_STOP, 1);
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 2);
    assert_int_equal(count(rows, n, SEGMENT_GAP), 0);
    NEAR((double)(stop->end_ms - stop->start_ms) / 1000, 272, 3);
    assert_int_equal((second->end_ms - MONDAY) / SECOND, 1836);
    NEAR((first->sum.distance_m + second->sum.distance_m) / 1000, 6.9, 0.05);
    NEAR(first->sum.max_kmh, 49.41, 0.01 + 0.05); /* speeds keep one decimal */
}

static void b08_still_has_two_overspeeds(void **state)
{
    struct overspeed o = {0};
    struct overspeed_episode last = {0};
    struct drive d = drive_b08();
    int n = 0;

    (void)state;
    (void)thin(&d);
    for (size_t i = 0; i < d.n; i++)
        if (overspeed_step(&o, &overspeed_defaults, d.at[i].t_ms, d.at[i].v[MOMENT_SPEED],
                           d.limit[i]) == OVERSPEED_ENDED) {
            last = o.ended;
            n++;
        }
    drive_done(&d);
    assert_int_equal(n, 2);
    NEAR(last.peak_kmh, 42.5, 0.06);
}

static void the_caliber_still_drove_34_52_km_on_2_957_litres(void **state)
{
    struct trip_settings set = trip_defaults;
    struct drive d = drive_caliber();
    const struct segment *trip;
    size_t n;

    (void)state;
    set.fuel.kind = FUEL_PETROL;
    set.fuel.displacement_l = 1.798;
    assert_true(thin(&d) < 1);
    n = run(&d, &set);
    assert_int_equal(count(rows, n, SEGMENT_TRIP), 1);
    trip = nth(rows, n, SEGMENT_TRIP, 0);
    NEAR(trip->sum.distance_m, 34520, 34520 * 0.02);
    NEAR(fuel_litres(&trip->sum.fuel), 2.957, 2.957 * 0.01);
    assert_true(fuel_coverage(&trip->sum.fuel) > 0.95);
}

/* A car that stands with its engine on, then drives, refuels nothing and parks. */
static void idling_and_stops_are_where_they_were(void **state)
{
    size_t n[2];
    int64_t idle[2], arrival[2];

    (void)state;
    for (int thinned = 0; thinned < 2; thinned++) {
        struct car c = car_new();

        c.noise_m = 0.3;
        car_stand(&c, 240);
        c.kmh = 50;
        car_go(&c, 300, 50);
        car_stand(&c, 400);
        if (thinned)
            assert_true(thin(&c.d) < 0.9);
        n[thinned] = run(&c.d, &trip_defaults);
        idle[thinned] = nth(rows, n[thinned], SEGMENT_IDLE, 0)->start_ms;
        arrival[thinned] = nth(rows, n[thinned], SEGMENT_TRIP, 0)->end_ms;
    }
    assert_int_equal(n[0], n[1]);
    assert_int_equal(idle[0], idle[1]);
    assert_int_equal(arrival[0], arrival[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(b08_is_still_two_trips_and_one_stop_of_272_seconds),
        cmocka_unit_test(b08_still_has_two_overspeeds),
        cmocka_unit_test(the_caliber_still_drove_34_52_km_on_2_957_litres),
        cmocka_unit_test(idling_and_stops_are_where_they_were),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
