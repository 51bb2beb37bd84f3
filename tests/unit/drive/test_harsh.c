/* tests/unit/drive/test_harsh.c - manoeuvres from speeds, fixes and an inertial sensor. */
#include "capture.h"

#include "lib/drive/harsh.h"

struct told {
    struct harsh_event event[16];
    size_t n;
};

static void speed(struct harsh *h, struct told *f, int64_t t_ms, enum speed_source source,
                  double kmh)
{
    f->n += harsh_speed(h, &harsh_car, t_ms, source, kmh, &f->event[f->n]);
    assert_true(f->n < 12);
}

/* From `kmh` on with a steady `g` for `ms`, a reading every second; returns the speed reached. */
static double drive(struct harsh *h, struct told *f, int64_t *t_ms, double kmh, double g,
                    int64_t ms)
{
    for (int64_t end_ms = *t_ms + ms; *t_ms < end_ms;) {
        *t_ms += 1000;
        kmh = fmax(0, kmh + g * DRIVE_G_KMH_S);
        speed(h, f, *t_ms, SPEED_OBD, kmh);
    }
    return kmh;
}

static struct told brake(double g, double from_kmh)
{
    struct told f = {0};
    struct harsh h = {0};
    int64_t t_ms = 1000;
    double kmh = drive(&h, &f, &t_ms, from_kmh, 0, 5000);

    kmh = drive(&h, &f, &t_ms, kmh, g, 4000);
    drive(&h, &f, &t_ms, kmh, 0, 10000);
    return f;
}

static void each_threshold_is_met_exactly_and_not_a_hair_below(void **state)
{
    (void)state;
    assert_int_equal(brake(-0.401, 90).n, 1);
    assert_int_equal(brake(-0.399, 90).n, 0);
    assert_int_equal(brake(0.351, 30).n, 1);
    assert_int_equal(brake(0.349, 30).n, 0);
    assert_int_equal(brake(0.351, 30).event[0].kind, HARSH_ACCELERATION);
}

static void bands_are_1_and_1_25_and_1_6_thresholds(void **state)
{
    (void)state;
    assert_int_equal(brake(-0.499, 120).event[0].band, 1);
    assert_int_equal(brake(-0.501, 120).event[0].band, 2);
    assert_int_equal(brake(-0.639, 120).event[0].band, 2);
    assert_int_equal(brake(-0.641, 120).event[0].band, 3);
    assert_string_equal(harsh_severity(&brake(-0.41, 120).event[0]), "minor");
    assert_string_equal(harsh_severity(&brake(-0.51, 120).event[0]), "major");
}

static void braking_from_below_10_and_accelerating_to_below_10_are_none(void **state)
{
    struct harsh h = {0};
    struct told f = {0};

    (void)state;
    assert_int_equal(brake(-0.6, 9.9).n, 0);
    for (int i = 0; i < 3; i++) /* 0, 3, 6, 9 every 800 ms would be 0.1 g; make it short and hard */
        speed(&h, &f, 1000 + i * 800, SPEED_OBD, i * 4.9);
    assert_int_equal(harsh_flush(&h, &harsh_car, f.event), 0);
}

static void more_than_1_2_g_from_a_speed_is_a_glitch(void **state)
{
    struct harsh h = {0};
    struct told f = {0};
    int64_t t_ms = 1000;
    double kmh = drive(&h, &f, &t_ms, 80, 0, 5000);

    (void)state;
    speed(&h, &f, t_ms += 1000, SPEED_OBD, 0); /* one dropout */
    kmh = drive(&h, &f, &t_ms, kmh, 0, 10000);
    speed(&h, &f, t_ms += 1000, SPEED_OBD, 255);
    speed(&h, &f, t_ms + 90, SPEED_OBD, 255); /* carried */
    drive(&h, &f, &t_ms, kmh, 0, 10000);
    assert_int_equal(f.n + harsh_flush(&h, &harsh_car, f.event), 0);
}

static void after_a_doubted_step_two_readings_that_agree_begin_anew(void **state)
{
    struct harsh h = {0};
    struct told f = {0};
    int64_t t_ms = 1000;

    (void)state;
    drive(&h, &f, &t_ms, 120, 0, 5000);
    drive(&h, &f, &t_ms, 20, 0, 5000); /* 100 km/h less in a second */
    assert_int_equal(f.n, 0);
    NEAR(h.speed_kmh, 20, 0);
}

static void the_same_kind_within_2_s_joins_and_later_does_not(void **state)
{
    (void)state;
    for (int64_t pause_ms = 1000; pause_ms <= 8000; pause_ms += 1000) {
        struct harsh h = {0};
        struct told f = {0};
        int64_t t_ms = 1000;
        double kmh = drive(&h, &f, &t_ms, 200, 0, 3000);

        kmh = drive(&h, &f, &t_ms, kmh, -0.5, 3000);
        kmh = drive(&h, &f, &t_ms, kmh, 0, pause_ms);
        kmh = drive(&h, &f, &t_ms, kmh, -0.5, 3000);
        drive(&h, &f, &t_ms, kmh, 0, 8000);
        assert_int_equal(f.n, pause_ms <= 2000 ? 1 : 2);
    }
}

static void it_goes_on_above_0_83_of_the_threshold(void **state)
{
    struct harsh h = {0};
    struct told f = {0};
    int64_t t_ms = 1000;
    double kmh = drive(&h, &f, &t_ms, 200, 0, 3000);

    (void)state;
    kmh = drive(&h, &f, &t_ms, kmh, -0.45, 3000);
    kmh = drive(&h, &f, &t_ms, kmh, -0.34, 6000); /* 0.83 x 0.40 = 0.332 */
    drive(&h, &f, &t_ms, kmh, -0.33, 8000);
    assert_int_equal(f.n, 1);
    assert_in_range(f.event[0].duration_ms, 9000, 11000);
    NEAR(f.event[0].peak_g, 0.45, 0.001);
}

static void an_event_is_told_when_nothing_can_join_it_and_time_alone_is_enough(void **state)
{
    struct harsh h = {0};
    struct told f = {0};
    int64_t t_ms = 1000;
    double kmh = drive(&h, &f, &t_ms, 120, 0, 3000);

    (void)state;
    drive(&h, &f, &t_ms, kmh, -0.5, 3000);
    assert_int_equal(harsh_pass(&h, &harsh_car, t_ms + 4500, f.event), 0);
    assert_int_equal(harsh_pass(&h, &harsh_car, t_ms + 4501, f.event), 1);
    assert_int_equal(harsh_pass(&h, &harsh_car, t_ms + 9000, f.event), 0);
    NEAR(f.event[0].speed_before_kmh, 120, 0.01);
}

static void gps_has_no_say_while_obd_speaks_and_sources_never_mix(void **state)
{
    struct harsh h = {0};
    struct told f = {0};

    (void)state;
    for (int64_t i = 0; i < 20; i++) { /* OBD says 80 steadily, GPS falls */
        speed(&h, &f, 1000 + i * 1000, SPEED_OBD, 80);
        speed(&h, &f, 1500 + i * 1000, SPEED_GPS, 100 - i * 20 > 0 ? (double)(100 - i * 20) : 0);
    }
    assert_int_equal(f.n + harsh_flush(&h, &harsh_car, f.event), 0);
    for (int64_t i = 0; i < 30; i++) /* OBD silent: after 10 s GPS counts */
        speed(&h, &f, 22000 + i * 1000, SPEED_GPS,
              i < 14 ? 100 : fmax(0, 100 - (double)(i - 14) * 20));
    assert_int_equal(f.n, 1);
    assert_int_equal(f.event[0].source, HARSH_GPS);
}

static void slow_polling_measures_nothing(void **state)
{
    struct harsh h = {0};
    struct told f = {0};

    (void)state;
    for (int64_t i = 0; i < 20; i++)
        speed(&h, &f, 1000 + i * 1300, SPEED_OBD, fmax(0, 200 - (double)i * 25));
    assert_int_equal(f.n + harsh_flush(&h, &harsh_car, f.event), 0);
}

/* A bend of `degrees` a second at `kmh`. */
static size_t corner(double kmh, double degrees, struct harsh_event *out)
{
    struct harsh h = {0};
    struct harsh_event event[HARSH_KINDS];
    double heading = 300;
    size_t n = 0;

    for (int64_t i = 0; i < 20; i++) {
        struct fix fix = {1000 + i * 1000, 48.5, 7.7, 3, kmh, heading};
        size_t now = harsh_fix(&h, &harsh_car, &fix, event);

        if (now > 0)
            *out = event[0];
        n += now;
        heading = fmod(heading + (i >= 5 && i < 12 ? degrees : 0) + 360, 360);
    }
    return n;
}

static void a_corner_is_speed_times_heading_rate_through_north_too(void **state)
{
    struct harsh_event e = {0};
    double per_g = 0.45 * DRIVE_G_MS2 / (54 / 3.6) * 180 / 3.14159265358979323846;

    (void)state;
    assert_int_equal(corner(54, per_g * 1.01, &e), 1);
    assert_int_equal(e.kind, HARSH_CORNERING);
    NEAR(e.peak_g, 0.4545, 0.001);
    assert_int_equal(corner(54, -per_g * 1.01, &e), 1);
    assert_int_equal(corner(54, per_g * 0.99, &e), 0);
    assert_int_equal(corner(29.9, per_g * 2, &e), 0);
    assert_int_equal(corner(30, per_g * 2, &e), 1);
    assert_int_equal(corner(100, 90, &e), 0); /* beyond 1.2 g: a receiver that turns on the spot */
}

/* An IMU at `every_ms` that feels `g` for `ms`, at a known speed. */
static size_t feel(double g, int64_t ms, int64_t every_ms, double kmh, bool sideways,
                   struct harsh_event *out)
{
    struct harsh h = {0};
    struct harsh_event event[HARSH_KINDS];
    size_t n = 0;

    (void)harsh_speed(&h, &harsh_car, 9000, SPEED_OBD, kmh, event);
    for (int64_t t = 10000; t < 20000; t += every_ms) {
        double a_ms2 = t >= 12000 && t <= 12000 + ms ? g * DRIVE_G_MS2 : 0;
        size_t now;

        if (t % 1000 == 0)
            (void)harsh_speed(&h, &harsh_car, t, SPEED_OBD, kmh, event);
        now = harsh_imu(&h, &harsh_car, t, sideways ? 0 : a_ms2, sideways ? a_ms2 : 0, event);
        if (now > 0)
            *out = event[0];
        n += now;
    }
    return n;
}

static void an_imu_must_feel_it_for_250_ms_at_25_samples_a_second(void **state)
{
    struct harsh_event e = {0};

    (void)state;
    assert_int_equal(feel(-0.41, 250, 10, 50, false, &e), 1);
    assert_int_equal(e.kind, HARSH_BRAKING);
    assert_int_equal(e.source, HARSH_IMU);
    assert_int_equal(e.t_ms, 12000);
    assert_int_equal(e.duration_ms, 250);
    assert_int_equal(e.band, 1);
    assert_int_equal(feel(-0.41, 240, 10, 50, false, &e), 0);
    assert_int_equal(feel(-0.39, 900, 10, 50, false, &e), 0);
    assert_int_equal(feel(-0.41, 900, 40, 50, false, &e), 1);
    assert_int_equal(feel(-0.41, 900, 100, 50, false, &e), 0);
    assert_int_equal(feel(0.36, 300, 10, 50, false, &e), 1);
    assert_int_equal(e.kind, HARSH_ACCELERATION);
    assert_int_equal(feel(-0.65, 300, 10, 50, false, &e), 1);
    assert_int_equal(e.band, 3);
}

static void an_imu_corners_from_15_and_brakes_from_10(void **state)
{
    struct harsh_event e = {0};

    (void)state;
    assert_int_equal(feel(0.5, 400, 20, 15, true, &e), 1);
    assert_int_equal(e.kind, HARSH_CORNERING);
    assert_int_equal(feel(-0.5, 400, 20, 14.9, true, &e), 0);
    assert_int_equal(feel(-0.5, 400, 20, 10, false, &e), 1);
    assert_int_equal(feel(-0.5, 400, 20, 9.9, false, &e), 0);
}

static void what_is_invalid_or_old_has_no_effect(void **state)
{
    struct harsh h = {0}, before;
    struct harsh_event out[HARSH_KINDS];
    struct fix fix = {5000, 48.5, 7.7, 3, NOT_MEASURED, 10};

    (void)state;
    (void)harsh_speed(&h, &harsh_car, 5000, SPEED_OBD, 50, out);
    (void)harsh_imu(&h, &harsh_car, 5000, 0.1, 0, out);
    before = h;
    assert_int_equal(harsh_speed(&h, &harsh_car, 5000, SPEED_OBD, 90, out), 0);
    assert_int_equal(harsh_speed(&h, &harsh_car, 4000, SPEED_OBD, 90, out), 0);
    assert_int_equal(harsh_speed(&h, &harsh_car, 6000, SPEED_OBD, NOT_MEASURED, out), 0);
    assert_int_equal(harsh_speed(&h, &harsh_car, 6000, SPEED_NONE, 50, out), 0);
    assert_int_equal(harsh_speed(&h, &harsh_car, 6000, SPEED_LEG, 50, out), 0);
    assert_int_equal(harsh_fix(&h, &harsh_car, &fix, out), 0);
    assert_int_equal(harsh_imu(&h, &harsh_car, 5000, 9, 0, out), 0);
    assert_int_equal(harsh_imu(&h, &harsh_car, 6000, NOT_MEASURED, 0, out), 0);
    assert_int_equal(harsh_imu(&h, &harsh_car, 6000, 0, (double)INFINITY, out), 0);
    assert_int_equal(harsh_pass(&h, &harsh_car, 5000, out), 0);
    assert_memory_equal(&h, &before, sizeof h);
}

static void any_noise_keeps_every_event_well_formed(void **state)
{
    unsigned seed = 7;

    (void)state;
    for (int drive_n = 0; drive_n < 300; drive_n++) {
        struct harsh h = {0};
        struct harsh_event out[HARSH_KINDS];
        int64_t t_ms = 1000;

        for (int i = 0; i < 300; i++) {
            int step_ms = rand_r(&seed) % 1500 - 100, kmh = rand_r(&seed) % 60;
            size_t n;

            t_ms += step_ms;
            n = rand_r(&seed) % 3 == 0
                    ? harsh_imu(&h, &harsh_heavy, t_ms, kmh - 30, kmh - 20, out)
                    : harsh_speed(&h, &harsh_heavy, t_ms,
                                  rand_r(&seed) % 2 == 0 ? SPEED_OBD : SPEED_GPS, kmh, out);
            assert_true(n <= HARSH_KINDS);
            for (size_t e = 0; e < n; e++) {
                assert_in_range(out[e].band, 1, 3);
                assert_true(out[e].t_ms > 0 && out[e].duration_ms >= 0);
                assert_true(out[e].peak_g > 0);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_threshold_is_met_exactly_and_not_a_hair_below),
        cmocka_unit_test(bands_are_1_and_1_25_and_1_6_thresholds),
        cmocka_unit_test(braking_from_below_10_and_accelerating_to_below_10_are_none),
        cmocka_unit_test(more_than_1_2_g_from_a_speed_is_a_glitch),
        cmocka_unit_test(after_a_doubted_step_two_readings_that_agree_begin_anew),
        cmocka_unit_test(the_same_kind_within_2_s_joins_and_later_does_not),
        cmocka_unit_test(it_goes_on_above_0_83_of_the_threshold),
        cmocka_unit_test(an_event_is_told_when_nothing_can_join_it_and_time_alone_is_enough),
        cmocka_unit_test(gps_has_no_say_while_obd_speaks_and_sources_never_mix),
        cmocka_unit_test(slow_polling_measures_nothing),
        cmocka_unit_test(a_corner_is_speed_times_heading_rate_through_north_too),
        cmocka_unit_test(an_imu_must_feel_it_for_250_ms_at_25_samples_a_second),
        cmocka_unit_test(an_imu_corners_from_15_and_brakes_from_10),
        cmocka_unit_test(what_is_invalid_or_old_has_no_effect),
        cmocka_unit_test(any_noise_keeps_every_event_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
