/* proto/result.h - `result/1`: what became of a command, told by the vehicle.  Pure. */
#ifndef PROTO_RESULT_H
#define PROTO_RESULT_H

#include "proto/command.h"

#define RESULT_REASON_MAX 256 /* bytes */

struct result {
    struct envelope head;
    char command[UUID_TEXT + 1];
    enum command_state state;           /* command_state_is_a_result */
    char reason[RESULT_REASON_MAX + 1]; /* "": none */
};

/* Read result/1; its `data` is left where it is.  ST_REJECT: not one; *out is left alone. */
enum status result_read(struct result *out, const char *bytes, size_t len,
                        struct fault *fault) MUST_CHECK;
/* The same from a parsed message, all but the head. */
enum status result_read_members(struct result *out, const json_t *message,
                                struct fault *fault) MUST_CHECK;

/* Write result/1; `data` is a JSON object as text, or NULL.  ST_REJECT: too long, a state that is
 * no result, or data is no object. */
enum status result_write(const struct result *r, const char *data, char *out, size_t size,
                         size_t *len, struct fault *fault) MUST_CHECK;

#endif
