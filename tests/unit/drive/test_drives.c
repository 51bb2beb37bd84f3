/* tests/unit/drive/test_drives.c - the recorded drives, with their known answers. */
#include "capture.h"

#include "lib/drive/crash.h"
#include "lib/drive/engine.h"
#include "lib/drive/fix.h"
#include "lib/drive/geo.h"
#include "lib/drive/harsh.h"
#include "lib/drive/heat.h"
#include "lib/drive/idle.h"
#include "lib/drive/meter.h"
#include "lib/drive/motion.h"

#define EVENTS_MAX 64
struct found {
    struct harsh_event event[EVENTS_MAX + HARSH_KINDS];
    size_t n;
    double slope_g; /* steepest of all, either way */
};

static void feed(struct found *f, struct harsh *h, int64_t t_ms, double kmh)
{
    double slope_g;

    f->n += harsh_speed(h, &harsh_car, t_ms, SPEED_OBD, kmh, &f->event[f->n]);
    slope_g =
        fabs(readings_slope_g(&h->readings, harsh_car.span_min_ms, harsh_car.span_max_ms, NULL));
    if (slope_g > f->slope_g)
        f->slope_g = slope_g;
    assert_true(f->n < EVENTS_MAX);
}

/* every_ms 0: row by row as recorded, else the value standing at each point of a grid */
static struct found harsh_of(const char *path, int64_t every_ms)
{
    struct capture c = capture_kit(path);
    struct found f = {0};
    struct harsh h = {0};
    int64_t grid_ms = c.at[0].t_ms;

    for (size_t i = 0; i < c.n; i++) {
        if (every_ms == 0)
            feed(&f, &h, c.at[i].t_ms, c.at[i].kmh);
        for (; every_ms > 0 && i > 0 && grid_ms < c.at[i].t_ms; grid_ms += every_ms)
            feed(&f, &h, grid_ms, c.at[i - 1].kmh);
    }
    f.n += harsh_flush(&h, &harsh_car, &f.event[f.n]);
    capture_done(&c);
    return f;
}

static void the_emergency_braking_is_one_event_from_77_kmh(void **state)
{
    struct found f = harsh_of(CAPTURE_BRAKING, 0);
    const struct harsh_event *e = &f.event[0];

    (void)state;
    assert_int_equal(f.n, 1);
    assert_int_equal(e->kind, HARSH_BRAKING);
    assert_int_equal(e->source, HARSH_OBD);
    NEAR(e->speed_before_kmh, 77, 0);
    NEAR(e->peak_g, 0.71, 0.005);
    NEAR(e->slope_g, 0.65, 0.005);
    assert_int_equal(e->band, 3);
    assert_string_equal(harsh_severity(e), "major");
    assert_string_equal(harsh_type(e->kind), "harsh_braking");
    assert_int_equal(e->t_ms, ((7 * 60 + 48) * 60 + 32) * 1000 + 490);
    assert_int_equal(e->duration_ms, 4411);
}

static void the_acceleration_drive_has_no_harsh_event(void **state)
{
    struct found f = harsh_of(CAPTURE_ACCELERATION, 0);

    (void)state;
    assert_int_equal(f.n, 0);
    NEAR(f.slope_g, 0.32, 0.006);
}

static void a_grid_of_a_second_invents_at_most_the_two_that_are_known(void **state)
{
    (void)state;
    assert_in_range(harsh_of(CAPTURE_ACCELERATION, 1000).n, 0, 2);
    assert_int_equal(harsh_of(CAPTURE_BRAKING, 1000).n, 1);
}

/* What an agent does that samples once a second and keeps the time of each answer. */
static size_t sampled_with_own_times(const char *path)
{
    struct capture c = capture_kit(path);
    struct found f = {0};
    struct harsh h = {0};
    int64_t own_ms = c.at[0].t_ms, grid_ms = c.at[0].t_ms;

    for (size_t i = 1; i < c.n; i++) {
        for (; grid_ms < c.at[i].t_ms; grid_ms += 1000)
            feed(&f, &h, own_ms, c.at[i - 1].kmh);
        if (c.at[i].kmh != c.at[i - 1].kmh)
            own_ms = c.at[i].t_ms;
    }
    f.n += harsh_flush(&h, &harsh_car, &f.event[f.n]);
    capture_done(&c);
    return f.n;
}

static void a_sample_a_second_with_the_time_of_its_answer_invents_none(void **state)
{
    (void)state;
    assert_int_equal(sampled_with_own_times(CAPTURE_ACCELERATION), 0);
    assert_int_equal(sampled_with_own_times(CAPTURE_BRAKING), 1);
}

static void the_emergency_braking_is_no_crash(void **state)
{
    struct capture c = capture_kit(CAPTURE_BRAKING);
    struct crash crash = {0};

    (void)state;
    for (size_t i = 0; i < c.n; i++) {
        struct crash_input in = {.t_ms = c.at[i].t_ms, .source = SPEED_OBD, .kmh = c.at[i].kmh};

        in.running = c.at[i].rpm >= 300 ? KNOWN_YES : KNOWN_NO;
        assert_int_equal(crash_step(&crash, &crash_defaults, &in), CRASH_NONE);
    }
    capture_done(&c);
}

static void the_gps_drive_has_no_harsh_event_and_no_corner(void **state)
{
    struct capture c = capture_b08();
    struct fix_filter filter = {0};
    struct harsh h = {0};
    struct harsh_event out[HARSH_KINDS];
    double steepest_g = 0;
    size_t events = 0, good = 0;

    (void)state;
    for (size_t i = 0; i < c.n; i++) {
        const struct sample *s = &c.at[i];
        struct fix fix = {s->t_ms, s->lat, s->lon, NOT_MEASURED, s->gps_kmh, s->heading};
        double g;

        if (fix_step(&filter, &fix_defaults, &fix) != FIX_GOOD)
            continue;
        good++;
        events += harsh_fix(&h, &harsh_car, &fix, out);
        g = fabs(readings_slope_g(&h.readings, 1500, 2500, NULL));
        steepest_g = g > steepest_g ? g : steepest_g;
    }
    events += harsh_flush(&h, &harsh_car, out);
    assert_int_equal(events, 0);
    assert_in_range(good, 2250, 2256);
    NEAR(steepest_g, 0.24, 0.006);
    capture_done(&c);
}

static void the_stop_start_is_neither_ignition_off_nor_idle(void **state)
{
    struct capture c = capture_kit(CAPTURE_ACCELERATION);
    int64_t from_ms = ((18 * 60 + 10) * 60 + 28) * 1000 + 800, to_ms = from_ms + 3000;
    struct engine e = {0};
    struct motion m = {0};
    struct idle idle = {0};
    unsigned facts = 0, all = 0;
    int idles = 0, ended_in_it = 0;

    (void)state;
    for (size_t i = 0; i < c.n; i++) {
        const struct sample *s = &c.at[i];
        struct engine_input in = {s->t_ms, s->rpm, true, true, NOT_MEASURED, KNOWN_NOT};
        struct idle_input lazy = {s->t_ms,   KNOWN_NOT,    MOTION_UNKNOWN,
                                  KNOWN_NOT, NOT_MEASURED, false};
        unsigned fact = engine_step(&e, &engine_defaults, &in);
        bool inside = s->t_ms >= from_ms && s->t_ms <= to_ms;
        enum idle_fact idle_fact;

        motion_step(&m, &motion_defaults, s->t_ms, speed_choose(s->kmh, NOT_MEASURED, NOT_MEASURED),
                    e.ignition == KNOWN_NO);
        lazy.running = e.running;
        lazy.motion = m.state;
        idle_fact = idle_step(&idle, &idle_defaults, &lazy);
        idles += idle_fact == IDLE_BEGAN;
        ended_in_it += inside && idle_fact != IDLE_NONE;
        if (inside) {
            facts |= fact;
            assert_int_equal(e.ignition, KNOWN_YES);
            if (e.running == KNOWN_NO)
                assert_int_equal(idle.now.since_ms, 0);
        }
        all |= fact;
    }
    assert_int_equal(facts, ENGINE_STOPPED | ENGINE_STARTED);
    assert_int_equal(all & IGNITION_OFF, 0);
    assert_int_equal(ended_in_it, 0);
    assert_int_equal(idles, 0);
    capture_done(&c);
}

static void no_recorded_drive_overheats(void **state)
{
    const char *const path[] = {CAPTURE_BRAKING, CAPTURE_ACCELERATION};

    (void)state;
    for (int f = 0; f < 2; f++) {
        struct capture c = capture_kit(path[f]);
        struct heat h = {0};

        for (size_t i = 0; i < c.n; i++)
            assert_int_equal(heat_step(&h, &heat_defaults, c.at[i].t_ms, c.at[i].coolant),
                             HEAT_NONE);
        assert_false(h.doubted);
        capture_done(&c);
    }
}

static double metres(const struct capture *c, bool fixes, bool speeds, double *coverage)
{
    struct fix_filter filter = {0};
    struct motion m = {0};
    struct meter meter = {0};
    double last_m = 0;

    for (size_t i = 0; i < c->n; i++) {
        const struct sample *s = &c->at[i];
        struct fix fix = {s->t_ms, s->lat, s->lon, NOT_MEASURED, s->gps_kmh, s->heading};
        struct speed v = speed_choose(s->kmh, s->gps_kmh, NOT_MEASURED);
        struct meter_input in = {.t_ms = s->t_ms, .kmh = speeds ? v.kmh : NOT_MEASURED};

        if (fixes && fix_step(&filter, &fix_defaults, &fix) == FIX_GOOD)
            in.good = &fix;
        motion_step(&m, &motion_defaults, s->t_ms, v, false);
        in.moving = m.state == MOTION_MOVING;
        in.leaving = !in.moving && m.going > 0;
        meter_step(&meter, &meter_defaults, &in);
        assert_true(meter_distance_m(&meter, &meter_defaults) >= last_m);
        last_m = meter_distance_m(&meter, &meter_defaults);
    }
    *coverage = meter_coverage(&meter);
    return last_m;
}

static void the_caliber_drove_34_5_km_by_fixes_and_34_1_by_speed(void **state)
{
    struct capture c = capture_caliber();
    double coverage;

    (void)state;
    assert_int_equal(c.n, 269);
    NEAR(metres(&c, true, true, &coverage), 34518, 35);
    NEAR(coverage, 1, 0.02);
    NEAR(metres(&c, false, true, &coverage), 34064, 40);
    capture_done(&c);
}

static void the_gps_drive_is_6_9_km_without_the_jitter_of_standing(void **state)
{
    struct capture c = capture_b08();
    double coverage, every_fix_m = 0;

    (void)state;
    for (size_t i = 1; i < c.n; i++)
        every_fix_m += geo_distance_m(c.at[i - 1].lat, c.at[i - 1].lon, c.at[i].lat, c.at[i].lon);
    NEAR(every_fix_m, 7370, 10);
    NEAR(metres(&c, true, true, &coverage), 6900, 80);
    capture_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_emergency_braking_is_one_event_from_77_kmh),
        cmocka_unit_test(the_acceleration_drive_has_no_harsh_event),
        cmocka_unit_test(a_grid_of_a_second_invents_at_most_the_two_that_are_known),
        cmocka_unit_test(a_sample_a_second_with_the_time_of_its_answer_invents_none),
        cmocka_unit_test(the_emergency_braking_is_no_crash),
        cmocka_unit_test(the_gps_drive_has_no_harsh_event_and_no_corner),
        cmocka_unit_test(the_stop_start_is_neither_ignition_off_nor_idle),
        cmocka_unit_test(no_recorded_drive_overheats),
        cmocka_unit_test(the_caliber_drove_34_5_km_by_fixes_and_34_1_by_speed),
        cmocka_unit_test(the_gps_drive_is_6_9_km_without_the_jitter_of_standing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
