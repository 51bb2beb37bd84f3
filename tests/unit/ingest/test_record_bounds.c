/* What a signal can say at all holds for columns, looked at column by column, as for JSON. */
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdbool.h>

#include "proto/columnar.h"
#include "services/ingest/record/record.h"

#define DAY (24LL * 3600 * 1000)
#define NOW 1795248000000
#define STREAM "0197f3c2-5f0e-7abc-8def-0123456789ab"

/* Five samples of three signals, one of them perhaps with what cannot be, or from too long ago. */
static struct record *decode_five(bool columnar, size_t place, double value, bool old)
{
    static const uint16_t signals[] = {SIGNAL_SPEED, SIGNAL_LATITUDE, SIGNAL_HEADING};
    const struct arrival from = {.topic = {.vin = "WVWZZZ1KZAW000001", .leaf = LEAF_TELEMETRY}};
    struct telemetry t;
    struct fault fault;
    struct record *r;
    char bytes[2000];
    size_t len;

    telemetry_init(&t);
    t.head = (struct envelope){.stream = STREAM, .seq = 42, .clock = CLOCK_GPS};
    for (int i = 0; i < 5; i++) {
        int64_t t_ms = old && i == 0 ? NOW - 61 * DAY : NOW - 60000 + i * 1000;

        assert_int_equal(telemetry_sample(&t, t_ms, &fault), ST_OK);
        for (int k = 0; k < 3; k++)
            assert_int_equal(telemetry_reading(&t, signals[k], 40 + i * (k - 1), &fault), ST_OK);
    }
    if (place < t.reading_count)
        t.readings[place].value = value;
    assert_int_equal(columnar ? columnar_write(&t, bytes, sizeof bytes, &len, &fault)
                              : telemetry_write(&t, bytes, sizeof bytes, &len, &fault),
                     ST_OK);
    telemetry_done(&t);
    telemetry_init(&t);
    r = record_decode(&from, bytes, len, NOW, &t);
    telemetry_done(&t);
    assert_non_null(r);
    return r;
}

static void same_records(const struct record *a, const struct record *b)
{
    const struct telemetry *x = &a->telemetry, *y = &b->telemetry;

    assert_string_equal(a->reason, b->reason);
    assert_int_equal(x->alike, y->alike);
    assert_int_equal(x->sample_count, y->sample_count);
    if (a->reason[0])
        assert_string_equal(a->detail, b->detail);
    for (size_t i = 0; i < x->sample_count; i++) {
        assert_int_equal(x->samples[i].t_ms, y->samples[i].t_ms);
        assert_int_equal(x->samples[i].count, y->samples[i].count);
        for (size_t k = 0; k < x->samples[i].count; k++) {
            const struct reading *r = &x->readings[x->samples[i].first + k];

            assert_int_equal(r->signal, y->readings[y->samples[i].first + k].signal);
            assert_true(r->value == y->readings[y->samples[i].first + k].value);
        }
    }
}

/* Speeds end at 1,000, latitudes at 90, headings at 0 and 360. */
static void columns_have_the_bounds_their_json_has(void **state)
{
    static const double values[] = {40,    -0.1, -0.2, 90.000001, 91,   -91,
                                    360.1, 361,  1001, -1002,     1e300};

    (void)state;
    for (size_t place = 0; place < 16; place++) {
        for (size_t v = 0; v < 2 * (sizeof values / sizeof *values); v++) {
            struct record *a = decode_five(true, place, values[v / 2], v % 2);
            struct record *b = decode_five(false, place, values[v / 2], v % 2);

            same_records(a, b);
            record_free(a);
            record_free(b);
        }
    }
    struct record *r = decode_five(true, 99, 0, false);

    assert_true(r->telemetry.alike);
    record_free(r);
    r = decode_five(true, 7, 91, false);
    assert_string_equal(r->reason, "range");
    assert_int_equal(r->telemetry.samples[2].count, 2);
    record_free(r);
}

static bool is_kept(uint16_t signal, double value)
{
    const struct arrival from = {.topic = {.vin = "WVWZZZ1KZAW000001", .leaf = LEAF_TELEMETRY}};
    struct telemetry t;
    struct record *r;
    struct fault fault;
    char bytes[400];
    size_t len;
    bool kept;

    telemetry_init(&t);
    t.head = (struct envelope){.stream = STREAM, .seq = 1, .clock = CLOCK_GPS};
    assert_int_equal(telemetry_sample(&t, NOW - 1000, &fault), ST_OK);
    assert_int_equal(telemetry_reading(&t, signal, 0, &fault), ST_OK);
    t.readings[0].value = value;
    assert_int_equal(telemetry_write(&t, bytes, sizeof bytes, &len, &fault), ST_OK);
    telemetry_done(&t);
    telemetry_init(&t);
    r = record_decode(&from, bytes, len, NOW, &t);
    telemetry_done(&t);
    assert_non_null(r);
    kept = !r->reason[0];
    if (!kept)
        assert_string_equal(r->reason, "range");
    record_free(r);
    return kept;
}

static void each_signal_ends_where_the_table_says(void **state)
{
    (void)state;
    for (uint16_t id = 1; id <= signal_count(); id++) {
        const struct signal_row *row = signal_row(id);
        double step = pow(10, -row->decimals);

        assert_true(is_kept(id, row->lowest));
        assert_true(is_kept(id, row->highest));
        if (is_kept(id, row->lowest - step) || is_kept(id, row->highest + step))
            fail_msg("%s takes what is beyond %g .. %g", row->path, row->lowest, row->highest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_signal_ends_where_the_table_says),
        cmocka_unit_test(columns_have_the_bounds_their_json_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
