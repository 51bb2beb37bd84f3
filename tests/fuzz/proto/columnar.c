/* Any bytes as a columnar record: what is accepted keeps the limits and, written and read again, is
 * the same to the bit; what is refused leaves nothing behind but its head.  And any bytes as what
 * to write: every record returns to the bit, or is refused for a reason. */
#include "tests/fuzz/require.h"

#include <math.h>
#include <string.h>

#include "proto/columnar.h"

static char out[1 << 19];

static void check_rules(const struct telemetry *t)
{
    size_t readings = 0;

    REQUIRE(t->sample_count <= TELEMETRY_SAMPLES_MAX && t->reading_count <= TELEMETRY_READINGS_MAX);
    REQUIRE(uuid_is_valid(t->head.stream, strlen(t->head.stream)) && t->head.seq >= 1);
    for (size_t i = 0; i < t->sample_count; i++) {
        const struct sample *s = &t->samples[i];

        REQUIRE(s->count > 0 && s->first == readings);
        REQUIRE(s->t_ms >= 0 && s->t_ms < JSON_INTEGER_MAX);
        REQUIRE(i == 0 || t->samples[i - 1].t_ms < s->t_ms);
        for (uint32_t k = 0; k < s->count; k++) {
            double value = t->readings[s->first + k].value;

            REQUIRE(signal_row(t->readings[s->first + k].signal));
            REQUIRE(isfinite(value) && !(value == 0 && signbit(value)));
            for (uint32_t m = 0; m < k; m++)
                REQUIRE(t->readings[s->first + k].signal != t->readings[s->first + m].signal);
        }
        readings += s->count;
    }
    REQUIRE(readings == t->reading_count);
}

static bool has_reading(const struct telemetry *t, const struct sample *s, const struct reading *r)
{
    for (uint32_t k = 0; k < s->count; k++)
        if (t->readings[s->first + k].signal == r->signal)
            return memcmp(&t->readings[s->first + k].value, &r->value, sizeof r->value) == 0;
    return false;
}

static void check_same(const struct telemetry *a, const struct telemetry *b)
{
    REQUIRE(a->sample_count == b->sample_count && a->reading_count == b->reading_count);
    REQUIRE(strcmp(a->head.stream, b->head.stream) == 0 && a->head.seq == b->head.seq &&
            a->head.clock == b->head.clock);
    for (size_t i = 0; i < a->sample_count; i++) {
        const struct sample *s = &a->samples[i], *u = &b->samples[i];

        REQUIRE(s->t_ms == u->t_ms && s->count == u->count);
        for (uint32_t k = 0; k < s->count; k++)
            REQUIRE(has_reading(b, u, &a->readings[s->first + k]));
    }
}

static void check_writing(const struct telemetry *t)
{
    static struct telemetry again;
    struct fault fault;
    size_t len;

    REQUIRE(columnar_write(t, out, sizeof out, &len, &fault) == ST_OK);
    REQUIRE(columnar_is(out, len));
    REQUIRE(columnar_read(&again, out, len, &fault) == ST_OK);
    REQUIRE(again.unknown_signals == 0);
    check_rules(&again);
    check_same(t, &again);
}

static void check_reading(const char *bytes, size_t size)
{
    static struct telemetry t; /* reused, as ingest does */
    struct envelope head;
    struct fault fault = {""};
    enum status st = columnar_head(&head, bytes, size, &fault);

    REQUIRE((st == ST_OK) == !fault.text[0]);
    REQUIRE(st != ST_OK || (columnar_is(bytes, size) && head.stream[0] && head.seq >= 1));
    if (columnar_read(&t, bytes, size, &fault) != ST_OK) {
        REQUIRE(fault.text[0] && t.sample_count == 0 && t.reading_count == 0);
        REQUIRE(strcmp(head.stream, t.head.stream) == 0 && head.seq == t.head.seq);
        return;
    }
    REQUIRE(st == ST_OK && strcmp(head.stream, t.head.stream) == 0 && head.seq == t.head.seq &&
            head.clock == t.head.clock);
    check_rules(&t);
    if (t.sample_count > 0) /* else all unknown: nothing a record could be made of */
        check_writing(&t);
}

/* A value a column could trip over, from 8 bytes. */
static double make_value(const uint8_t *from, unsigned kind)
{
    int64_t integer;
    double value;

    memcpy(&integer, from, sizeof integer);
    memcpy(&value, from, sizeof value);
    if (kind % 4 == 0)
        value = (double)(integer % 1000) / 10;
    else if (kind % 4 == 1)
        value = (double)(integer % 1800000000) / 1e7;
    else if (kind % 4 == 2)
        value = (double)(integer >> (kind >> 2 & 15)); /* around 2^53 and beyond */
    return !isfinite(value) || value == 0 ? 0.0 : value;
}

/* 10 bytes each: what to do, then a value.  The readings of a sample come in any order. */
static void check_building(const uint8_t *data, size_t size)
{
    static struct telemetry t;
    struct fault fault;
    int64_t t_ms = 0;

    telemetry_clear(&t);
    strcpy(t.head.schema, "telemetry/1");
    strcpy(t.head.stream, "0197f3c2-5f0e-7abc-8def-0123456789ab");
    t.head.seq = 1 + (int64_t)size;
    t.head.clock = (enum clock_source)(size % 4);
    for (; size >= 10; data += 10, size -= 10) {
        bool empty = t.sample_count && t.samples[t.sample_count - 1].count == 0;

        if (t.sample_count == 0 || (data[0] & 1 && !empty)) {
            t_ms += data[0] & 2 ? 1000 : 1 + (int64_t)data[1] * data[2] * data[3];
            if (telemetry_sample(&t, t_ms, &fault) != ST_OK)
                break;
        }
        if (telemetry_reading(&t, (uint16_t)(1 + data[1] % 24), make_value(data + 2, data[0] >> 2),
                              &fault) != ST_OK)
            break;
    }
    if (t.sample_count > 0 && t.samples[t.sample_count - 1].count > 0)
        check_writing(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_reading((const char *)data, size);
    check_building(data, size);
    return 0;
}
