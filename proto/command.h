/* proto/command.h - `command/1`: what a person or a service asks of a vehicle.  The api reads the
 * arguments of a request with the same functions the vehicle reads them with.  Pure.
 *
 *   type              args ([..] may be absent)
 *   stream.start      session, url           stream.stop   session
 *   photo             none                   clip          [before_s] [after_s]
 *   diagnostics.read  none                   diagnostics.clear  confirmed_by
 *   config.apply      revision               privacy.set   on, [until]
 *   agent.restart     none
 *
 * Unknown members are ignored. */
#ifndef PROTO_COMMAND_H
#define PROTO_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope.h"
#include "proto/json.h"
#include "proto/status.h"

#define COMMAND_SESSION_MAX 64 /* bytes, [A-Za-z0-9_-] */
#define COMMAND_URL_MAX 512    /* bytes, printable ASCII without space */
#define COMMAND_NAME_MAX 128   /* bytes of UTF-8 without control characters */
#define COMMAND_CLIP_BEFORE_S 30
#define COMMAND_CLIP_AFTER_S 5
#define COMMAND_CLIP_MAX_S 120 /* of either */

enum command_type {
    COMMAND_STREAM_START,
    COMMAND_STREAM_STOP,
    COMMAND_PHOTO,
    COMMAND_CLIP,
    COMMAND_DIAGNOSTICS_READ,
    COMMAND_DIAGNOSTICS_CLEAR,
    COMMAND_CONFIG_APPLY,
    COMMAND_PRIVACY_SET,
    COMMAND_AGENT_RESTART,
    COMMAND_TYPES
};

/* What becomes of a command.  The first two are the server's own; the others come in a result. */
enum command_state {
    COMMAND_QUEUED,
    COMMAND_SENT,
    COMMAND_DELIVERED,
    COMMAND_DONE,
    COMMAND_FAILED,
    COMMAND_REFUSED,
    COMMAND_EXPIRED,
    COMMAND_STATES
};

struct command {
    char id[UUID_TEXT + 1];
    enum command_type type;
    int64_t expires_ms;
    union {
        struct {
            char session[COMMAND_SESSION_MAX + 1];
            char url[COMMAND_URL_MAX + 1]; /* "" for stream.stop */
        } stream;
        struct {
            int64_t before_s, after_s; /* 0 .. COMMAND_CLIP_MAX_S, not both 0 */
        } clip;
        struct {
            char confirmed_by[COMMAND_NAME_MAX + 1]; /* never "" */
        } clear;
        struct {
            int64_t revision; /* from 1 */
        } config;
        struct {
            bool on;
            int64_t until_ms; /* 0: until it is set again */
        } privacy;
    } args; /* of `type`; photo, diagnostics.read and agent.restart have none */
};

const char *command_type_word(enum command_type type); /* "diagnostics.read" */
/* ST_REJECT: no such type. */
enum status command_type_of(const char *word, enum command_type *out,
                            struct fault *fault) MUST_CHECK;

const char *command_state_word(enum command_state state); /* "queued" */
enum status command_state_of(const char *word, enum command_state *out,
                             struct fault *fault) MUST_CHECK;
bool command_state_is_final(enum command_state state);    /* done failed refused expired */
bool command_state_is_a_result(enum command_state state); /* those and delivered */

/* Fill out->args for out->type from a JSON object (NULL: as if it were empty).  ST_REJECT: the
 * fault begins with the member that is missing or wrong; out->args is empty then. */
enum status command_args_read(struct command *out, const json_t *args,
                              struct fault *fault) MUST_CHECK;
/* The arguments as a JSON object's text, defaults filled in.  ST_REJECT: `size` is too small. */
enum status command_args_write(const struct command *c, char *out, size_t size, size_t *len,
                               struct fault *fault) MUST_CHECK;

/* Read command/1.  ST_REJECT: not one we understand, but out->id and out->expires_ms are set where
 * they could be read ("" and 0 else), so that it can be answered; all else is empty.
 * ST_FATAL: out of memory. */
enum status command_read(struct command *out, const char *bytes, size_t len,
                         struct fault *fault) MUST_CHECK;
enum status command_write(const struct command *c, char *out, size_t size, size_t *len,
                          struct fault *fault) MUST_CHECK;

#endif
