/* proto/telemetry.c - telemetry/1: build, write, read. */
#include "proto/telemetry.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proto/emit.h"
#include "proto/scanner.h"

#define SCHEMA "telemetry/1"

void telemetry_init(struct telemetry *t)
{
    *t = (struct telemetry){0};
}

void telemetry_clear(struct telemetry *t)
{
    t->head = (struct envelope){0};
    t->sample_count = 0;
    t->reading_count = 0;
    t->unknown_signals = t->contradicted = 0;
    t->value_bytes = 0;
    t->alike = false;
}

void telemetry_done(struct telemetry *t)
{
    if (!t)
        return;
    free(t->samples);
    free(t->readings);
    telemetry_init(t);
}

/* Room for one more of `size` bytes each, at most `max`. */
static enum status grow(void **rows, size_t count, size_t *room, size_t size, size_t max,
                        struct fault *fault)
{
    size_t wanted = *room ? *room * 2 : 64;
    void *more;

    if (count >= max)
        return fault_set(fault, ST_REJECT, "record holds more than %zu rows", max);
    if (count < *room)
        return ST_OK;
    more = realloc(*rows, wanted * size);
    if (!more)
        return fault_set(fault, ST_FATAL, "out of memory for %zu bytes", wanted * size);
    *rows = more;
    *room = wanted;
    return ST_OK;
}

enum status telemetry_sample(struct telemetry *t, int64_t t_ms, struct fault *fault)
{
    void *rows = t->samples;
    enum status st;

    if (t_ms < 0 || t_ms > JSON_INTEGER_MAX)
        return fault_set(fault, ST_REJECT, "time %lld is not within 0 .. 2^53", (long long)t_ms);
    st = grow(&rows, t->sample_count, &t->sample_room, sizeof *t->samples, TELEMETRY_SAMPLES_MAX,
              fault);
    t->samples = rows;
    if (st != ST_OK)
        return st;
    t->samples[t->sample_count++] = (struct sample){t_ms, (uint32_t)t->reading_count, 0};
    return ST_OK;
}

/* Of the last sample; NULL: it has none of that signal. */
static struct reading *reading_of(struct telemetry *t, uint16_t signal)
{
    for (size_t i = t->samples[t->sample_count - 1].first; i < t->reading_count; i++)
        if (t->readings[i].signal == signal)
            return &t->readings[i];
    return NULL;
}

enum status telemetry_reading(struct telemetry *t, uint16_t signal, double value,
                              struct fault *fault)
{
    void *rows = t->readings;
    struct reading *before;
    struct sample *last;
    enum status st;

    if (t->sample_count == 0)
        return fault_set(fault, ST_REJECT, "a reading needs a sample");
    if (!signal_row(signal) || !isfinite(value))
        return fault_set(fault, ST_REJECT, "signal %u cannot be %g", signal, value);
    last = &t->samples[t->sample_count - 1];
    if (last->first + last->count != t->reading_count)
        return fault_set(fault, ST_REJECT, "a record that was read cannot be added to");
    if ((before = reading_of(t, signal)) != NULL) {
        before->value = value; /* the later value wins, as everywhere */
        return ST_OK;
    }
    st = grow(&rows, t->reading_count, &t->reading_room, sizeof *t->readings,
              TELEMETRY_READINGS_MAX, fault);
    t->readings = rows;
    if (st != ST_OK)
        return st;
    t->readings[t->reading_count++] = (struct reading){signal, value};
    last->count++;
    return ST_OK;
}

/* ---- write ---- */

static void write_sample(struct emit *e, const struct telemetry *t, const struct sample *s)
{
    emit_raw(e, "{\"t\":");
    emit_int64(e, s->t_ms);
    emit_raw(e, ",\"s\":{");
    for (uint32_t i = 0; i < s->count; i++) {
        const struct reading *r = &t->readings[s->first + i];

        emit_raw(e, i ? ",\"" : "\"");
        emit_raw(e, signal_row(r->signal)->path);
        emit_raw(e, "\":");
        emit_double(e, r->value);
    }
    emit_raw(e, "}}");
}

enum status telemetry_write(const struct telemetry *t, char *out, size_t size, size_t *len,
                            struct fault *fault)
{
    struct emit e = {.out = out, .size = size};

    emit_raw(&e, "{\"schema\":\"" SCHEMA "\",\"stream\":");
    emit_text(&e, t->head.stream);
    emit_raw(&e, ",\"seq\":");
    emit_int64(&e, t->head.seq);
    emit_raw(&e, ",\"clock\":");
    emit_text(&e, clock_name(t->head.clock));
    emit_raw(&e, ",\"samples\":[");
    for (size_t i = 0; i < t->sample_count; i++) {
        if (i)
            emit_raw(&e, ",");
        write_sample(&e, t, &t->samples[i]);
    }
    emit_raw(&e, "]}");
    return emit_end(&e, SCHEMA, len, fault);
}

/* ---- read ---- */

static enum status read_readings(struct telemetry *out, json_t *s, struct fault *fault)
{
    const char *path;
    json_t *value;
    enum status st;

    json_object_foreach(s, path, value)
    {
        uint16_t signal;
        double number;

        signal = signal_find(path, strlen(path));
        if (signal == SIGNAL_NONE) { /* whatever it says: we would not know what to expect */
            out->unknown_signals++;
            continue;
        }
        if (!json_is_number(value))
            return fault_set(fault, ST_REJECT, "a signal of sample %zu is not a number",
                             out->sample_count - 1);
        number = json_number_value(value);
        st = telemetry_reading(out, signal, number == 0 ? 0.0 : number, fault);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

static enum status read_samples(struct telemetry *out, const json_t *message, struct fault *fault)
{
    const json_t *samples = json_object_get(message, "samples");
    enum status st;

    if (!json_is_array(samples) || json_array_size(samples) == 0)
        return fault_set(fault, ST_REJECT, "samples is not an array of at least one");
    for (size_t i = 0; i < json_array_size(samples); i++) {
        const json_t *sample = json_array_get(samples, i);
        json_t *s = json_object_get(sample, "s");
        int64_t t_ms;

        if (!json_is_object(sample) || !json_is_object(s))
            return fault_set(fault, ST_REJECT, "sample %zu is not {t, s}", i);
        st = json_get_int64(sample, "t", 0, JSON_INTEGER_MAX, &t_ms, fault);
        if (st != ST_OK)
            return ST_REJECT;
        if ((st = telemetry_sample(out, t_ms, fault)) != ST_OK ||
            (st = read_readings(out, s, fault)) != ST_OK)
            return st;
        if (out->samples[out->sample_count - 1].count == 0)
            out->sample_count--; /* nothing we know was measured: nothing to keep */
    }
    return ST_OK;
}

/* By time, then as they came: readings were appended in that order, so `first` tells it. */
static int by_time(const void *left, const void *right)
{
    const struct sample *a = left, *b = right;

    if (a->t_ms != b->t_ms)
        return a->t_ms < b->t_ms ? -1 : 1;
    return a->first < b->first ? -1 : a->first > b->first;
}

static bool strictly_rising(const struct telemetry *t)
{
    for (size_t i = 1; i < t->sample_count; i++)
        if (t->samples[i - 1].t_ms >= t->samples[i].t_ms)
            return false;
    return true;
}

/* A sample more of the time that the last of `t` has. */
static enum status merge_sample(struct telemetry *t, const struct reading *readings, uint32_t n,
                                struct fault *fault)
{
    enum status st = ST_OK;

    for (uint32_t k = 0; k < n && st == ST_OK; k++) {
        const struct reading *before = reading_of(t, readings[k].signal);

        t->contradicted += before && before->value != readings[k].value;
        st = telemetry_reading(t, readings[k].signal, readings[k].value, fault);
    }
    return st;
}

/* Make samples of equal time one, the later value of a signal wins. */
static enum status merge(struct telemetry *t, struct fault *fault)
{
    struct telemetry merged = *t;
    enum status st = ST_OK;

    merged.readings = NULL;
    merged.samples = NULL;
    merged.sample_count = merged.sample_room = merged.reading_count = merged.reading_room = 0;
    for (size_t i = 0; i < t->sample_count && st == ST_OK; i++) {
        const struct sample *s = &t->samples[i];

        if (i == 0 || t->samples[i - 1].t_ms != s->t_ms)
            st = telemetry_sample(&merged, s->t_ms, fault);
        if (st == ST_OK)
            st = merge_sample(&merged, t->readings + s->first, s->count, fault);
    }
    if (st != ST_OK) {
        telemetry_done(&merged);
        return st;
    }
    free(t->samples);
    free(t->readings);
    *t = merged;
    return ST_OK;
}

enum status telemetry_read_tree(struct telemetry *out, const char *bytes, size_t len,
                                struct fault *fault)
{
    json_t *message = NULL;
    enum status st;

    telemetry_clear(out);
    st = json_read(&message, bytes, len, JSON_MAX_BYTES, fault);
    if (st != ST_OK) {
        envelope_salvage(&out->head, bytes, len);
        return st;
    }
    st = envelope_read(&out->head, message, fault);
    if (st == ST_OK && strcmp(out->head.schema, SCHEMA) != 0)
        st = fault_set(fault, ST_REJECT, "schema is not " SCHEMA);
    if (st == ST_OK)
        st = read_samples(out, message, fault);
    json_decref(message);
    if (st == ST_OK && !strictly_rising(out)) {
        qsort(out->samples, out->sample_count, sizeof *out->samples, by_time);
        st = merge(out, fault);
    }
    if (st != ST_OK)
        out->sample_count = out->reading_count = 0; /* half a record is none */
    return st;
}

enum status telemetry_read(struct telemetry *out, const char *bytes, size_t len,
                           struct fault *fault)
{
    if (scanner_read(out, bytes, len))
        return ST_OK;
    return telemetry_read_tree(out, bytes, len, fault);
}
