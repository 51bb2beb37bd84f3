/* proto/status.h - what a function tells its caller: what to do (status) and what happened (fault).
 * Any thread.  A fault is a plain value owned by the caller; on success it is left alone. */
#ifndef PROTO_STATUS_H
#define PROTO_STATUS_H

enum status {
    ST_OK = 0,
    ST_NONE,   /* nothing there: not found, queue shut, --help given */
    ST_REJECT, /* the input is wrong and stays wrong: count it, drop it */
    ST_RETRY,  /* the other side is away: keep the work, try later */
    ST_FATAL,  /* cannot go on: exit, the scheduler restarts us */
};

struct fault {
    char text[256]; /* one line, in the words of what failed; control characters become '?' */
};

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(text_at, args_at) __attribute__((format(printf, text_at, args_at)))

/* Write one line into `fault` (NULL is fine) and return `st`, so that a failure is one statement.
 */
enum status fault_set(struct fault *fault, enum status st, const char *format, ...)
    PRINTF_LIKE(3, 4);

const char *status_name(enum status st); /* "ok", "none", "reject", "retry", "fatal" */

#endif
