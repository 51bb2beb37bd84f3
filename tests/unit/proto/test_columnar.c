/* Columnar records: the vector of the header, bit for bit there and back, and all that is refused.
 * Reads asyncapi.yaml and a recorded drive from the source tree: run from the project's folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/columnar.h"

#define STREAM "0197f3c2-5f0e-7abc-8def-0123456789ab"
#define STREAM_HEX "0197f3c25f0e7abc8def0123456789ab"
#define T0 INT64_C(1795248000000)
#define T0_HEX "8098fae89f34"
#define VECTOR                                                                                     \
    "c10107" STREAM_HEX "2a03" T0_HEX "e80703"                                                     \
    "0512e8070a1e"                                                                                 \
    "090008"                                                                                       \
    "07080519"
#define LIMIT (INT64_C(1) << 53)
#define SIZE ((size_t)1 << 19)

static struct fault fault;
static char bytes[SIZE], more[SIZE];

/* ---- helpers ---- */

static size_t from_hex(char *out, const char *hex)
{
    size_t len = 0;
    unsigned byte;

    for (; *hex; hex += 2) {
        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        out[len++] = (char)byte;
    }
    return len;
}

/* From memory of exactly this size, so that a sanitizer sees one byte too many. */
static enum status read_exact(struct telemetry *t, const char *from, size_t len)
{
    char *exact = malloc(len ? len : 1);
    enum status st;

    memcpy(exact, from, len);
    fault.text[0] = '\0';
    st = columnar_read(t, exact, len, &fault);
    free(exact);
    return st;
}

static enum status read_hex(struct telemetry *t, const char *hex)
{
    char raw[4096];

    return read_exact(t, raw, from_hex(raw, hex));
}

static void begin(struct telemetry *t)
{
    telemetry_clear(t);
    strcpy(t->head.schema, "telemetry/1");
    strcpy(t->head.stream, STREAM);
    t->head.seq = 42;
    t->head.clock = CLOCK_GPS;
}

static void sample(struct telemetry *t, int64_t t_ms)
{
    assert_int_equal(telemetry_sample(t, t_ms, &fault), ST_OK);
}

static void reading(struct telemetry *t, uint16_t signal, double value)
{
    assert_int_equal(telemetry_reading(t, signal, value, &fault), ST_OK);
}

static const struct reading *find(const struct telemetry *t, size_t at, uint16_t signal)
{
    const struct sample *s = &t->samples[at];

    for (uint32_t i = 0; i < s->count; i++)
        if (t->readings[s->first + i].signal == signal)
            return &t->readings[s->first + i];
    return NULL;
}

/* The same samples with the same bits in every value, in whatever order within a sample. */
static void assert_same(const struct telemetry *a, const struct telemetry *b)
{
    assert_string_equal(a->head.schema, b->head.schema);
    assert_string_equal(a->head.stream, b->head.stream);
    assert_true(a->head.seq == b->head.seq);
    assert_int_equal(a->head.clock, b->head.clock);
    assert_int_equal(a->sample_count, b->sample_count);
    assert_int_equal(a->reading_count, b->reading_count);
    for (size_t i = 0; i < a->sample_count; i++) {
        assert_true(a->samples[i].t_ms == b->samples[i].t_ms);
        assert_int_equal(a->samples[i].count, b->samples[i].count);
        for (uint32_t k = 0; k < a->samples[i].count; k++) {
            const struct reading *x = &a->readings[a->samples[i].first + k],
                                 *y = find(b, i, x->signal);

            assert_non_null(y);
            assert_memory_equal(&x->value, &y->value, sizeof x->value);
        }
    }
}

static size_t there_and_back(const struct telemetry *t)
{
    struct telemetry back;
    size_t len = 0, again = 0;

    telemetry_init(&back);
    if (columnar_write(t, bytes, sizeof bytes, &len, &fault) != ST_OK)
        fail_msg("not written: %s", fault.text);
    if (read_exact(&back, bytes, len) != ST_OK)
        fail_msg("not read: %s", fault.text);
    assert_same(t, &back);
    assert_int_equal(columnar_write(&back, more, sizeof more, &again, &fault), ST_OK);
    assert_int_equal(again, len); /* columns may be met in another order, nothing else differs */
    telemetry_done(&back);
    return len;
}

/* ---- the vector ---- */

static void build_vector(struct telemetry *t)
{
    static const double five[] = {50, 50.5, 52};

    begin(t);
    for (int i = 0; i < 3; i++) {
        sample(t, T0 + 1000 * i);
        reading(t, 5, five[i]);
        reading(t, 9, 4);
        if (i != 1)
            reading(t, 7, -13);
    }
}

static void the_test_vector_is_written_and_read(void **state)
{
    struct telemetry t, back;
    char expected[64];
    size_t len;

    (void)state;
    telemetry_init(&t);
    telemetry_init(&back);
    build_vector(&t);
    assert_int_equal(from_hex(expected, VECTOR), 43);
    assert_int_equal(columnar_write(&t, bytes, sizeof bytes, &len, &fault), ST_OK);
    assert_int_equal(len, 43);
    assert_memory_equal(bytes, expected, 43);
    assert_int_equal(read_hex(&back, VECTOR), ST_OK);
    assert_same(&t, &back);
    assert_null(find(&back, 1, 7));
    assert_int_equal(back.unknown_signals, 0);
    telemetry_done(&t);
    telemetry_done(&back);
}

static void the_documents_show_the_same_vector(void **state)
{
    static const char *const paths[] = {"proto/asyncapi.yaml", "proto/columnar.h"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        static char text[65536];
        FILE *file = fopen(paths[i], "r");
        size_t len, to = 0;

        if (!file)
            fail_msg("cannot open %s: run from the project's folder", paths[i]);
        len = fread(text, 1, sizeof text - 1, file);
        fclose(file);
        for (size_t k = 0; k < len; k++)
            if (!strchr(" *\n", text[k]))
                text[to++] = text[k];
        text[to] = '\0';
        if (!strstr(text, VECTOR))
            fail_msg("%s does not show the vector", paths[i]);
    }
}

static void the_head_alone_tells_stream_and_seq(void **state)
{
    struct envelope head;
    char raw[64];
    size_t len = from_hex(raw, VECTOR);

    (void)state;
    assert_true(columnar_is(raw, len));
    assert_false(columnar_is(raw, 0));
    assert_false(columnar_is("{", 1));
    assert_int_equal(columnar_head(&head, raw, 20, &fault), ST_OK); /* the rest is not needed */
    assert_string_equal(head.schema, "telemetry/1");
    assert_string_equal(head.stream, STREAM);
    assert_int_equal(head.seq, 42);
    assert_int_equal(head.clock, CLOCK_GPS);
    assert_int_equal(columnar_head(&head, raw, 19, &fault), ST_REJECT);
    assert_string_equal(head.stream, STREAM); /* no seq, so no acknowledgement, but a trace */
    assert_int_equal(head.seq, 0);
    assert_int_equal(columnar_head(&head, raw, 18, &fault), ST_REJECT);
    assert_string_equal(head.stream, "");
    raw[1] = 2; /* a later version is a dead letter that can be acknowledged */
    assert_int_equal(columnar_head(&head, raw, len, &fault), ST_REJECT);
    assert_string_equal(head.stream, STREAM);
    assert_int_equal(head.seq, 42);
    raw[0] = 0x7b;
    assert_int_equal(columnar_head(&head, raw, len, &fault), ST_REJECT);
    assert_string_equal(head.stream, "");
    assert_int_equal(head.seq, 0);
}

/* ---- there and back ---- */

static double random_value(int kind)
{
    uint64_t bits = (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();
    double value;

    switch (kind) {
    case 0:
        return rand() % 3; /* often constant */
    case 1:
        return (rand() % 2000 - 1000) / 10.0;
    case 2:
        return (rand() % 360000000 - 180000000) / 1e6;
    case 3:
        return ldexp((double)(rand() % 4096 - 2048), rand() % 80 - 30);
    case 4:
        return (double)(bits % (uint64_t)(2 * LIMIT)) - (double)LIMIT; /* to the limit and at it */
    case 5:
        return 83.13725490196079 + rand() % 2;
    case 6:
        return -0.0;
    default:
        memcpy(&value, &bits, sizeof value);
        return isfinite(value) ? value : 1e308;
    }
}

static void random_records_return_bit_for_bit(void **state)
{
    struct telemetry t;

    (void)state;
    srand(20);
    telemetry_init(&t);
    for (int round = 0; round < 3000; round++) {
        int samples = 1 + rand() % (round % 50 ? 12 : 300), columns = 1 + rand() % 20;
        int regular = rand() % 2, missing = rand() % 3 ? rand() % 100 : 0, order = rand() % 3;
        int64_t t_ms = rand();

        begin(&t);
        t.head.seq = 1 + rand();
        t.head.clock = (enum clock_source)(rand() % 4);
        for (int i = 0; i < samples; i++) {
            sample(&t, t_ms += regular ? 1000 : 1 + rand() % (rand() % 9 ? 50 : 100000000));
            for (int k = 0; k < columns; k++) {
                int at = order == 0 ? columns - 1 - k : order == 1 ? (k + i) % columns : k;
                double value = random_value(at % 9);

                if (rand() % 100 >= missing || k == 0)
                    reading(&t, (uint16_t)(at * 7 + 1), value == 0 ? 0.0 : value);
            }
        }
        there_and_back(&t);
    }
    telemetry_done(&t);
}

/* Ten signals, row by row, as an ELM327 answered them; kept to their decimals as the agent does. */
static size_t read_drive(struct telemetry *t, FILE *file, size_t samples)
{
    static const uint16_t ids[] = {21, 27, 14, 1, 29, 30, 31, 94, 97, 98};
    char line[256], *at, *end;
    size_t n = 0;

    while (n < samples && fgets(line, sizeof line, file)) {
        int hour, minute;
        double second;

        if (sscanf(line, "%d:%d:%lf", &hour, &minute, &second) != 3)
            continue; /* the heading */
        if (n++ == 0)
            begin(t);
        sample(t, T0 + (hour * 60 + minute) * 60000 + (int64_t)(second * 1000 + 0.5));
        at = strchr(line, ',') + 1;
        for (size_t k = 0; k < sizeof ids / sizeof *ids; k++, at += strcspn(at, ",\n") + 1) {
            double value = strtod(at, &end);

            if (end != at)
                reading(t, ids[k], signal_round(ids[k], value));
        }
    }
    return n;
}

static void a_recorded_drive_returns_bit_for_bit_and_as_its_json_says(void **state)
{
    FILE *file = fopen("tests/captures/kit_2018-02-23_RT_RT_Frei_Beschleunigung.csv", "r");
    struct telemetry t, json;
    size_t records = 0, columnar_bytes = 0, json_bytes = 0;

    (void)state;
    if (!file)
        fail_msg("no recorded drive: run from the project's folder");
    telemetry_init(&t);
    telemetry_init(&json);
    while (read_drive(&t, file, 30) > 0) {
        size_t len;

        columnar_bytes += there_and_back(&t);
        assert_int_equal(telemetry_write(&t, more, JSON_MAX_BYTES, &len, &fault), ST_OK);
        json_bytes += len;
        assert_int_equal(telemetry_read(&json, more, len, &fault), ST_OK);
        assert_same(&json, &t);
        records++;
    }
    fclose(file);
    assert_true(records > 300);
    assert_true(columnar_bytes * 20 < json_bytes);
    telemetry_done(&t);
    telemetry_done(&json);
}

static void minus_zero_becomes_zero_and_an_empty_sample_is_left_out(void **state)
{
    struct telemetry t, back;
    size_t len;

    (void)state;
    telemetry_init(&t);
    telemetry_init(&back);
    begin(&t);
    sample(&t, 10);
    sample(&t, 20);
    reading(&t, 1, -0.0);
    reading(&t, 2, 1.0 / 3); /* a column that is no decimal, to send -0.0 raw as well */
    sample(&t, 30);
    sample(&t, 50);
    reading(&t, 2, -0.0);
    assert_int_equal(columnar_write(&t, bytes, sizeof bytes, &len, &fault), ST_OK);
    assert_int_equal(bytes[len - 1], 0); /* its sign was there */
    assert_int_equal(columnar_read(&back, bytes, len, &fault), ST_OK);
    assert_int_equal(back.sample_count, 2);
    assert_int_equal(back.samples[0].t_ms, 20);
    assert_int_equal(back.samples[1].t_ms, 50);
    assert_false(signbit(find(&back, 0, 1)->value));
    assert_false(signbit(find(&back, 1, 2)->value));
    /* and where another writer sends it */
    assert_int_equal(read_hex(&back, "c10107" STREAM_HEX "0101" T0_HEX "010101030000000000000080"),
                     ST_OK);
    assert_true(find(&back, 0, 1)->value == 0 && !signbit(find(&back, 0, 1)->value));
    telemetry_done(&t);
    telemetry_done(&back);
}

static void columns_come_in_the_order_signals_first_appear(void **state)
{
    struct telemetry t, back;
    size_t len;

    (void)state;
    telemetry_init(&t);
    telemetry_init(&back);
    begin(&t);
    sample(&t, T0);
    reading(&t, 9, 1);
    reading(&t, 3, 1);
    sample(&t, T0 + 1);
    reading(&t, 1, 1);
    reading(&t, 3, 1);
    reading(&t, 9, 1);
    assert_int_equal(columnar_write(&t, bytes, sizeof bytes, &len, &fault), ST_OK);
    assert_int_equal(columnar_read(&back, bytes, len, &fault), ST_OK);
    assert_int_equal(back.readings[0].signal, 9);
    assert_int_equal(back.readings[1].signal, 3);
    assert_int_equal(back.readings[2].signal, 9);
    assert_int_equal(back.readings[3].signal, 3);
    assert_int_equal(back.readings[4].signal, 1);
    telemetry_done(&t);
    telemetry_done(&back);
}

/* The head byte of a record's only column, of which `values` are given. */
static unsigned head_of(uint16_t signal, const double *values, size_t n)
{
    struct telemetry t;
    unsigned head;

    telemetry_init(&t);
    begin(&t);
    for (size_t i = 0; i < n; i++) {
        sample(&t, T0 + (int64_t)i);
        reading(&t, signal, values[i]);
    }
    there_and_back(&t);
    head = (unsigned char)bytes[3 + 16 + 1 + 1 + 6 + 1 + 1 + 1];
    telemetry_done(&t);
    return head;
}

static void the_smallest_exponent_and_mode_are_taken(void **state)
{
    static const struct {
        uint16_t signal;
        double values[3];
        unsigned head;
    } cases[] = {
        {SIGNAL_SPEED, {50, 51, 53}, 0x02},
        {SIGNAL_SPEED, {50, 50, 50}, 0x00},
        {SIGNAL_SPEED, {50, 51, 52}, 0x01},
        {SIGNAL_SPEED, {0.3, 0.2, 0.1}, 0x11},
        {SIGNAL_SPEED, {0, 0, 0.25}, 0x22}, /* more decimals than its sender should keep */
        {SIGNAL_SPEED, {0.1 + 0.2, 0.2, 0.1}, 0x03},
        {SIGNAL_SPEED, {1e-9, 0, 5}, 0x92},
        {SIGNAL_SPEED, {1e-10, 0, 5}, 0x03},
        {SIGNAL_LATITUDE, {48.5286, 48.5287, 48.5289}, 0x42},
        {SIGNAL_LATITUDE, {48.528601, 48, 48}, 0x62},
        {SIGNAL_LATITUDE, {48, 48, 48}, 0x00},
        {SIGNAL_LATITUDE, {1e12, 1e12, 1e12}, 0x00}, /* times 10^6 it is too large to tell */
        {SIGNAL_LATITUDE, {1e12, 1e12, 0.5}, 0x12},
        {SIGNAL_LATITUDE, {1e15, 1e15, 0.5}, 0x03},
        {SIGNAL_SPEED, {0x1p52 + 1, 0x1p53 - 1, 0x1p52 + 3}, 0x02},
        {SIGNAL_SPEED, {0x1p53, 0x1p53, 0x1p53}, 0x03},
        {SIGNAL_SPEED, {0x1p53 - 1, -0x1p53 + 1, 0}, 0x03}, /* a distance that is no integer */
        {SIGNAL_SPEED, {1e300, -5e-324, 0}, 0x03},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned head = head_of(cases[i].signal, cases[i].values, 3);

        if (head != cases[i].head)
            fail_msg("case %zu has head 0x%02x, not 0x%02x", i, head, cases[i].head);
    }
}

static size_t length_at(const int64_t *times, size_t n)
{
    struct telemetry t;
    size_t len;

    telemetry_init(&t);
    begin(&t);
    for (size_t i = 0; i < n; i++) {
        sample(&t, times[i]);
        reading(&t, SIGNAL_SPEED, 50);
    }
    len = there_and_back(&t);
    telemetry_done(&t);
    return len;
}

static void one_pause_costs_a_few_bytes_wherever_it_is(void **state)
{
    int64_t times[100];
    size_t regular;

    (void)state;
    for (int i = 0; i < 100; i++)
        times[i] = T0 + 1000 * i;
    regular = length_at(times, 100);
    for (size_t pause = 1; pause < 100; pause += 14) {
        for (size_t i = 0; i < 100; i++)
            times[i] = T0 + 1000 * (int64_t)i + (int64_t)(i % 7 * 5) + (i >= pause ? 3600000 : 0);
        assert_true(length_at(times, 100) <= regular + 99 + 4); /* a byte each, the pause five */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_test_vector_is_written_and_read),
        cmocka_unit_test(the_documents_show_the_same_vector),
        cmocka_unit_test(the_head_alone_tells_stream_and_seq),
        cmocka_unit_test(random_records_return_bit_for_bit),
        cmocka_unit_test(a_recorded_drive_returns_bit_for_bit_and_as_its_json_says),
        cmocka_unit_test(minus_zero_becomes_zero_and_an_empty_sample_is_left_out),
        cmocka_unit_test(columns_come_in_the_order_signals_first_appear),
        cmocka_unit_test(the_smallest_exponent_and_mode_are_taken),
        cmocka_unit_test(one_pause_costs_a_few_bytes_wherever_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
