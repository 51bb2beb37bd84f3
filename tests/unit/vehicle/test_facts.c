/* Alerts and events found in the car: recorded drives with their known answers, and one small drive
 * for each fact. */
#include "tests/unit/drive/capture.h"

#include "vehicle/facts.h"

#define T0 1795248000000
#define FOUND_MAX 32

static struct {
    char type[24], severity[12], data[256];
    int64_t t_ms;
} found[FOUND_MAX];
static int count;
static struct facts *facts;
static struct fault fault;

static void take(void *self, const struct facts_found *f)
{
    json_t *data = json_loads(f->data, 0, NULL);

    (void)self;
    assert_true(json_is_object(data));
    json_decref(data);
    assert_true(count < FOUND_MAX);
    snprintf(found[count].type, sizeof found[count].type, "%s", f->type);
    snprintf(found[count].severity, sizeof found[count].severity, "%s",
             f->severity != NULL ? f->severity : "");
    snprintf(found[count].data, sizeof found[count].data, "%s", f->data);
    found[count++].t_ms = f->t_ms;
}

static int begin(void **state)
{
    struct facts_options options = {.has_gps = true, .tell = take};

    (void)state;
    count = 0;
    return facts_open(&facts, &options, &fault) == ST_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    facts_close(facts);
    return 0;
}

static int count_of(const char *type)
{
    int n = 0;

    for (int i = 0; i < count; i++)
        n += strcmp(found[i].type, type) == 0;
    return n;
}

static double number(int i, const char *key)
{
    json_t *data = json_loads(found[i].data, 0, NULL);
    const json_t *value = json_object_get(data, key);
    double n = json_is_number(value) ? json_number_value(value) : NOT_MEASURED;

    json_decref(data);
    return n;
}

static struct facts_round round_at(int64_t t_ms)
{
    double none = NOT_MEASURED;

    return (struct facts_round){t_ms, true, none, none, none, none, none, none};
}

/* Ten ticks a second up to `to_ms`, as the main loop does. */
static int64_t ticked_ms;
static void tick(int64_t to_ms)
{
    for (ticked_ms = ticked_ms > 0 ? ticked_ms : to_ms; ticked_ms < to_ms; ticked_ms += 100)
        facts_pass(facts, ticked_ms);
}

/* A polling round every `seconds` from second `from` on. */
static void drive(int from, int seconds, double kmh, double rpm)
{
    for (int s = from; s < from + seconds; s++) {
        struct facts_round r = round_at(T0 + s * 1000);

        r.kmh = kmh;
        r.rpm = rpm;
        r.coolant_celsius = 90;
        r.volts = 14.1;
        facts_round(facts, &r);
        facts_pass(facts, T0 + s * 1000 + 500);
    }
}

static void fix_at(int second, double lat, double kmh)
{
    struct facts_fix fix = {T0 + second * 1000, lat, 7.75, 3, kmh, 0};

    facts_fix(facts, &fix);
    facts_pass(facts, T0 + second * 1000 + 500);
}

/* A KIT drive: every row a round, or a round of what stands at each `every_ms`. */
static void replay_kit(const char *path, int64_t every_ms)
{
    struct capture c = capture_kit(path);
    int64_t next_ms = c.at[0].t_ms;

    ticked_ms = 0;
    for (size_t i = 0; i < c.n; i++) {
        struct facts_round r = round_at(T0 + c.at[i].t_ms);

        if (every_ms > 0 && c.at[i].t_ms < next_ms)
            continue;
        next_ms += every_ms;
        r.kmh = c.at[i].kmh;
        r.rpm = c.at[i].rpm;
        r.coolant_celsius = c.at[i].coolant;
        tick(r.t_ms);
        facts_round(facts, &r);
    }
    facts_flush(facts);
    capture_done(&c);
}

static void the_emergency_braking_is_one_harsh_braking(void **state)
{
    (void)state;
    replay_kit(CAPTURE_BRAKING, 0);
    assert_int_equal(count_of("harsh_braking"), 1);
    for (int i = 0; i < count; i++) { /* the car idles too; that is an event */
        if (found[i].severity[0] == '\0')
            continue;
        assert_string_equal(found[i].type, "harsh_braking");
        assert_string_equal(found[i].severity, "major");
        NEAR(number(i, "peak_g"), 0.71, 0.01);
        NEAR(number(i, "speed_before_kmh"), 77, 1);
        NEAR(number(i, "duration_ms"), 4400, 600);
        NEAR(number(i, "band"), 3, 0);
    }
}

static void a_tick_between_the_readings_tells_it_while_the_drive_goes_on(void **state)
{
    struct capture c = capture_kit(CAPTURE_BRAKING);
    int64_t told_ms = 0;

    (void)state;
    ticked_ms = 0;
    for (size_t i = 0; i < c.n && told_ms == 0; i++) {
        struct facts_round r = round_at(T0 + c.at[i].t_ms);

        r.kmh = c.at[i].kmh;
        tick(r.t_ms);
        facts_round(facts, &r);
        told_ms = count_of("harsh_braking") > 0 ? r.t_ms : 0;
    }
    assert_true(told_ms > 0);
    NEAR((double)(told_ms - found[0].t_ms), 4400 + 5500, 1500);
    capture_done(&c);
}

static void the_acceleration_drive_has_no_alert(void **state)
{
    (void)state;
    replay_kit(CAPTURE_ACCELERATION, 0);
    for (int i = 0; i < count; i++) /* but for the receiver nobody gave it */
        if (strcmp(found[i].type, "gps_lost") != 0)
            assert_string_equal(found[i].severity, "");
}

static void a_car_that_ingest_watches_tells_only_of_its_adapter(void **state)
{
    (void)state;
    facts_detect(facts, false);
    replay_kit(CAPTURE_BRAKING, 0);
    assert_int_equal(count, 0);
}

static void the_trip_meter_agrees_with_the_recorded_length(void **state)
{
    struct capture c = capture_caliber();

    (void)state;
    for (size_t i = 0; i < c.n; i++) {
        const struct sample *s = &c.at[i];
        struct facts_fix fix = {T0 + s->t_ms, s->lat, s->lon, 5, s->gps_kmh, s->heading};
        struct facts_round r = round_at(T0 + s->t_ms + 200);

        r.kmh = s->kmh;
        r.rpm = s->rpm;
        facts_fix(facts, &fix);
        facts_round(facts, &r);
    }
    NEAR(facts_trip_m(facts), 34500, 500);
    capture_done(&c);
    assert_int_equal(count_of("crash") + count_of("tow") + count_of("gps_lost"), 0);
}

static void an_adapter_away_for_ten_seconds_is_unplugged_and_comes_back(void **state)
{
    (void)state;
    facts_detect(facts, false);
    drive(0, 20, 50, 2000);
    facts_adapter(facts, false);
    for (int s = 20; s < 45; s++)
        facts_pass(facts, T0 + s * 1000);
    assert_int_equal(count, 1);
    assert_string_equal(found[0].type, "adapter_unplugged");
    NEAR((double)(found[0].t_ms - T0), 20000, 4000); /* when it went, not when it was believed */
    facts_adapter(facts, true);
    drive(45, 5, 50, 2000);
    assert_int_equal(count, 2);
    assert_string_equal(found[1].type, "adapter_back");
}

static void a_cable_that_was_shaken_is_no_event(void **state)
{
    (void)state;
    drive(0, 20, 50, 2000);
    facts_adapter(facts, false);
    for (int s = 20; s < 27; s++)
        facts_pass(facts, T0 + s * 1000);
    facts_adapter(facts, true);
    drive(27, 20, 50, 2000);
    assert_int_equal(count, 0);
}

static void coolant_at_112_for_half_a_minute_is_overheating(void **state)
{
    (void)state;
    drive(0, 5, 50, 2000);
    for (int s = 0; s < 60; s++) {
        struct facts_round r = round_at(T0 + 5000 + s * 1000);

        r.kmh = 50;
        r.rpm = 2000;
        r.coolant_celsius = s < 15 ? 95 + s : 112;
        facts_round(facts, &r);
    }
    assert_int_equal(count, 1);
    assert_string_equal(found[0].type, "overheating");
    assert_string_equal(found[0].severity, "major");
    NEAR(number(0, "peak_celsius"), 112, 0);
}

static void three_minutes_of_idling_are_one_event_with_its_length(void **state)
{
    (void)state;
    drive(0, 10, 8, 1500);
    drive(10, 180, 0, 800);
    drive(190, 10, 8, 1500);
    assert_int_equal(count, 1);
    assert_string_equal(found[0].type, "idle");
    assert_string_equal(found[0].severity, "");
    NEAR(number(0, "duration_ms"), 180000, 3000);
    NEAR((double)(found[0].t_ms - T0), 10000, 1000);
}

static void an_alternator_that_does_not_charge_is_told_and_cranking_is_not(void **state)
{
    (void)state;
    for (int s = 0; s < 420; s++) {
        struct facts_round r = round_at(T0 + s * 1000);

        r.kmh = 50;
        r.rpm = s < 3 ? 200 : 2000;
        r.volts = s < 3 ? 9.5 : 12.3;
        facts_round(facts, &r);
    }
    assert_int_equal(count, 1);
    assert_string_equal(found[0].type, "low_battery");
    assert_string_equal(found[0].severity, "major");
    assert_non_null(strstr(found[0].data, "\"kind\":\"charging\""));
}

static void a_wall_and_then_silence_is_a_crash(void **state)
{
    static const double wall[] = {60, 60, 60, 25, 0};

    (void)state;
    for (int s = 0; s < 40; s++) {
        struct facts_round r = round_at(T0 + s * 500);

        r.kmh = s < 35 ? 60 : wall[s - 35];
        r.rpm = 2000;
        facts_round(facts, &r);
    }
    for (int s = 20; s < 40; s++) /* and then the ECU says nothing more */
        facts_pass(facts, T0 + s * 1000);
    assert_int_equal(count_of("crash"), 1);
    for (int i = 0; i < count; i++)
        if (strcmp(found[i].type, "crash") == 0) {
            assert_string_equal(found[i].severity, "critical");
            NEAR(number(i, "speed_before_kmh"), 60, 1);
        }
}

static void a_stop_at_the_lights_is_no_crash(void **state)
{
    (void)state;
    drive(0, 20, 50, 2000);
    for (int s = 20; s < 27; s++)
        drive(s, 1, 50 - 8.0 * (s - 20), 1500);
    drive(27, 60, 0, 800);
    assert_int_equal(count, 0);
}

static void a_parked_car_that_drives_off_without_ignition_is_towed(void **state)
{
    (void)state;
    drive(0, 10, 0, 800);
    for (int s = 10; s < 130; s++) { /* the bus sleeps, the car stands */
        struct facts_round r = round_at(T0 + s * 1000 + 200);

        r.answering = false;
        r.volts = 12.6;
        if (s % 10 == 0)
            facts_round(facts, &r);
        fix_at(s, 48.5, 0);
    }
    assert_int_equal(count, 0);
    for (int s = 130; s < 200; s++)
        fix_at(s, 48.5 + (s - 130) * 0.0001, 40);
    assert_int_equal(count_of("tow"), 1);
}

static void ten_minutes_of_driving_without_a_position_lose_the_receiver(void **state)
{
    (void)state;
    fix_at(0, 48.5, 50);
    drive(1, 700, 50, 2000);
    assert_int_equal(count, 1);
    assert_string_equal(found[0].type, "gps_lost");
    assert_string_equal(found[0].severity, "warning");
}

static void a_clock_that_is_set_back_stops_nothing(void **state)
{
    (void)state;
    drive(100000, 60, 50, 2000);
    facts_clock_set(facts);
    drive(0, 10, 8, 1500);
    drive(10, 180, 0, 800);
    drive(190, 10, 8, 1500);
    assert_int_equal(count_of("idle"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_emergency_braking_is_one_harsh_braking),
        TEST(a_tick_between_the_readings_tells_it_while_the_drive_goes_on),
        TEST(the_acceleration_drive_has_no_alert),
        TEST(a_car_that_ingest_watches_tells_only_of_its_adapter),
        TEST(the_trip_meter_agrees_with_the_recorded_length),
        TEST(an_adapter_away_for_ten_seconds_is_unplugged_and_comes_back),
        TEST(a_cable_that_was_shaken_is_no_event),
        TEST(coolant_at_112_for_half_a_minute_is_overheating),
        TEST(three_minutes_of_idling_are_one_event_with_its_length),
        TEST(an_alternator_that_does_not_charge_is_told_and_cranking_is_not),
        TEST(a_wall_and_then_silence_is_a_crash),
        TEST(a_stop_at_the_lights_is_no_crash),
        TEST(a_parked_car_that_drives_off_without_ignition_is_towed),
        TEST(ten_minutes_of_driving_without_a_position_lose_the_receiver),
        TEST(a_clock_that_is_set_back_stops_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
