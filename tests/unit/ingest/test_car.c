/* One vehicle's facts: the same whether they were stepped in one go or packed away in between. */
#define car driven_car /* the drives have these words for what they are made of, too */
#define sample driven_sample
#include "tests/unit/ingest/drives.h"
#undef car
#undef sample

#include "proto/signals.h"
#include "services/ingest/car/car.h"
#include "services/ingest/car/pack.h"

static struct moment_map map;

static uint16_t signal_of(const char *path)
{
    uint16_t id = signal_find(path, strlen(path));

    assert_int_not_equal(id, SIGNAL_NONE);
    return id;
}

static void step(struct car *c, const struct car_settings *set, const struct moment *m,
                 struct car_out *out)
{
    struct reading r[5];
    size_t n = 0;

    if (isfinite(m->v[MOMENT_SPEED]))
        r[n++] = (struct reading){SIGNAL_SPEED, m->v[MOMENT_SPEED]};
    if (isfinite(m->v[MOMENT_LAT])) {
        r[n++] = (struct reading){SIGNAL_LATITUDE, m->v[MOMENT_LAT]};
        r[n++] = (struct reading){SIGNAL_LONGITUDE, m->v[MOMENT_LON]};
    }
    if (isfinite(m->v[MOMENT_HEADING]))
        r[n++] = (struct reading){SIGNAL_HEADING, m->v[MOMENT_HEADING]};
    car_step(c, set, &map, m->t_ms, r, n, out);
}

static struct car_settings settings(void)
{
    return (struct car_settings){.trip = trip_defaults,
                                 .detect = {.here = true, .harsh = &harsh_car},
                                 .limits = {40, NOT_MEASURED}};
}

static void packing_a_state_away_after_every_sample_changes_nothing(void **state)
{
    struct drive d = drive_b08();
    struct car_settings set = settings();
    static struct car whole, parts;
    struct car_out one = {0}, other = {0};
    struct text packed;

    (void)state;
    text_init(&packed);
    for (size_t i = 0; i < d.n; i++) {
        step(&whole, &set, &d.at[i], &one);
        step(&parts, &set, &d.at[i], &other);
        text_clear(&packed);
        pack_add(&packed, &parts, sizeof parts);
        memset(&parts, 0xa5, sizeof parts);
        assert_true(pack_read(&parts, sizeof parts, packed.bytes, packed.len));
        assert_true(packed.len < 6000);
    }
    assert_true(one.rows_n >= 3 && one.found_n >= 1);
    assert_int_equal(one.rows_n, other.rows_n);
    for (size_t i = 0; i < one.rows_n; i++) {
        assert_int_equal(one.rows[i].start_ms, other.rows[i].start_ms);
        assert_int_equal(one.rows[i].end_ms, other.rows[i].end_ms);
        assert_true(one.rows[i].sum.distance_m == other.rows[i].sum.distance_m);
    }
    assert_int_equal(one.found_n, other.found_n);
    for (size_t i = 0; i < one.found_n; i++) {
        assert_string_equal(one.found[i].type, other.found[i].type);
        assert_string_equal(one.found[i].data, other.found[i].data);
        assert_int_equal(one.found[i].occurred_ms, other.found[i].occurred_ms);
    }
    text_done(&packed);
    car_out_done(&one);
    car_out_done(&other);
    drive_done(&d);
}

/* 40 allowed, 60 driven for so long, fixes each `step` seconds, the first of them at `from`. */
static void overspeed_begins_where(int seconds, int step_s, int from_s)
{
    struct driven_car d = car_new();
    struct car_settings set = settings();
    static struct car c;
    struct car_out out = {0};
    int told = 0;

    memset(&c, 0, sizeof c);
    d.obd = d.told = false;
    car_go(&d, 100, 30);
    car_go(&d, seconds, 60);
    car_go(&d, 60, 30);
    for (int i = from_s; i < (int)d.d.n; i++) {
        if (i % step_s != 0)
            d.d.at[i].v[MOMENT_LAT] = NOT_MEASURED;
        step(&c, &set, &d.d.at[i], &out);
    }
    for (size_t i = 0; i < out.found_n; i++) {
        const struct found *f = &out.found[i];

        if (strcmp(f->type, "overspeed") != 0 || !(f->parts & FOUND_EVENT))
            continue;
        NEAR(f->lat, 48.5 + 30 / 3.6 * 100 * METRE_DEGREES,
             (step_s * 17 / 2.0 + 12) * METRE_DEGREES);
        told++;
    }
    assert_int_equal(told, 2); /* as it begins to count, and when it is over */
    car_out_done(&out);
    drive_done(&d.d);
}

static void an_overspeed_however_long_tells_where_it_began(void **state)
{
    (void)state;
    overspeed_begins_where(20, 1, 0);
    overspeed_begins_where(200, 1, 0);
    overspeed_begins_where(200, 1, 37);
    overspeed_begins_where(2000, 20, 0);
}

static void a_sample_that_is_not_after_the_last_has_no_effect(void **state)
{
    struct car_settings set = settings();
    struct reading speed = {SIGNAL_SPEED, 50};
    static struct car c, before;
    struct car_out out = {0};

    (void)state;
    car_step(&c, &set, &map, 5000, &speed, 1, &out);
    before = c;
    speed.value = 70;
    car_step(&c, &set, &map, 5000, &speed, 1, &out);
    car_step(&c, &set, &map, 4000, &speed, 1, &out);
    assert_memory_equal(&before, &c, sizeof c);
    assert_int_equal(car_t_ms(&c), 5000);
    car_out_done(&out);
}

/* A fix every 10 s and a corner between two of them, 50 s after the last: the way by the speed,
 * which was shown until then, is longer than the line that it becomes. */
static void a_meter_adds_no_metre_twice_where_a_corner_is_cut(void **state)
{
    struct car_settings set = settings();
    static struct car c;
    struct car_out out = {0};
    double north_m = 0, east_m = 0;

    (void)state;
    for (int s = 0; s <= 1200; s++) {
        struct reading r[] = {
            {SIGNAL_SPEED, 36},
            {SIGNAL_ENGINE_SPEED, 2000},
            {SIGNAL_LATITUDE, 48.5 + north_m / 111195.08},
            {SIGNAL_LONGITUDE, 7.7 + east_m / 111195.08 / cos(48.5 * M_PI / 180)}};

        car_step(&c, &set, &map, 1000000 + 1000 * (int64_t)s, r, s % 10 ? 2 : 4, &out);
        *((s + 25) / 50 % 2 ? &north_m : &east_m) += 10;
    }
    NEAR(c.odometer.computed_m, c.trip.metered_m, 100);
    assert_in_range((int64_t)c.odometer.computed_m, 10500, 12000);
    car_out_done(&out);
}

static void what_is_known_to_be_open_ends_though_the_state_is_another(void **state)
{
    struct car_settings set = settings();
    struct reading r[] = {{signal_of("Vehicle.LowVoltageBattery.CurrentVoltage"), 14.2},
                          {SIGNAL_ENGINE_SPEED, 2000}};
    static struct car c, lost;
    struct car_out out = {0};

    (void)state;
    car_lose(&lost, 1500);
    assert_int_equal(car_t_ms(&lost), 1500);
    assert_true(lost.lost_ms == 1500 && lost.wait_from_ms == 1);
    detect_told(&lost.detect, "low_battery", "low", 1000);
    detect_told(&lost.detect, "power_cut", "", 1000);
    detect_told(&lost.detect, "overheating", "", 1000);
    set.detect.here = false;
    car_step(&c, &set, &map, 1500, r, 2, &out);
    detect_remember(&c.detect, &lost.detect);
    assert_int_equal(c.detect.heat.open, HEAT_MAJOR);
    for (int64_t t_ms = 2000; t_ms < 400000; t_ms += 1000)
        car_step(&c, &set, &map, t_ms, r, 2, &out);
    assert_int_equal(out.found_n, 2);
    assert_string_equal(out.found[0].type, "power_cut");
    assert_string_equal(out.found[1].type, "low_battery");
    assert_int_equal(out.found[1].parts, FOUND_END);
    car_out_done(&out);
}

static void a_battery_the_car_said_is_low_is_over_when_it_charges(void **state)
{
    struct car_settings set = settings();
    struct reading r[] = {{signal_of("Vehicle.LowVoltageBattery.CurrentVoltage"), 14.2},
                          {SIGNAL_ENGINE_SPEED, 2000}};
    static struct car c;
    struct car_out out = {0};

    (void)state;
    set.detect.here = false;
    detect_told(&c.detect, "low_battery", "low", 1000);
    for (int64_t t_ms = 2000; t_ms < 400000; t_ms += 1000)
        car_step(&c, &set, &map, t_ms, r, 2, &out);
    assert_int_equal(out.found_n, 1);
    assert_int_equal(out.found[0].parts, FOUND_END);
    assert_string_equal(out.found[0].type, "low_battery");
    assert_string_equal(out.found[0].subject, "low");
    car_out_done(&out);
}

/* What was looked up for the first sample of a record holds for all of it, private mode or not. */
static void samples_alike_are_stepped_as_any_are(void **state)
{
    struct drive d = drive_b08();
    struct car_settings set = settings();
    static struct car one, other;
    struct car_out out = {0}, same = {0};
    struct moment_places places;
    struct moment m;

    (void)state;
    moment_init(&m, 0);
    for (size_t i = 0; i < d.n; i++) {
        struct reading r[] = {{SIGNAL_SPEED, d.at[i].v[MOMENT_SPEED]},
                              {SIGNAL_LATITUDE, d.at[i].v[MOMENT_LAT]},
                              {SIGNAL_LONGITUDE, d.at[i].v[MOMENT_LON]},
                              {SIGNAL_ALTITUDE, 140},
                              {SIGNAL_HEADING, d.at[i].v[MOMENT_HEADING]}};

        if (i == 0)
            moment_places_init(&places, &map, r, 5);
        if (i == d.n / 3 || i == d.n / 2) {
            assert_true(privacy_switch(&one.trip.privacy, d.at[i].t_ms, i == d.n / 3));
            assert_true(privacy_switch(&other.trip.privacy, d.at[i].t_ms, i == d.n / 3));
        }
        car_step(&one, &set, &map, d.at[i].t_ms, r, 5, &out);
        moment_take_alike(&m, &places, d.at[i].t_ms, r);
        car_step_moment(&other, &set, &m, r, 5, &same);
    }
    assert_memory_equal(&one, &other, sizeof one);
    assert_true(out.rows_n >= 3);
    assert_int_equal(out.rows_n, same.rows_n);
    assert_int_equal(out.found_n, same.found_n);
    car_out_done(&out);
    car_out_done(&same);
    drive_done(&d);
}

/* Whoever sends its place all the same: nobody is told of it. */
static void private_mode_has_no_place_and_no_zone(void **state)
{
    struct car_settings set = settings();
    struct zone_point centre = {48.5, 7.7};
    struct fence fence = {.id = "0197f3c2-5f0e-7abc-8def-0123456789ab",
                          .version = 1,
                          .limit_kmh = (double)NAN,
                          .set = geofence_defaults};
    const struct fence *all[] = {&fence};
    struct car_out out = {0};

    (void)state;
    fence.zone = (struct zone){.kind = ZONE_CIRCLE, .radius_m = 200, .points = &centre, .n = 1};
    assert_int_equal(zone_init(&fence.zone, &zone_defaults, NULL), ST_OK);
    fence_complete(&fence);
    set.fences = (struct fence_list){all, 1, 7};
    for (int private = 0; private < 2; private ++) {
        static struct car c;
        double lat, lon;
        int64_t off_ms;
        int zones = 0;

        memset(&c, 0, sizeof c);
        car_out_clear(&out);
        if (private)
            assert_true(privacy_switch(&c.trip.privacy, 60000, true));
        for (int64_t t_ms = 1000; t_ms < 120000; t_ms += 1000) {
            struct reading r[] = {
                {SIGNAL_SPEED, 72},
                {SIGNAL_LATITUDE, 48.5 + (0.02 * (double)t_ms - 1600) / 111195.0802},
                {SIGNAL_LONGITUDE, 7.7},
                {signal_of("Vehicle.CurrentLocation.HorizontalAccuracy"), 4}};

            car_step(&c, &set, &map, t_ms, r, 4, &out);
        }
        for (size_t i = 0; i < out.found_n; i++)
            zones += !strncmp(out.found[i].type, "geofence", 8);
        assert_int_equal(zones, private ? 0 : 2); /* in and out, at 70 and 90 s */
        assert_int_equal(c.fences.t_ms, private ? 59000 : 119000);
        assert_int_equal(car_place(&c, 100000, &lat, &lon, &off_ms), !private);
    }
    car_out_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packing_a_state_away_after_every_sample_changes_nothing),
        cmocka_unit_test(an_overspeed_however_long_tells_where_it_began),
        cmocka_unit_test(a_sample_that_is_not_after_the_last_has_no_effect),
        cmocka_unit_test(a_meter_adds_no_metre_twice_where_a_corner_is_cut),
        cmocka_unit_test(what_is_known_to_be_open_ends_though_the_state_is_another),
        cmocka_unit_test(a_battery_the_car_said_is_low_is_over_when_it_charges),
        cmocka_unit_test(samples_alike_are_stepped_as_any_are),
        cmocka_unit_test(private_mode_has_no_place_and_no_zone),
    };

    moment_map_init(&map);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
