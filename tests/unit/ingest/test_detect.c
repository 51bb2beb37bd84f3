/* What is found in the samples of a car that does not find it itself: towed, crashed. */
#include "tests/unit/ingest/drives.h"

#include "proto/signals.h"
#include "services/ingest/car/detect.h"

#define OFF 1 /* LowVoltageSystemState */
#define ON 4

static struct sight sight;
static struct detect detect;
static struct car_out out;
static struct detect_settings here = {.here = true, .harsh = &harsh_car, .nominal_v = 12};

static int start(void **state)
{
    (void)state;
    memset(&sight, 0, sizeof sight);
    memset(&detect, 0, sizeof detect);
    here.here = true;
    car_out_clear(&out);
    return 0;
}

static int end(void **state)
{
    (void)state;
    car_out_done(&out);
    return 0;
}

static void step(const struct moment *m)
{
    struct seen seen;

    assert_true(sight_step(&sight, &sight_gateway, m, &seen));
    detect_step(&detect, &here, m, &seen, &out);
}

/* How many there are of a type, and the last of them. */
static int found(const char *type, unsigned parts, const struct found **last)
{
    int n = 0;

    for (size_t i = 0; i < out.found_n; i++)
        if (!strcmp(out.found[i].type, type) && out.found[i].parts == parts) {
            *last = &out.found[i];
            n++;
        }
    return n;
}

/* ---- tow */
static void place(int t_s, double voltage_state, double north_m, double kmh)
{
    struct moment m;

    moment_init(&m, MONDAY + t_s * SECOND);
    m.v[MOMENT_VOLTAGE_STATE] = voltage_state;
    m.v[MOMENT_LAT] = 48.5 + north_m * METRE_DEGREES;
    m.v[MOMENT_LON] = 7.7;
    m.v[MOMENT_ACCURACY] = 4;
    m.v[MOMENT_SPEED] = kmh;
    step(&m);
}

/* Parked with the ignition off from second 30 on, and from second 60 on away at 10 m/s. */
static void move(double voltage_state, int step_s)
{
    for (int t_s = 0; t_s < 180; t_s += step_s)
        place(t_s, t_s < 30 ? ON : voltage_state, t_s < 60 ? 0 : (t_s - 60) * 10,
              t_s < 60 ? 0 : 36);
}

static void a_car_that_moves_with_its_ignition_off_is_towed_once(void **state)
{
    const struct found *tow = NULL, *over = NULL;

    (void)state;
    move(OFF, 1);
    assert_int_equal(found("tow", FOUND_EVENT | FOUND_ALERT, &tow), 1);
    assert_int_equal(tow->severity, ALERT_MAJOR);
    assert_int_equal(tow->occurred_ms, MONDAY + 60 * SECOND);
    assert_int_equal(tow->told_ms, MONDAY + 90 * SECOND); /* 30 s at 10 km/h and more */
    assert_int_equal(found("tow", FOUND_END, &over), 0);
    place(200, ON, 1200, 0);
    place(201, ON, 1200, 0);
    assert_int_equal(found("tow", FOUND_END, &over), 1);
    assert_int_equal(over->occurred_ms, MONDAY + 200 * SECOND);
    for (int t_s = 210; t_s < 300; t_s++) /* and the next time it is another one */
        place(t_s, OFF, 1200 + (t_s - 210) * 10, 36);
    assert_int_equal(found("tow", FOUND_EVENT | FOUND_ALERT, &tow), 2);
}

static void a_sample_every_20_seconds_tells_a_tow_as_well(void **state)
{
    const struct found *tow = NULL;

    (void)state;
    move(OFF, 20);
    assert_int_equal(found("tow", FOUND_EVENT | FOUND_ALERT, &tow), 1);
}

static void told(int t_s, double voltage_state)
{
    struct moment m;

    moment_init(&m, MONDAY + t_s * SECOND + 400);
    m.v[MOMENT_VOLTAGE_STATE] = voltage_state;
    step(&m);
}

/* Pulled away hard, within three seconds; fixes say where, and samples
 * of their own that the ignition is off. */
static void a_tow_is_found_where_ignition_and_fixes_are_samples_of_their_own(void **state)
{
    static const int each_s[] = {1, 10, 3600}; /* and once */
    const struct found *f = NULL;

    for (size_t i = 0; i < sizeof each_s / sizeof *each_s; i++) {
        start(state);
        for (int t_s = 0; t_s < 180; t_s++) {
            place(t_s, NOT_MEASURED, t_s < 60 ? 0 : (t_s - 60) * 12,
                  t_s < 60 ? 0 : fmin(44, (t_s - 60) * 15));
            if (t_s % each_s[i] == 0)
                told(t_s, OFF);
        }
        assert_int_equal(found("tow", FOUND_EVENT | FOUND_ALERT, &f), 1);
        assert_int_equal(found("harsh_acceleration", FOUND_EVENT | FOUND_ALERT, &f), 0);
        end(state);
    }
    start(state);
}

static void who_drives_or_finds_it_in_the_car_is_not_towed(void **state)
{
    const struct found *tow = NULL;

    (void)state;
    move(ON, 1);
    assert_int_equal(found("tow", FOUND_EVENT | FOUND_ALERT, &tow), 0);
    start(state);
    here.here = false;
    move(OFF, 1);
    assert_int_equal(out.found_n, 0);
}

/* ---- crash */
static void drive(int64_t t_ms, double kmh, double rpm)
{
    struct moment m;

    moment_init(&m, MONDAY + t_ms);
    m.v[MOMENT_SPEED] = kmh;
    m.v[MOMENT_RPM] = rpm;
    m.ecu = !isnan(rpm);
    step(&m);
}

/* At 60 km/h, twice a second, and within a second to a stand; then `rpm`. */
static void stop_hard(double rpm)
{
    for (int64_t t_ms = 500; t_ms <= 20000; t_ms += 500)
        drive(t_ms, 60, 2000);
    drive(20500, 20, 1500);
    drive(21000, 0, 800);
    for (int64_t t_ms = 21500; t_ms < 120000; t_ms += 500)
        drive(t_ms, 0, rpm);
}

static void a_fall_of_speed_after_which_the_engine_stays_off_is_a_crash(void **state)
{
    const struct found *crash = NULL;

    (void)state;
    stop_hard(0);
    assert_int_equal(found("crash", FOUND_EVENT | FOUND_ALERT, &crash), 1);
    assert_int_equal(crash->severity, ALERT_CRITICAL);
    assert_int_equal(crash->occurred_ms, MONDAY + 21000);
    assert_int_equal(crash->told_ms, MONDAY + 81000);
    assert_non_null(strstr(crash->data, "\"peak_g\":1.13"));
    assert_non_null(strstr(crash->data, "\"speed_before_kmh\":60.0"));
}

/* The receiver's speed comes late: between two of the car's own it does not say that it moves. */
static void the_receivers_speed_between_the_cars_own_does_not_undo_it(void **state)
{
    const struct found *crash = NULL;

    (void)state;
    for (int64_t t_ms = 500; t_ms <= 20000; t_ms += 500)
        drive(t_ms, 60, 2000);
    drive(20500, 20, 1500);
    drive(21000, 0, 0);
    drive(21200, 20, NOT_MEASURED);
    for (int64_t t_ms = 21500; t_ms < 120000; t_ms += 500)
        drive(t_ms, 0, 0);
    assert_int_equal(found("crash", FOUND_EVENT | FOUND_ALERT, &crash), 1);
}

static void no_crash_without_a_word_of_the_engine_that_it_stopped(void **state)
{
    const struct found *crash = NULL;

    (void)state;
    stop_hard(800);
    assert_int_equal(found("crash", FOUND_EVENT | FOUND_ALERT, &crash), 0);
    start(state);
    stop_hard(NOT_MEASURED); /* nothing of the ECU: it may only not have changed */
    assert_int_equal(found("crash", FOUND_EVENT | FOUND_ALERT, &crash), 0);
    start(state);
    here.here = false;
    stop_hard(0);
    assert_int_equal(out.found_n, 0);
}

/* Its word overtakes its samples: those of before do not end what it tells. */
static void a_receiver_the_car_said_is_lost_is_back_with_fixes_after_that(void **state)
{
    const struct found *over = NULL;
    int t_s = 1, fixes = 0;

    (void)state;
    here.here = false;
    detect_told(&detect, "gps_lost", "", MONDAY + 60 * SECOND);
    for (; t_s <= 60; t_s++)
        place(t_s, ON, 0, 0);
    assert_int_equal(out.found_n, 0);
    for (; t_s < 120 && out.found_n == 0; t_s++, fixes++)
        place(t_s, ON, 0, 0);
    assert_int_equal(found("gps_lost", FOUND_END, &over), 1);
    assert_int_equal(fixes, gps_lost_defaults.fixes);
}

/* ---- told by the car, ended by what follows */
static void engine(int t_s, double celsius, double volts)
{
    struct moment m;

    moment_init(&m, MONDAY + t_s * SECOND);
    m.v[MOMENT_SPEED] = 50;
    m.v[MOMENT_RPM] = 2000;
    m.ecu = true;
    m.v[MOMENT_COOLANT] = celsius;
    m.v[MOMENT_VOLTS] = volts;
    step(&m);
}

/* As cars send after a dead zone: the alert first, then the samples of the time before it. */
static void what_was_before_an_alert_does_not_end_it_and_what_comes_after_it_does(void **state)
{
    const struct found *over = NULL;

    (void)state;
    for (int detects = 0; detects < 2; detects++) {
        start(state);
        here.here = detects;
        engine(1, 90, 14.1);
        detect_told(&detect, "overheating", "", MONDAY + 600 * SECOND);
        detect_told(&detect, "low_battery", "low", MONDAY + 600 * SECOND);
        for (int t_s = 2; t_s <= 600; t_s++)
            engine(t_s, 90, 14.1); /* cool, and charging */
        assert_int_equal(found("overheating", FOUND_END, &over), 0);
        assert_int_equal(found("low_battery", FOUND_END, &over), 0);
        for (int t_s = 601; t_s <= 800; t_s++)
            engine(t_s, 90, 14.1);
        assert_int_equal(found("overheating", FOUND_END, &over), 1);
        assert_true(over->occurred_ms > MONDAY + 600 * SECOND);
        assert_int_equal(found("low_battery", FOUND_END, &over), 1);
        assert_true(over->occurred_ms > MONDAY + (detects ? 600 : 720) * SECOND);
    }
}

static void what_a_state_remembers_of_another_is_what_was_told_and_is_not_over(void **state)
{
    const struct found *over = NULL;
    struct detect told = {0}, none = {0};

    (void)state;
    detect_told(&told, "overheating", "", MONDAY + 100 * SECOND);
    detect_told(&told, "low_battery", "over", MONDAY + 100 * SECOND);
    detect_told(&told, "power_cut", "", MONDAY + 100 * SECOND);
    none.heat.open = HEAT_MAJOR; /* found in its own samples, and not told */
    none.battery.open[BATTERY_LOW] = true;
    detect_remember(&detect, &none);
    assert_int_equal(detect.heat.open, HEAT_NONE);
    assert_false(detect.battery.open[BATTERY_LOW]);
    detect_remember(&detect, &told);
    for (int t_s = 50; t_s < 400; t_s++)
        engine(t_s, 90, 14.1);
    assert_int_equal(found("overheating", FOUND_END, &over), 1);
    assert_int_equal(found("low_battery", FOUND_END, &over), 1);
    assert_int_equal(found("power_cut", FOUND_END, &over), 1);
    assert_int_equal(over->occurred_ms, MONDAY + 101 * SECOND);
}

static void a_lost_receiver_that_was_told_is_back_after_two_good_fixes_that_are_newer(void **state)
{
    const struct found *over = NULL;

    (void)state;
    here.here = false;
    detect_told(&detect, "gps_lost", "", MONDAY + 10 * SECOND);
    for (int t_s = 1; t_s <= 11; t_s++)
        place(t_s, ON, 0, 0); /* one of them is newer */
    assert_int_equal(found("gps_lost", FOUND_END, &over), 0);
    detect_told(&detect, "gps_lost", "", MONDAY + 11 * SECOND + 500); /* again: counted anew */
    place(12, ON, 0, 0);
    assert_int_equal(found("gps_lost", FOUND_END, &over), 0);
    place(13, ON, 0, 0);
    assert_int_equal(found("gps_lost", FOUND_END, &over), 1);
    assert_int_equal(over->occurred_ms, MONDAY + 13 * SECOND);
}

static void of_what_a_car_tells_it_is_known_which_end_will_be_found(void **state)
{
    static const char *const ends[] = {"overheating", "power_cut", "gps_lost", "vin_mismatch"};
    static const char *const stays[] = {"crash",          "fuel_drop", "tow",     "camera_lost",
                                        "vehicle_silent", "overspeed", "dtc_new", "low_battery"};

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        assert_true(detect_ends(ends[i], ""));
    for (size_t i = 0; i < sizeof stays / sizeof *stays; i++)
        assert_false(detect_ends(stays[i], ""));
    assert_true(detect_ends("low_battery", "empty"));
    assert_false(detect_ends("low_battery", "a kind of its own"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_receiver_the_car_said_is_lost_is_back_with_fixes_after_that, start, end),
        cmocka_unit_test(of_what_a_car_tells_it_is_known_which_end_will_be_found),
        cmocka_unit_test_setup_teardown(a_car_that_moves_with_its_ignition_off_is_towed_once, start,
                                        end),
        cmocka_unit_test_setup_teardown(a_sample_every_20_seconds_tells_a_tow_as_well, start, end),
        cmocka_unit_test_setup_teardown(
            a_tow_is_found_where_ignition_and_fixes_are_samples_of_their_own, start, end),
        cmocka_unit_test_setup_teardown(who_drives_or_finds_it_in_the_car_is_not_towed, start, end),
        cmocka_unit_test_setup_teardown(a_fall_of_speed_after_which_the_engine_stays_off_is_a_crash,
                                        start, end),
        cmocka_unit_test_setup_teardown(the_receivers_speed_between_the_cars_own_does_not_undo_it,
                                        start, end),
        cmocka_unit_test_setup_teardown(no_crash_without_a_word_of_the_engine_that_it_stopped,
                                        start, end),
        cmocka_unit_test_setup_teardown(
            what_was_before_an_alert_does_not_end_it_and_what_comes_after_it_does, start, end),
        cmocka_unit_test_setup_teardown(
            what_a_state_remembers_of_another_is_what_was_told_and_is_not_over, start, end),
        cmocka_unit_test_setup_teardown(
            a_lost_receiver_that_was_told_is_back_after_two_good_fixes_that_are_newer, start, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
