/* services/ingest/commit/messages.h - what people are told of a case: a row of `notification` for
 * each recipient who wants it.  Inside the caller's transaction, after the cases are written. */
#ifndef INGEST_MESSAGES_H
#define INGEST_MESSAGES_H

#include "columns.h"

struct message {
    const char *alert;      /* its id */
    const char *transition; /* "opened" "worsened" "escalated" "cleared" */
    const char *severity;
    int64_t opening; /* which one of the case */
    bool late;
};

void messages_begin(struct columns *c);
void messages_add(struct columns *c, const struct message *m);
/* Queued.  That a case was cleared hears only who was told that it opened. */
enum status messages_write(struct columns *c, struct pg *db, struct fault *fault) MUST_CHECK;

#endif
