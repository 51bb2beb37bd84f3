/* The newest value of each signal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "services/ingest/record/newest.h"

#define T INT64_C(1795248000000)

static void merge(struct newest *n, int64_t t_ms, uint16_t signal, double value)
{
    struct reading reading = {signal, value};
    struct sample sample = {t_ms, 0, 1};
    struct telemetry t = {
        .samples = &sample, .sample_count = 1, .readings = &reading, .reading_count = 1};

    newest_merge(n, &t, INT64_MAX);
}

static double value_of(const struct newest *n, uint16_t signal)
{
    const struct newest_value *v = newest_find(n, signal);

    assert_non_null(v);
    return v->value;
}

static void times_of_no_calendar_are_no_values(void **state)
{
    struct newest n = {0};

    (void)state;
    assert_false(newest_take(&n, SIGNAL_SPEED, -1, 1, ORIGIN_OBD));
    assert_false(newest_take(&n, SIGNAL_SPEED, NEWEST_T_MAX + 1, 2, ORIGIN_OBD));
    assert_null(newest_find(&n, SIGNAL_SPEED));
    assert_true(newest_take(&n, SIGNAL_SPEED, 0, 3, ORIGIN_OBD));
    assert_true(newest_take(&n, SIGNAL_SPEED, NEWEST_T_MAX, 4, ORIGIN_OBD));
    assert_true(newest_find(&n, SIGNAL_SPEED)->t_ms == (uint64_t)NEWEST_T_MAX);
    assert_false(newest_take(&n, SIGNAL_SPEED, NEWEST_T_MAX - 1, 5, ORIGIN_OBD));
    newest_done(&n);
}

static void newer_wins_and_late_does_not_replace(void **state)
{
    struct newest n = {0};

    (void)state;
    assert_true(newest_take(&n, SIGNAL_SPEED, T, 50, ORIGIN_OBD));
    assert_false(newest_take(&n, SIGNAL_SPEED, T - 1, 10, ORIGIN_OBD));
    assert_true(value_of(&n, SIGNAL_SPEED) == 50);
    assert_true(newest_take(&n, SIGNAL_SPEED, T, 51,
                            ORIGIN_GPS)); /* as the database: the later word at one time */
    assert_true(newest_take(&n, SIGNAL_SPEED, T + 1, 52, ORIGIN_GPS));
    assert_true(value_of(&n, SIGNAL_SPEED) == 52);
    assert_null(newest_find(&n, SIGNAL_HEADING));
    newest_done(&n);
}

static void every_signal_has_its_place_whatever_the_order(void **state)
{
    struct newest n = {0};
    size_t count = signal_count();

    (void)state;
    for (size_t i = 0; i < count; i++)
        newest_take(&n, (uint16_t)(1 + i * 37 % count), T, (double)(1 + i * 37 % count),
                    ORIGIN_OBD);
    for (uint16_t s = 1; s <= count; s++)
        if (newest_find(&n, s))
            assert_true(value_of(&n, s) == s);
    for (size_t i = 1; i < n.count; i++)
        assert_true(n.values[i - 1].signal < n.values[i].signal);
    newest_done(&n);
}

static void a_late_record_fills_what_was_never_measured(void **state)
{
    struct newest n = {0};

    (void)state;
    merge(&n, T, SIGNAL_SPEED, 50);
    merge(&n, T - 5000, SIGNAL_ENGINE_SPEED, 900);
    assert_int_equal(n.t_ms, T);
    assert_true(value_of(&n, SIGNAL_ENGINE_SPEED) == 900);
    newest_done(&n);
}

static void speed_is_of_gps_unless_engine_speed_stands_beside_it(void **state)
{
    struct reading readings[] = {
        {SIGNAL_SPEED, 1}, {SIGNAL_ENGINE_SPEED, 900}, {SIGNAL_SPEED, 2}, {SIGNAL_LATITUDE, 48}};
    struct sample samples[] = {{T, 0, 2}, {T + 1, 2, 2}};
    struct telemetry t = {
        .samples = samples, .sample_count = 1, .readings = readings, .reading_count = 4};
    struct newest n = {0};

    (void)state;
    newest_merge(&n, &t, INT64_MAX);
    assert_int_equal(newest_find(&n, SIGNAL_SPEED)->origin, ORIGIN_OBD);
    t.sample_count = 2;
    newest_merge(&n, &t, INT64_MAX);
    assert_int_equal(newest_find(&n, SIGNAL_SPEED)->origin, ORIGIN_GPS);
    assert_int_equal(newest_find(&n, SIGNAL_LATITUDE)->origin, ORIGIN_GPS);
    assert_int_equal(newest_find(&n, SIGNAL_ENGINE_SPEED)->origin, ORIGIN_OBD);
    newest_done(&n);
}

static void what_is_printed_is_read_back_to_the_bit(void **state)
{
    struct newest n = {0}, read = {0};
    struct text text;

    (void)state;
    newest_take(&n, SIGNAL_LATITUDE, T, 48.528601, ORIGIN_GPS);
    newest_take(&n, SIGNAL_SPEED, T - 7, 0.1 + 0.2, ORIGIN_OBD);
    newest_take(&n, SIGNAL_ALTITUDE, T - 9, -1e-7, ORIGIN_GPS);
    n.t_ms = T;
    text_init(&text);
    newest_print(&n, &text);
    newest_read(&read, text.bytes, text.len);
    assert_int_equal(read.t_ms, T);
    assert_int_equal(read.count, n.count);
    for (size_t i = 0; i < n.count; i++) {
        assert_int_equal(read.values[i].signal, n.values[i].signal);
        assert_int_equal(read.values[i].t_ms, n.values[i].t_ms);
        assert_int_equal(read.values[i].origin, n.values[i].origin);
        assert_memory_equal(&read.values[i].value, &n.values[i].value, sizeof(double));
    }
    text_done(&text);
    newest_done(&n);
    newest_done(&read);
}

static void what_is_not_understood_is_left_out(void **state)
{
    static const char json[] = "{\"Vehicle.Speed\":[100000000000000000000,1795248000000,\"obd\"],"
                               "\"Vehicle.None\":[1,2,\"obd\"],"
                               "\"Vehicle.CurrentLocation.Latitude\":[\"x\",1795248000000,\"gps\"],"
                               "\"Vehicle.CurrentLocation.Longitude\":7,\"Vehicle.CurrentLocation."
                               "Heading\":[1,-5,\"gps\"],"
                               "\"Vehicle.CurrentLocation.Altitude\":[1,1e300,\"gps\"]}";
    struct newest n = {0};

    (void)state;
    newest_read(&n, json, sizeof json - 1);
    assert_int_equal(n.count, 1);
    assert_true(value_of(&n, SIGNAL_SPEED) == 1e20);
    newest_read(&n, "[1", 2);
    newest_read(&n, "[1]", 3);
    newest_read(&n, "", 0);
    assert_int_equal(n.count, 1);
    newest_done(&n);
}

static void the_map_shows_only_what_belongs_together(void **state)
{
    struct newest n = {0};
    struct live live = {0};

    (void)state;
    merge(&n, T, SIGNAL_LATITUDE, 48.5);
    merge(&n, T, SIGNAL_LONGITUDE, 7.7);
    merge(&n, T, SIGNAL_HEADING, 90);
    newest_live(&n, &live);
    assert_true(live.has_position && live.has_heading && !live.has_speed && !live.has_ignition);
    merge(&n, T + 10001, SIGNAL_SPEED, 50); /* ten seconds on: that heading is another place's */
    newest_live(&n, &live);
    assert_true(live.has_speed && !live.has_position && !live.has_heading);
    assert_int_equal(live.t_ms, T + 10001);
    merge(&n, T + 10002, SIGNAL_LATITUDE, 48.6); /* half a position is none */
    newest_live(&n, &live);
    assert_false(live.has_position);
    newest_done(&n);
}

static void ignition_is_told_by_the_voltage_state_or_else_by_the_engine(void **state)
{
    struct newest n = {0};
    struct live live = {0};

    (void)state;
    merge(&n, T, SIGNAL_ENGINE_RUNNING, 1);
    newest_live(&n, &live);
    assert_true(live.has_ignition && live.ignition_on);
    for (int volts = 0; volts <= 5; volts++) { /* undefined lock off acc on start */
        merge(&n, T + volts, SIGNAL_LOW_VOLTAGE_STATE, volts);
        newest_live(&n, &live);
        assert_int_equal(live.ignition_on, volts >= 4);
    }
    newest_done(&n);
}

static void what_is_shown_needs_six_signals_and_no_more(void **state)
{
    struct newest all = {0}, shown = {0};
    struct live left = {0}, right = {0};
    struct telemetry t;

    (void)state;
    telemetry_init(&t);
    for (int64_t i = 1; i <= 3; i++) {
        assert_int_equal(telemetry_sample(&t, 1000 * i, NULL), ST_OK);
        for (uint16_t signal = 1; signal <= 60; signal++)
            if (signal != SIGNAL_HEADING || i == 2)
                assert_int_equal(telemetry_reading(&t, signal, (double)(signal + i), NULL), ST_OK);
    }
    newest_merge(&all, &t, INT64_MAX);
    newest_merge_shown(&shown, &t, INT64_MAX);
    assert_int_equal(all.count, 60);
    assert_int_equal(shown.count, 6);
    assert_true(newest_find(&all, SIGNAL_SPEED)->value == SIGNAL_SPEED + 3);
    assert_true(newest_find(&all, SIGNAL_HEADING)->t_ms == 2000);
    newest_live(&all, &left);
    newest_live(&shown, &right);
    assert_memory_equal(&left, &right, sizeof left);
    newest_done(&all);
    newest_done(&shown);
    telemetry_done(&t);
}

static void of_samples_that_are_alike_the_last_says_all(void **state)
{
    struct newest all = {0}, last = {0};
    struct telemetry t;

    (void)state;
    telemetry_init(&t);
    for (int64_t i = 1; i <= 5; i++) {
        assert_int_equal(telemetry_sample(&t, T + 1000 * i, NULL), ST_OK);
        for (uint16_t signal = 1; signal <= 20; signal++)
            assert_int_equal(telemetry_reading(&t, signal, (double)(signal * i), NULL), ST_OK);
    }
    for (int64_t latest = T; latest <= T + 6000; latest += 1500) {
        t.alike = false;
        newest_merge(&all, &t, latest);
        t.alike = true;
        newest_merge(&last, &t, latest);
        assert_int_equal(last.t_ms, all.t_ms);
        assert_int_equal(last.count, all.count);
        assert_memory_equal(last.values, all.values, all.count * sizeof *all.values);
    }
    newest_done(&all);
    newest_done(&last);
    telemetry_done(&t);
}

static void a_clock_that_is_ahead_does_not_hold_the_picture_still(void **state)
{
    struct newest n = {0};
    struct reading fast = {SIGNAL_SPEED, 200}, slow = {SIGNAL_SPEED, 10};
    struct sample ahead = {T + 540000, 0, 1}, now = {T + 1000, 0, 1};
    struct telemetry first = {
        .samples = &ahead, .sample_count = 1, .readings = &fast, .reading_count = 1};
    struct telemetry then = {
        .samples = &now, .sample_count = 1, .readings = &slow, .reading_count = 1};

    (void)state;
    newest_merge(&n, &first, T);
    assert_int_equal(n.t_ms, T);
    assert_int_equal(newest_find(&n, SIGNAL_SPEED)->t_ms, T + 540000); /* as the history has it */
    newest_merge(&n, &then, T + 1000);
    assert_int_equal(n.t_ms, T + 1000);
    assert_true(value_of(&n, SIGNAL_SPEED) == 10);
    newest_done(&n);
}

/* Of a clock that stays ahead the newest is shown, whatever the fraction of a second. */
static void a_clock_that_stays_ahead_moves_on(void **state)
{
    struct newest n = {0};
    struct reading r = {SIGNAL_SPEED, 0};
    struct sample s = {T, 0, 1};
    struct telemetry t = {.samples = &s, .sample_count = 1, .readings = &r, .reading_count = 1};

    (void)state;
    for (int i = 0; i < 50; i++) {
        s.t_ms = T + 300000 + 137 * i;
        r.value = i;
        assert_true(newest_merge(&n, &t, T + 130 * i));
        assert_true(value_of(&n, SIGNAL_SPEED) == i);
    }
    s.t_ms = T - 60000; /* late is late */
    assert_false(newest_merge(&n, &t, T + 7000));
    newest_done(&n);
}

static void that_it_was_ahead_is_kept_with_it(void **state)
{
    struct newest n = {0}, read = {0};
    struct reading r = {SIGNAL_SPEED, 50};
    struct sample s = {T + 540000, 0, 1};
    struct telemetry t = {.samples = &s, .sample_count = 1, .readings = &r, .reading_count = 1};
    struct live live = {0};
    struct text text;

    (void)state;
    newest_merge(&n, &t, T);
    text_init(&text);
    newest_print(&n, &text);
    assert_string_equal(text.bytes, "{\"Vehicle.Speed\":[50,1795248540000,\"gps\",540672]}");
    newest_read(&read, text.bytes, text.len);
    assert_int_equal(read.values[0].t_ms, T + 540000);
    assert_int_equal(read.values[0].ahead, n.values[0].ahead);
    assert_true(read.t_ms <= T && read.t_ms > T - 1024);
    newest_live(&read, &live);
    assert_true(live.has_speed);
    text_done(&text);
    newest_done(&n);
    newest_done(&read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_samples_that_are_alike_the_last_says_all),
        cmocka_unit_test(a_clock_that_is_ahead_does_not_hold_the_picture_still),
        cmocka_unit_test(a_clock_that_stays_ahead_moves_on),
        cmocka_unit_test(that_it_was_ahead_is_kept_with_it),
        cmocka_unit_test(times_of_no_calendar_are_no_values),
        cmocka_unit_test(newer_wins_and_late_does_not_replace),
        cmocka_unit_test(every_signal_has_its_place_whatever_the_order),
        cmocka_unit_test(a_late_record_fills_what_was_never_measured),
        cmocka_unit_test(speed_is_of_gps_unless_engine_speed_stands_beside_it),
        cmocka_unit_test(what_is_printed_is_read_back_to_the_bit),
        cmocka_unit_test(what_is_not_understood_is_left_out),
        cmocka_unit_test(the_map_shows_only_what_belongs_together),
        cmocka_unit_test(ignition_is_told_by_the_voltage_state_or_else_by_the_engine),
        cmocka_unit_test(what_is_shown_needs_six_signals_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
