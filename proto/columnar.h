/* proto/columnar.h - the columnar telemetry record (content type application/vnd.vigie.columnar),
 * version 1: the meaning of telemetry/1 in about a thirtieth of the bytes.  Pure; any thread.
 *
 * `u` = LEB128 varint, `s` = zigzag varint, both of minimal length; every integer, as written and
 * as summed up, lies within +-(2^53 - 1); fixed fields are little-endian.
 *
 *   0xC1      magic: never valid UTF-8, so never JSON.  The first byte decides, not the label
 *   0x01      version
 *   flags     bits 0-1 clock (0 none, 1 rtc, 2 ntp, 3 gps), bit 2 regular time, the rest 0
 *   16 bytes  stream (UUID, in the order it is printed)
 *   u seq     from 1.  Up to here the layout is that of every version to come: a record of a newer
 *             one still tells whose dead letter it is
 *   u n       samples, 1 .. 1000
 *   u t0      time of the first sample, ms since 1970 UTC
 *   u step    ms, at least 1
 *   [not regular: n - 1 times s, what each further sample lies later than `step` after the last]
 *   u c       columns, 1 .. 256, n x c at most 32768; then per column, in the order the signals
 *             first appear:
 *     u id    row of the signal table; 0: u length (1 .. 128) and the path as text follow
 *     head    bits 0-2 mode, bit 3 sparse, bits 4-7 exponent e (0 .. 9)
 *     [sparse: bitmap of ceil(n / 8) bytes, lowest bit first; m = its ones, at least 1; else m = n]
 *     mode 0  constant: s v0                  mode 1  line: s v0, s step
 *     mode 2  delta: s v0, (m - 1) times s    mode 3  raw: m times an 8-byte double, e = 0
 *
 * A value is integer / 10^e, one division of doubles.  The writer takes the smallest e that gives
 * back every value of the column bit for bit, raw where there is none, and the mode that is
 * smallest; so a record read is equal to the last bit to the one written, and to its JSON.
 *
 * Test vector: 3 samples 1 s apart, signals 5 = 50, 50.5, 52; 9 = 4, 4, 4; 7 = -13, absent, -13:
 *   c10107 0197f3c25f0e7abc8def0123456789ab 2a 03 8098fae89f34 e807 03
 *   0512e8070a1e 090008 07080519 */
#ifndef PROTO_COLUMNAR_H
#define PROTO_COLUMNAR_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/envelope.h"
#include "proto/status.h"
#include "proto/telemetry.h"

#define COLUMNAR_CONTENT_TYPE "application/vnd.vigie.columnar" /* MQTT 5, Content Type */

#define COLUMNAR_MAGIC 0xc1
#define COLUMNAR_COLUMNS_MAX 256
#define COLUMNAR_EXPONENT_MAX 9

/* Is it meant to be columnar?  Everything else is JSON, whatever its label says. */
bool columnar_is(const char *bytes, size_t len);

/* Write a record.  Samples without readings are left out, -0.0 becomes 0; the schema of the head is
 * not looked at.  *len = bytes written.  ST_REJECT: more than `size` bytes, more than 256 columns
 * or 32768 places in them (the caller splits); a stream, seq, signal or value that cannot be; times
 * that do not rise; nothing to write.  Takes some 36 KiB of stack. */
enum status columnar_write(const struct telemetry *t, char *out, size_t size, size_t *len,
                           struct fault *fault) MUST_CHECK;

/* Read a record, as telemetry_read does: every sample kept has readings, unknown signals are left
 * out and counted value by value, there may be no sample at all.  Within a sample the readings come
 * in the order of the columns.  ST_REJECT: anything the layout above does not allow, bytes behind
 * the end included, also a double that is no number; `out->head` holds what could be read of stream
 * and seq.  ST_FATAL: out of memory; the record may be good.  Reads at most `len` bytes, of
 * whatever length: the limit of a message is its carrier's.  Takes some 18 KiB of stack. */
enum status columnar_read(struct telemetry *out, const char *bytes, size_t len,
                          struct fault *fault) MUST_CHECK;

struct columnar_span {
    uint16_t signal;
    double least, most; /* of its values, as they are read */
};
/* The same, and what each column of a signal we know holds; *n of them, the rest is not touched. */
enum status columnar_read_spans(struct telemetry *out, const char *bytes, size_t len,
                                struct columnar_span spans[COLUMNAR_COLUMNS_MAX], size_t *n,
                                struct fault *fault) MUST_CHECK;

/* Read the head alone, about 20 bytes: enough to drop what is stored already before parsing it.
 * ST_REJECT: not columnar, not version 1, wrong flags, cut short; *out holds what could be read
 * even then (stream "" or seq 0 = unreadable), so that a bad record can be acknowledged as a dead
 * letter. */
enum status columnar_head(struct envelope *out, const char *bytes, size_t len,
                          struct fault *fault) MUST_CHECK;

#endif
