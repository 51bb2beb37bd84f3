/* Any bytes as telemetry/1: what is accepted keeps the limits and, written and read again, is the
 * same to the bit; what is refused leaves no sample behind; the salvaged head never contradicts the
 * parsed one. */
#include "tests/fuzz/require.h"

#include <math.h>
#include <string.h>

#include "proto/telemetry.h"

static void check_rules(const struct telemetry *t)
{
    size_t readings = 0;

    REQUIRE(t->sample_count <= TELEMETRY_SAMPLES_MAX && t->reading_count <= TELEMETRY_READINGS_MAX);
    REQUIRE(uuid_is_valid(t->head.stream, strlen(t->head.stream)) && t->head.seq >= 1);
    for (size_t i = 0; i < t->sample_count; i++) {
        const struct sample *s = &t->samples[i];

        REQUIRE(s->count > 0 && s->first + s->count <= t->reading_count);
        REQUIRE(i == 0 || t->samples[i - 1].t_ms < s->t_ms);
        for (uint32_t k = 0; k < s->count; k++) {
            REQUIRE(signal_row(t->readings[s->first + k].signal));
            REQUIRE(isfinite(t->readings[s->first + k].value));
            for (uint32_t m = 0; m < k; m++)
                REQUIRE(t->readings[s->first + k].signal != t->readings[s->first + m].signal);
        }
        readings += s->count;
    }
    REQUIRE(readings == t->reading_count);
}

static void check_same(const struct telemetry *a, const struct telemetry *b)
{
    REQUIRE(a->sample_count == b->sample_count && a->reading_count == b->reading_count);
    REQUIRE(strcmp(a->head.stream, b->head.stream) == 0 && a->head.seq == b->head.seq &&
            a->head.clock == b->head.clock);
    for (size_t i = 0; i < a->sample_count; i++) {
        const struct sample *s = &a->samples[i], *u = &b->samples[i];

        REQUIRE(s->t_ms == u->t_ms && s->count == u->count);
        for (uint32_t k = 0; k < s->count; k++) {
            const struct reading *x = &a->readings[s->first + k], *y = &b->readings[u->first + k];

            REQUIRE(x->signal == y->signal && memcmp(&x->value, &y->value, sizeof x->value) == 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct telemetry t, again; /* reused, as ingest does */
    static char out[1 << 20];
    struct envelope salvaged;
    struct fault fault;
    size_t len;

    envelope_salvage(&salvaged, (const char *)data, size);
    REQUIRE(!salvaged.stream[0] || uuid_is_valid(salvaged.stream, strlen(salvaged.stream)));
    REQUIRE(salvaged.seq >= 0);
    if (telemetry_read(&t, (const char *)data, size, &fault) != ST_OK) {
        REQUIRE(t.sample_count == 0 && t.reading_count == 0);
        return 0;
    }
    check_rules(&t);
    REQUIRE(!salvaged.stream[0] || strcmp(salvaged.stream, t.head.stream) == 0);
    REQUIRE(!salvaged.seq || salvaged.seq == t.head.seq);
    if (t.sample_count == 0)
        return 0; /* all unknown: nothing a record could be made of */
    REQUIRE(telemetry_write(&t, out, sizeof out, &len, &fault) == ST_OK);
    if (len > JSON_MAX_BYTES)
        return 0; /* 1e9 is longer written out */
    REQUIRE(telemetry_read(&again, out, len, &fault) == ST_OK);
    check_same(&t, &again);
    return 0;
}
