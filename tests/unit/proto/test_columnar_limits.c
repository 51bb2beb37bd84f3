/* Columnar records: what is refused, what is skipped, how large and how small they may be. */
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
#define HEAD "c10107" STREAM_HEX "2a" /* version 1, gps and regular, seq 42 */
#define ONE                                                                                        \
    HEAD "0101"                                                                                    \
         "01"                                                                                      \
         "01" /* one sample at 1 ms, step 1, one column */
#define TWO                                                                                        \
    HEAD "0201"                                                                                    \
         "01"                                                                                      \
         "01" /* two samples */
#define SIZE ((size_t)1 << 19)

static struct fault fault;
static char bytes[SIZE];

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
    strcpy(t->head.stream, STREAM);
    t->head.seq = 42;
    t->head.clock = CLOCK_GPS;
}

/* `samples` of `columns` signals whose values `kind` decides: 0 constant, 1 line, 2 one byte up or
 * down, 3 no decimal. */
static void build(struct telemetry *t, size_t samples, size_t columns, int kind)
{
    begin(t);
    for (size_t i = 0; i < samples; i++) {
        assert_int_equal(telemetry_sample(t, 1000 + 10 * (int64_t)i, &fault), ST_OK);
        for (size_t k = 0; k < columns; k++) {
            double value = kind == 0   ? 7
                           : kind == 1 ? (double)(k + i)
                           : kind == 2 ? (double)(i * i % 8)
                                       : 1.0 / 3 + (double)i;

            assert_int_equal(telemetry_reading(t, (uint16_t)(k + 1), value, &fault), ST_OK);
        }
    }
}

/* ---- refused ---- */

static void whatever_the_layout_does_not_allow_is_refused(void **state)
{
    static const struct {
        const char *hex, *why;
    } bad[] = {
        {HEAD "0001010101000a", "no sample"},
        {HEAD "e90701010101000a", "1001 samples"},
        {HEAD "018080808080808010010101000a", "a time of 2^53"},
        {HEAD "0101000101000a", "a step of 0"},
        {HEAD "02ffffffffffffff0f010101000a", "a time that passes 2^53 on the way"},
        {HEAD "0201ffffffffffffff0f0101000a", "a step that passes 2^53"},
        {HEAD "01010100", "no column"},
        {HEAD "010101810201000a", "257 columns"},
        {HEAD "e80701012101000a", "1000 samples of 33 columns"},
        {ONE "8100000a", "an id that is longer than need be"},
        {ONE "8080808080808010000a", "an id of 2^53"},
        {ONE "ffffffffffffffffffff01000a", "a varint of eleven bytes"},
        {ONE "00000a", "a path of no length"},
        {ONE "0081016161616161616161616161616161616161616161616161616161616161616161616161616161616"
             "1616161616161616161616161616161616161616161616161616161616161616161616161616161616161"
             "6161616161616161616161616161616161616161616161616161616161616161616161616161616161616"
             "161616161000a",
         "a path of 129 bytes"},
        {ONE "000461626300", "a path that is cut short"},
        {ONE "01040a", "mode 4"},
        {ONE "01070a", "mode 7"},
        {ONE "01a00a", "exponent 10"},
        {ONE "01f00a", "exponent 15"},
        {ONE "0113000000000000f03f", "a raw column with an exponent"},
        {ONE "0103000000000000f07f", "infinity"},
        {ONE "0103000000000000f8ff", "not a number"},
        {ONE "0103000000000000f0", "seven bytes of a double"},
        {ONE "01008000", "a value that is longer than need be"},
        {ONE "0100ffffffffffffff1f", "a value of -2^53"},
        {ONE "01008080808080808020", "a value of 2^53"},
        {ONE "0100808080808080808001", "a value of nine bytes"},
        {TWO "0101feffffffffffff1f02", "a line that leaves 2^53"},
        {TWO "0102feffffffffffff1f02", "a delta that leaves 2^53"},
        {TWO "0102feffffffffffff1fffffffffffffff1f", "a delta of -2^53 that ends within"},
        {TWO "010202", "a delta that is not there"},
        {TWO "010102", "a line without a step"},
        {TWO "0108000a", "a bitmap without a one"},
        {TWO "0108040a", "a bitmap with a spare bit only"},
        {TWO "0108070a", "a bitmap with a spare bit too many"},
        {TWO "0108", "no bitmap"},
        {HEAD "0201010201000a01000a", "a signal twice"},
        {HEAD "0201010201000a000d56656869636c652e5370656564000a",
         "a signal by its id and by its path"},
        {HEAD "02010102ff7f000aff7f000a", "an unknown id twice"},
        {HEAD "02010102000178000a000178000a", "an unknown path twice"},
        {HEAD "0201010201000a", "one column of two"},
        {HEAD "02010101ff7f040a", "an unknown id of an unknown mode"},
        {HEAD "02010101ff7f03000000000000f07f000000000000f07f", "unknown and infinite"},
        {ONE "01000a00", "a byte behind the end"},
    };
    struct telemetry t;

    (void)state;
    telemetry_init(&t);
    assert_int_equal(read_hex(&t, ONE "01000a"), ST_OK); /* what the above differ from */
    assert_int_equal(read_hex(&t, TWO "01000a"), ST_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (read_hex(&t, bad[i].hex) != ST_REJECT)
            fail_msg("accepted: %s", bad[i].why);
        assert_true(fault.text[0] != '\0');
        assert_string_equal(t.head.stream, STREAM);
        assert_int_equal(t.head.seq, 42);
        assert_int_equal(t.sample_count, 0);
        assert_int_equal(t.reading_count, 0);
        assert_int_equal(t.unknown_signals, 0);
    }
    telemetry_done(&t);
}

static void a_head_that_is_wrong_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "c1",
        "c101",
        "c20107" STREAM_HEX "2a0101010101000a", /* magic */
        "c10007" STREAM_HEX "2a0101010101000a", /* versions */
        "c10207" STREAM_HEX "2a0101010101000a",
        "c1010f" STREAM_HEX "2a0101010101000a", /* flags */
        "c10187" STREAM_HEX "2a0101010101000a",
        "c10107" STREAM_HEX "000101010101000a", /* seq 0, not minimal, 2^53 */
        "c10107" STREAM_HEX "aa000101010101000a",
        "c10107" STREAM_HEX "80808080808080100101010101000a",
        "7b7d",
    };
    struct telemetry t;

    (void)state;
    telemetry_init(&t);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (read_hex(&t, bad[i]) != ST_REJECT)
            fail_msg("accepted: %s", bad[i]);
    assert_int_equal(read_hex(&t, "c10107" STREAM_HEX "ffffffffffffff0f0101010101000a"), ST_OK);
    assert_true(t.head.seq == (INT64_C(1) << 53) - 1);
    telemetry_done(&t);
}

static void times_that_do_not_rise_are_refused_both_ways(void **state)
{
    struct telemetry t;
    size_t len = 4711;

    (void)state;
    telemetry_init(&t);
    /* irregular, step 5: 1, then +5 +0, then -4, -5 and -6 */
    assert_int_equal(read_hex(&t, "c10103" STREAM_HEX "2a03010500070101000a"), ST_OK);
    assert_int_equal(t.samples[1].t_ms, 6);
    assert_int_equal(t.samples[2].t_ms, 7);
    assert_int_equal(read_hex(&t, "c10103" STREAM_HEX "2a03010500090101000a"), ST_REJECT);
    assert_int_equal(read_hex(&t, "c10103" STREAM_HEX "2a030105000b0101000a"), ST_REJECT);
    assert_int_equal(read_hex(&t, "c10103" STREAM_HEX "2a03010500"), ST_REJECT);
    for (int64_t second = 5; second <= 6; second++) {
        begin(&t);
        assert_int_equal(telemetry_sample(&t, 6, &fault), ST_OK);
        assert_int_equal(telemetry_reading(&t, 1, 1, &fault), ST_OK);
        assert_int_equal(telemetry_sample(&t, second, &fault), ST_OK);
        assert_int_equal(telemetry_reading(&t, 1, 1, &fault), ST_OK);
        assert_int_equal(columnar_write(&t, bytes, SIZE, &len, &fault), ST_REJECT);
    }
    assert_int_equal(len, 4711);
    telemetry_done(&t);
}

static void a_record_cut_short_anywhere_is_refused(void **state)
{
    struct telemetry t, back;
    size_t whole;

    (void)state;
    telemetry_init(&t);
    telemetry_init(&back);
    for (int kind = 0; kind < 4; kind++) {
        build(&t, 9, 5, kind);
        t.samples[8].count--; /* the last signal becomes sparse */
        assert_int_equal(columnar_write(&t, bytes, SIZE, &whole, &fault), ST_OK);
        assert_int_equal(read_exact(&back, bytes, whole), ST_OK);
        assert_int_equal(back.reading_count, 44);
        for (size_t len = 0; len < whole; len++)
            assert_int_equal(read_exact(&back, bytes, len), ST_REJECT);
    }
    telemetry_done(&t);
    telemetry_done(&back);
}

static void a_record_that_does_not_fit_is_refused_at_every_size(void **state)
{
    struct telemetry t;
    size_t whole, len = 4711;

    (void)state;
    telemetry_init(&t);
    for (int kind = 0; kind < 4; kind++) {
        build(&t, 9, 5, kind);
        assert_int_equal(columnar_write(&t, bytes, SIZE, &whole, &fault), ST_OK);
        for (size_t size = 0; size < whole; size++) {
            char *exact = malloc(size ? size : 1);

            assert_int_equal(columnar_write(&t, exact, size, &len, &fault), ST_REJECT);
            free(exact);
        }
        assert_int_equal(len, 4711);
    }
    telemetry_done(&t);
}

static void the_writer_refuses_what_the_reader_would(void **state)
{
    struct telemetry t;
    size_t len;

    (void)state;
    telemetry_init(&t);
    begin(&t);
    assert_int_equal(columnar_write(&t, bytes, SIZE, &len, &fault), ST_REJECT); /* nothing */
    assert_int_equal(telemetry_sample(&t, 1, &fault), ST_OK);
    assert_int_equal(columnar_write(&t, bytes, SIZE, &len, &fault), ST_REJECT); /* no reading */
    assert_int_equal(telemetry_reading(&t, 1, 1, &fault), ST_OK);
    assert_int_equal(columnar_write(&t, bytes, SIZE, &len, &fault), ST_OK);
    for (int i = 0; i < 7; i++) {
        struct telemetry wrong = t;
        struct reading r = t.readings[0];
        struct sample s = t.samples[0];

        wrong.readings = &r;
        wrong.samples = &s;
        if (i < 2)
            wrong.head.seq = i ? INT64_C(1) << 53 : 0;
        else if (i == 2)
            strcpy(wrong.head.stream, "");
        else if (i == 3)
            s.t_ms = INT64_C(1) << 53;
        else if (i == 4)
            r.signal = (uint16_t)(signal_count() + 1);
        else
            r.value = i == 5 ? NAN : -INFINITY;
        assert_int_equal(columnar_write(&wrong, bytes, SIZE, &len, &fault), ST_REJECT);
    }
    telemetry_done(&t);
}

/* ---- skipped ---- */

static void unknown_columns_of_every_mode_are_skipped_and_counted(void **state)
{
    struct telemetry t;

    (void)state;
    telemetry_init(&t);
    assert_int_equal(read_hex(&t,
                              HEAD "03010107ff7f000a" /* 3 values */
                                   "0003612e62010a02" /* 3 */
                                   "ff7e020a0204"     /* 3 */
                                   "0102020402"       /* ours */
                                   "ff7d03000000000000f03f000000000000f03f000000000000f03f" /* 3 */
                                   "ff7c08050a"                                             /* 2 */
                                   "000d56656869636c652e53706565650a020a"),                 /* 1 */
                     ST_OK);
    assert_int_equal(t.unknown_signals, 15);
    assert_int_equal(t.sample_count, 3);
    assert_int_equal(t.reading_count, 3);
    assert_int_equal(t.readings[2].signal, SIGNAL_SPEED);
    assert_true(t.readings[0].value == 1 && t.readings[1].value == 3 && t.readings[2].value == 4);
    /* samples of which nothing is known are left out, as from JSON */
    assert_int_equal(read_hex(&t, HEAD "03010102ff7f000a0108040a"), ST_OK);
    assert_int_equal(t.unknown_signals, 3);
    assert_int_equal(t.sample_count, 1);
    assert_int_equal(t.samples[0].t_ms, 3);
    assert_int_equal(read_hex(&t, HEAD "03010101ff7f000a"), ST_OK);
    assert_int_equal(t.sample_count, 0);
    telemetry_done(&t);
}

static void a_path_of_the_table_is_its_signal(void **state)
{
    struct telemetry t;

    (void)state;
    telemetry_init(&t);
    assert_int_equal(read_hex(&t, ONE "000d56656869636c652e5370656564100b"), ST_OK);
    assert_int_equal(t.unknown_signals, 0);
    assert_int_equal(t.readings[0].signal, SIGNAL_SPEED);
    assert_true(t.readings[0].value == -0.6);
    telemetry_done(&t);
}

/* ---- sizes ---- */

static void check_size(size_t samples, size_t columns, int kind, size_t wanted)
{
    struct telemetry t, back;
    size_t len;

    telemetry_init(&t);
    telemetry_init(&back);
    build(&t, samples, columns, kind);
    assert_int_equal(columnar_write(&t, bytes, SIZE, &len, &fault), ST_OK);
    assert_int_equal(len, wanted);
    assert_int_equal(read_exact(&back, bytes, len), ST_OK);
    assert_int_equal(back.sample_count, samples);
    assert_int_equal(back.reading_count, samples * columns);
    assert_memory_equal(back.samples, t.samples, samples * sizeof *t.samples);
    for (size_t i = 0; i < samples * columns; i++) {
        assert_int_equal(back.readings[i].signal, t.readings[i].signal);
        assert_memory_equal(&back.readings[i].value, &t.readings[i].value, sizeof(double));
    }
    telemetry_done(&t);
    telemetry_done(&back);
}

static void the_size_is_what_the_layout_says(void **state)
{
    /* head 19 + seq 1 + n 1 (2 from 128 on) + t0 2 + step 1 + c 1 (2); a column id 1 (2) + 1 */
    (void)state;
    check_size(1, 17, 0, 25 + 17 * 3);
    check_size(30, 17, 0, 25 + 17 * 3);
    check_size(30, 17, 1, 25 + 17 * 4);
    check_size(30, 17, 2, 25 + 17 * (2 + 30));
    check_size(30, 17, 3, 25 + 17 * (2 + 30 * 8));
    check_size(1000, 32, 0, 26 + 32 * 3); /* 32 000 values in 122 bytes */
    check_size(1000, 32, 2, 26 + 32 * (2 + 1000));
    check_size(1000, 32, 3, 26 + 32 * (2 + 1000 * 8));
}

/* More columns than the table has signals: the rest is unknown. */
static size_t build_wide(size_t n, size_t columns)
{
    unsigned char *at = (unsigned char *)bytes + from_hex(bytes, HEAD);

    *at++ = (unsigned char)(n | 0x80);
    *at++ = (unsigned char)(n >> 7);
    *at++ = 1;
    *at++ = 1;
    *at++ = (unsigned char)(columns | 0x80);
    *at++ = (unsigned char)(columns >> 7);
    for (size_t id = 1; id <= columns; id++) {
        *at++ = (unsigned char)(id < 128 ? id : id | 0x80);
        if (id >= 128)
            *at++ = (unsigned char)(id >> 7);
        *at++ = 0;
        *at++ = 2;
    }
    return (size_t)(at - (unsigned char *)bytes);
}

static void a_record_at_the_limits_is_read_and_one_beyond_is_not(void **state)
{
    struct telemetry t;

    (void)state;
    telemetry_init(&t);
    assert_int_equal(read_exact(&t, bytes, build_wide(128, 256)), ST_OK);
    assert_int_equal(t.sample_count, 128);
    assert_int_equal(t.reading_count, 128 * signal_count());
    assert_int_equal(t.unknown_signals, 128 * (256 - signal_count()));
    assert_int_equal(read_exact(&t, bytes, build_wide(129, 256)), ST_REJECT);
    assert_int_equal(read_exact(&t, bytes, build_wide(128, 257)), ST_REJECT);
    assert_int_equal(read_exact(&t, bytes, build_wide(130, 252)), ST_OK);     /* 32 760 */
    assert_int_equal(read_exact(&t, bytes, build_wide(130, 253)), ST_REJECT); /* 32 890 */
    telemetry_done(&t);
}

static void the_writer_keeps_the_limits(void **state)
{
    static struct sample samples[TELEMETRY_SAMPLES_MAX + 1];
    static struct reading readings[TELEMETRY_SAMPLES_MAX + 1];
    struct telemetry t = {.samples = samples, .readings = readings};
    size_t len;

    (void)state;
    strcpy(t.head.stream, STREAM);
    t.head.seq = 1;
    for (uint32_t i = 0; i <= TELEMETRY_SAMPLES_MAX; i++) {
        samples[i] = (struct sample){i, i, 1};
        readings[i] = (struct reading){1, i % 3};
    }
    t.sample_count = t.reading_count = TELEMETRY_SAMPLES_MAX;
    assert_int_equal(columnar_write(&t, bytes, SIZE, &len, &fault), ST_OK);
    t.sample_count = t.reading_count = TELEMETRY_SAMPLES_MAX + 1;
    assert_int_equal(columnar_write(&t, bytes, SIZE, &len, &fault), ST_REJECT);
    t.sample_count = t.reading_count = TELEMETRY_SAMPLES_MAX; /* 33 columns, mostly empty */
    for (uint16_t i = 0; i < 33; i++)
        readings[i].signal = (uint16_t)(i + 1);
    assert_int_equal(columnar_write(&t, bytes, SIZE, &len, &fault), ST_REJECT);
    readings[32].signal = 1;
    assert_int_equal(columnar_write(&t, bytes, SIZE, &len, &fault), ST_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_the_layout_does_not_allow_is_refused),
        cmocka_unit_test(a_head_that_is_wrong_is_refused),
        cmocka_unit_test(times_that_do_not_rise_are_refused_both_ways),
        cmocka_unit_test(a_record_cut_short_anywhere_is_refused),
        cmocka_unit_test(a_record_that_does_not_fit_is_refused_at_every_size),
        cmocka_unit_test(the_writer_refuses_what_the_reader_would),
        cmocka_unit_test(unknown_columns_of_every_mode_are_skipped_and_counted),
        cmocka_unit_test(a_path_of_the_table_is_its_signal),
        cmocka_unit_test(the_size_is_what_the_layout_says),
        cmocka_unit_test(a_record_at_the_limits_is_read_and_one_beyond_is_not),
        cmocka_unit_test(the_writer_keeps_the_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
