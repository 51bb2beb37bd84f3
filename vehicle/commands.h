/* vehicle/commands.h - what becomes of a command: told once more when it was seen before, expired,
 * refused, or begun.  Pure: the time comes as an argument.  What was answered is kept as a text in
 * the outbox, so that a command that comes again after a restart is not done twice. */
#ifndef VEHICLE_COMMANDS_H
#define VEHICLE_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/text.h"
#include "proto/result.h"

#define COMMANDS_KEPT 64       /* answers remembered; the oldest goes first, one under way last */
#define COMMANDS_RUNNING_MAX 4 /* under way at once */

struct commands_answer {
    char id[UUID_TEXT + 1];
    enum command_state state;
    int64_t expires_ms;
    char reason[RESULT_REASON_MAX + 1]; /* "": none */
};

struct commands {
    size_t count;
    struct commands_answer answers[COMMANDS_KEPT]; /* oldest first */
};

/* What a command depends on besides itself. */
struct commands_car {
    bool time_known; /* else nothing can be said about an expiry */
    bool has_camera;
    bool is_private;
    double gps_kmh; /* NAN: not known at the moment */
    size_t running; /* commands under way */
};

struct commands_verdict {
    bool begin; /* tell `delivered`, keep that, and only then do it; else tell `answer` */
    bool seen;  /* it was answered before */
    struct commands_answer answer;
};

/* Judge what came: `read` and `why` are what command_read said of it.  An id that could not be read
 * ("") cannot be answered: do not ask. */
void commands_judge(struct commands_verdict *out, const struct commands *all,
                    const struct command *c, enum status read, const char *why,
                    const struct commands_car *car, int64_t now_ms);

/* Keep an answer, in place of the one there was for this id. */
void commands_keep(struct commands *all, const struct commands_answer *answer);

/* The first that was begun and never ended: the agent was stopped in the middle.  NULL: none. */
const struct commands_answer *commands_unfinished(const struct commands *all);

/* As text, and back.  ST_REJECT: not such a text; *out is empty then. */
void commands_write(const struct commands *all, struct text *out);
enum status commands_load(struct commands *out, const char *bytes, size_t len,
                          struct fault *fault) MUST_CHECK;

#endif
