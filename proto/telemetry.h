/* proto/telemetry.h - `telemetry/1`: samples of signals, as JSON.  Pure; one struct, one thread. */
#ifndef PROTO_TELEMETRY_H
#define PROTO_TELEMETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope.h"
#include "proto/signals.h"
#include "proto/status.h"

#define TELEMETRY_SAMPLES_MAX 1000
#define TELEMETRY_READINGS_MAX 32768

struct reading {
    uint16_t signal; /* id, see signals.h */
    double value;    /* VSS unit */
};

struct sample {
    int64_t t_ms;   /* since 1970 UTC */
    uint32_t first; /* its readings are telemetry.readings[first .. first + count) */
    uint32_t count;
};

/* One record.  Grows on the heap as needed and is reused: telemetry_init once, telemetry_done at
 * the end. */
struct telemetry {
    struct sample *samples;
    size_t sample_count, sample_room;
    struct reading *readings;
    size_t reading_count, reading_room;
    size_t unknown_signals; /* left out: paths that are not in the table */
    size_t contradicted;    /* left out: values that a later one of their time contradicts */
    size_t value_bytes; /* the values as decimal numbers, all together and at most; 0: not known */
    bool alike;         /* each sample surely has the signals of the first, in its order */
    struct envelope head;
};

void telemetry_init(struct telemetry *t);  /* empty, owns nothing */
void telemetry_clear(struct telemetry *t); /* empty, keeps its memory */
void telemetry_done(struct telemetry *t);  /* frees; NULL is fine */

/* Build: begin a sample, then add its readings.  ST_REJECT over the limits above; ST_FATAL out of
 * memory. */
enum status telemetry_sample(struct telemetry *t, int64_t t_ms, struct fault *fault) MUST_CHECK;
enum status telemetry_reading(struct telemetry *t, uint16_t signal, double value,
                              struct fault *fault) MUST_CHECK;

/* Write as JSON, values in the fewest digits that read back the same double.  *len = bytes written,
 * no terminator counted.  ST_REJECT: more than `size` bytes (the caller splits). */
enum status telemetry_write(const struct telemetry *t, char *out, size_t size, size_t *len,
                            struct fault *fault) MUST_CHECK;

/* Read a record.  Samples are sorted by time.  Those of one time are one sample: of a signal that
 * several of them have the last counts, as in the database, and each that said another value is
 * counted in `contradicted`.  A sample of unknown signals only is left out, so every sample has
 * readings; there may be none.  Afterwards nothing can be added before telemetry_clear. ST_REJECT:
 * not a telemetry/1 record (also: no sample, a known signal that is no number); `out->head` holds
 * what could be read of stream and seq (see envelope_read), also where the bytes are no JSON at
 * all. ST_FATAL: out of memory; the record may be good. */
enum status telemetry_read(struct telemetry *out, const char *bytes, size_t len,
                           struct fault *fault) MUST_CHECK;

/* The same by way of a JSON tree, whatever the bytes look like: what telemetry_read falls back to
 * where proto/scanner.h finds something surprising, and what that is held equal to. */
enum status telemetry_read_tree(struct telemetry *out, const char *bytes, size_t len,
                                struct fault *fault) MUST_CHECK;

#endif
