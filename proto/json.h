/* proto/json.h - jansson with the fences hostile bytes need.  One document, one thread.
 * Refused: more than JSON_MAX_BYTES, depth over 16, duplicate keys, NaN, bad UTF-8, bytes after the
 * end. */
#ifndef PROTO_JSON_H
#define PROTO_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"

#define JSON_MAX_BYTES 32768
#define JSON_MAX_DEPTH 16
#define JSON_INTEGER_MAX                                                                           \
    (INT64_C(1) << 53) /* of times and sequence numbers: a double still counts to there */

/* Why bytes were refused. */
enum json_why {
    JSON_FINE,
    JSON_LONG,      /* over max_bytes */
    JSON_DEEP,      /* nested deeper than JSON_MAX_DEPTH */
    JSON_DUPLICATE, /* a key twice in one object */
    JSON_HUGE,      /* an integer beyond 64 bits, or a number beyond a double */
    JSON_BROKEN,    /* no JSON, or no UTF-8 */
    JSON_OTHER      /* JSON, but no object */
};

/* Parse one JSON object; json_decref(*out) is yours.  A number may be of any size: an integer
 * beyond int64 is a real, what no double holds is the nearest that it does (wild.h).  ST_REJECT:
 * refused, the fault says where (never in the bytes of the sender: it may be logged and stored).
 * ST_FATAL: out of memory. */
enum status json_read(json_t **out, const char *bytes, size_t len, size_t max_bytes,
                      struct fault *fault) MUST_CHECK;

/* Of somebody who is told: a number that C does not have is refused too, and where it is ST_REJECT
 * *why says it, and *at the byte (from 0) behind what is wrong, where that can be said, else 0. */
enum status json_read_why(json_t **out, const char *bytes, size_t len, size_t max_bytes,
                          enum json_why *why, size_t *at, struct fault *fault) MUST_CHECK;

/* Parse what we stored ourselves, whatever its root is: a database prints a double of 1e20 as an
 * integer.  NULL: it is none, or no memory. */
json_t *json_stored(const char *text) MUST_CHECK;

/* Typed reads of member `key`.  ST_NONE: absent (never null, null is a wrong type); ST_REJECT:
 * wrong type or range.  1.0 is the integer 1, as JSON Schema has it.
 * `*out` is left alone unless ST_OK. */
enum status json_get_int64(const json_t *object, const char *key, int64_t lowest, int64_t highest,
                           int64_t *out, struct fault *fault) MUST_CHECK;
enum status json_get_number(const json_t *object, const char *key, double *out,
                            struct fault *fault) MUST_CHECK;
/* Copies at most size - 1 bytes; longer is ST_REJECT. */
enum status json_get_text(const json_t *object, const char *key, char *out, size_t size,
                          struct fault *fault) MUST_CHECK;
enum status json_get_bool(const json_t *object, const char *key, bool *out,
                          struct fault *fault) MUST_CHECK;

/* `value` in the fewest digits that read back to the very same double (C locale); returns the
 * length, 0 when it is not finite.  The buffer needs 32 bytes. */
size_t json_print_double(char out[32], double value);

#endif
