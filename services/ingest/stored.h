/* services/ingest/stored.h - who hears of what is stored now: accept, so that what comes again is
 * not taken apart again, and the vehicle, by its ack.  One thread each. */
#ifndef INGEST_STORED_H
#define INGEST_STORED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "commit/commit.h"
#include "lib/queue.h"
#include "wire/speaker.h"

struct stored;

struct stored_options {
    struct queue *known;  /* of struct known_note *; full: not told */
    struct speaker *acks; /* where down/ack is published */
    const char *site;     /* borrowed */
    bool own_alone;       /* heed, of what other sites say, what is about streams told here before:
                           * another hears of all */
};

enum status stored_open(struct stored **out, const struct stored_options *options,
                        struct fault *fault) MUST_CHECK;

/* What a group has stored; what other sites have understood since. */
void stored_tell(struct stored *s, const struct stream_mark *marks, size_t n);
void stored_heard(struct stored *s, const struct stream_mark *marks, size_t n);

/* Send the acks that are due (acks.h). */
void stored_send(struct stored *s, int64_t now_ms);
bool stored_waits(const struct stored *s); /* an ack may be due soon */

void stored_close(struct stored *s); /* NULL is fine */

#endif
