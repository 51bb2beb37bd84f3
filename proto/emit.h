/* proto/emit.h - JSON written into a bounded buffer; for the codecs of this room.  Pure.
 * Nothing is ever written past the end: `full` says that something did not fit. */
#ifndef PROTO_EMIT_H
#define PROTO_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"

struct emit {
    char *out;
    size_t size, len;
    bool full;
};

void emit_bytes(struct emit *e, const char *bytes, size_t len);
void emit_raw(struct emit *e, const char *text); /* as it is: punctuation, names we chose */
void emit_int64(struct emit *e, int64_t value);
void emit_double(struct emit *e,
                 double value); /* see json_print_double; not finite counts as full */
void emit_text(struct emit *e, const char *text); /* quoted and escaped */

/* Tell how long it became.  ST_REJECT: it did not fit into `size`. */
enum status emit_end(const struct emit *e, const char *what, size_t *len,
                     struct fault *fault) MUST_CHECK;

#endif
