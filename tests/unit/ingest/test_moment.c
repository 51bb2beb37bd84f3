/* From signals to moments, and what they say. */
#define sample driven_sample /* the drives have this word for what they are made of, too */
#include "tests/unit/ingest/drives.h"
#undef sample

#include "proto/telemetry.h"

static void every_value_has_a_signal_of_the_table(void **state)
{
    struct moment_map map;
    bool found[MOMENT_VALUES] = {false};

    (void)state;
    moment_map_init(&map);
    assert_true(signal_count() < MOMENT_SIGNALS);
    for (int i = 0; i < MOMENT_SIGNALS; i++)
        if (map.value_of[i] != MOMENT_OTHER)
            found[map.value_of[i]] = true;
    for (int i = 0; i < MOMENT_VALUES; i++)
        if (!found[i])
            fail_msg("value %d has no signal", i);
}

static struct moment_map map;

static void take(struct moment *m, uint16_t signal, double value)
{
    moment_take(m, &map, &(struct reading){signal, value}, 1);
}

static void a_moment_takes_what_was_measured_and_nothing_else(void **state)
{
    struct moment m;

    (void)state;
    moment_map_init(&map);
    moment_init(&m, MONDAY);
    take(&m, SIGNAL_SPEED, 50);
    take(&m, 9999, 1);
    take(&m, SIGNAL_ALTITUDE, 140);
    NEAR(m.v[MOMENT_SPEED], 50, 0);
    assert_true(isnan(m.v[MOMENT_RPM]));
    assert_false(m.ecu);
    take(&m, SIGNAL_BATTERY_VOLTAGE, 12.4); /* the adapter's own reading, maybe */
    assert_false(m.ecu);
    take(&m, SIGNAL_ENGINE_SPEED, 800);
    assert_true(m.ecu);
}

static void samples_alike_leave_nothing_of_the_one_before(void **state)
{
    struct reading r[] = {
        {SIGNAL_SPEED, 50}, {9999, 1}, {SIGNAL_ALTITUDE, 140}, {SIGNAL_ENGINE_SPEED, 800}};
    struct moment_places places;
    struct moment one, alike;

    (void)state;
    moment_map_init(&map);
    moment_init(&alike, 0);
    moment_places_init(&places, &map, r, 4);
    for (int i = 0; i < 3; i++) {
        r[0].value += 1;
        r[3].value -= 1;
        moment_init(&one, MONDAY + i);
        moment_take(&one, &map, r, 4);
        moment_take_alike(&alike, &places, MONDAY + i, r);
        assert_int_equal(alike.t_ms, one.t_ms);
        assert_true(alike.ecu && one.ecu);
        assert_memory_equal(alike.v, one.v, MOMENT_VALUES * sizeof *one.v);
        alike.v[MOMENT_SPEED] = NOT_MEASURED; /* as private mode does with the place */
    }
    moment_places_init(&places, &map, r, 1);
    assert_int_equal(places.n, 1);
    assert_false(places.ecu);
}

static struct seen look(struct sight *s, int64_t t_s, double kmh, double rpm, double state)
{
    struct moment m;
    struct seen seen;

    moment_init(&m, MONDAY + t_s * SECOND);
    m.v[MOMENT_SPEED] = kmh;
    m.v[MOMENT_RPM] = rpm;
    m.v[MOMENT_VOLTAGE_STATE] = state;
    m.ecu = !isnan(rpm);
    assert_true(sight_step(s, &sight_defaults, &m, &seen));
    return seen;
}

static void ignition_running_and_moving_are_three_facts(void **state)
{
    struct sight s = {0};
    struct seen seen = look(&s, 1, 0, 0, 4); /* stop-start at a light */

    (void)state;
    assert_int_equal(seen.ignition, KNOWN_YES);
    assert_int_equal(seen.running, KNOWN_NO);
    assert_int_equal(seen.motion, MOTION_STANDING);
    seen = look(&s, 2, 30, NOT_MEASURED, 2); /* carried away: the ignition is off */
    seen = look(&s, 3, 30, NOT_MEASURED, 2);
    assert_int_equal(seen.ignition, KNOWN_NO);
    assert_int_equal(seen.motion, MOTION_STANDING);
}

/* Fixes at 30 km/h, each a second after the ignition was told in a sample of its own. */
static struct seen carried(struct sight *s, const struct sight_settings *set, int64_t t_s,
                           double state, double rpm)
{
    struct moment m;
    struct seen seen;

    moment_init(&m, MONDAY + t_s * SECOND);
    m.v[MOMENT_VOLTAGE_STATE] = state;
    m.v[MOMENT_RPM] = rpm;
    m.ecu = !isnan(rpm);
    assert_true(sight_step(s, set, &m, &seen));
    moment_init(&m, m.t_ms + SECOND);
    m.v[MOMENT_SPEED] = 30;
    assert_true(sight_step(s, set, &m, &seen));
    return seen;
}

static void
ignition_a_gateway_told_off_stays_off_until_told_otherwise_or_an_engine_runs(void **state)
{
    const struct sight_settings *set = &sight_gateway;
    struct sight s = {0};
    double none = NOT_MEASURED;

    (void)state;
    assert_int_equal(carried(&s, set, 1, 4, 800).ignition, KNOWN_YES);
    assert_int_equal(carried(&s, set, 4, 2, none).ignition, KNOWN_NO);
    assert_int_equal(carried(&s, set, 10, none, 0).ignition,
                     KNOWN_NO); /* an ECU before it sleeps */
    for (int t = 20; t < 3000; t += 10)
        assert_int_equal(carried(&s, set, t, none, none).motion, MOTION_STANDING);
    assert_int_equal(carried(&s, set, 3000, 0, none).ignition, KNOWN_NOT); /* it says: unknown */
    assert_int_equal(carried(&s, set, 3010, 1, none).ignition, KNOWN_NO);
    assert_int_equal(carried(&s, set, 3015, none, 900).ignition, KNOWN_YES); /* the engine runs */
    assert_int_equal(carried(&s, set, 3020, 1, none).ignition, KNOWN_NO);
    assert_int_equal(carried(&s, set, 3040, none, 0).ignition, KNOWN_YES); /* the ECU is awake */
    assert_int_equal(carried(&s, set, 3100, 1, none).ignition, KNOWN_NO);
    assert_int_equal(carried(&s, set, 6800, none, none).ignition, KNOWN_NOT); /* hours of silence */
    assert_int_equal(carried(&s, &sight_defaults, 6900, 2, none).ignition,
                     KNOWN_NOT); /* an agent */
}

static void an_unplugged_dongle_leaves_the_ignition_unknown_not_off(void **state)
{
    struct sight s = {0};
    struct seen seen = look(&s, 1, 50, 2000, NOT_MEASURED);

    (void)state;
    assert_int_equal(seen.ignition, KNOWN_YES);
    for (int t = 2; t < 60; t++)
        seen = look(&s, t, 50, NOT_MEASURED, NOT_MEASURED);
    assert_int_equal(seen.ignition, KNOWN_NOT);
    assert_int_equal(seen.motion, MOTION_MOVING);
}

static void speed_without_an_engine_speed_beside_it_is_gps(void **state)
{
    struct sight s = {0};

    (void)state;
    assert_int_equal(look(&s, 1, 50, 2000, 4).speed.source, SPEED_OBD);
    assert_int_equal(look(&s, 2, 50, NOT_MEASURED, 4).speed.source, SPEED_GPS);
    assert_int_equal(look(&s, 3, NOT_MEASURED, NOT_MEASURED, 4).speed.source, SPEED_NONE);
}

static void without_any_speed_the_way_between_good_fixes_tells(void **state)
{
    struct sight s = {0};
    struct car c = car_new();
    struct seen seen;

    (void)state;
    c.obd = c.told = false;
    car_go(&c, 60, 50);
    for (size_t i = 0; i < c.d.n; i++) {
        c.d.at[i].v[MOMENT_SPEED] = NOT_MEASURED;
        assert_true(sight_step(&s, &sight_defaults, &c.d.at[i], &seen));
        assert_true(seen.good);
    }
    assert_int_equal(seen.speed.source, SPEED_LEG);
    NEAR(seen.speed.kmh, 50, 3);
    assert_int_equal(seen.motion, MOTION_MOVING);
    assert_false(sight_step(&s, &sight_defaults, &c.d.at[0], &seen)); /* not after */
    drive_done(&c.d);
}

/* A place each minute, so many metres from the first; how often was it moving? */
static int moved(const double *north_m, size_t n)
{
    struct sight s = {0};
    int moving = 0;

    for (size_t i = 0; i < n; i++) {
        struct moment m;
        struct seen seen;

        moment_init(&m, MONDAY + (int64_t)i * MINUTE);
        m.v[MOMENT_LAT] = 48.5 + north_m[i] * METRE_DEGREES;
        m.v[MOMENT_LON] = 7.7;
        m.v[MOMENT_ACCURACY] = 4;
        assert_true(sight_step(&s, &sight_defaults, &m, &seen));
        moving += seen.motion == MOTION_MOVING;
    }
    return moving;
}

static void a_leg_away_and_one_back_are_a_jump_and_no_departure(void **state)
{
    static const double jumps[] = {0, 0, 200, 0, 0, 200, 10, 200, 0, 200, 0, -300, 0, 0};
    static const double shifts[] = {0, 0, 200, 200, 200, 0, 0};
    static const double leaves[] = {0, 0, 200, 500, 1000, 1000};

    (void)state;
    assert_int_equal(moved(jumps, sizeof jumps / sizeof *jumps), 0);
    assert_int_equal(moved(shifts, sizeof shifts / sizeof *shifts), 0);
    assert_int_equal(moved(leaves, sizeof leaves / sizeof *leaves), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_has_a_signal_of_the_table),
        cmocka_unit_test(a_moment_takes_what_was_measured_and_nothing_else),
        cmocka_unit_test(samples_alike_leave_nothing_of_the_one_before),
        cmocka_unit_test(ignition_running_and_moving_are_three_facts),
        cmocka_unit_test(
            ignition_a_gateway_told_off_stays_off_until_told_otherwise_or_an_engine_runs),
        cmocka_unit_test(an_unplugged_dongle_leaves_the_ignition_unknown_not_off),
        cmocka_unit_test(speed_without_an_engine_speed_beside_it_is_gps),
        cmocka_unit_test(without_any_speed_the_way_between_good_fixes_tells),
        cmocka_unit_test(a_leg_away_and_one_back_are_a_jump_and_no_departure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
