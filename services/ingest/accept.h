/* services/ingest/accept.h - the thread between the ring and the writer: rate limit, allow-list,
 * decoding, and `live`, which does not wait for any database. */
#ifndef INGEST_ACCEPT_H
#define INGEST_ACCEPT_H

#include <stdint.h>

#include "inflight.h"
#include "inhand.h"
#include "lib/queue.h"
#include "proto/status.h"
#include "wire/speaker.h"

struct accept;

struct accept_options {
    struct ring *from;
    struct queue *to, *urgent; /* of struct record *, ownership passes */
    struct queue *known;       /* of struct known_note *: what the writer says is stored */
    struct speaker *live;      /* where live/1 is published */
    struct inflight *inflight;
    struct inhand *inhand;
    const char *pg;           /* connection string, copied */
    double rate_per_s, burst; /* per vehicle */
    size_t held_bytes_max;    /* of decoded records that wait to be stored */
};

enum status accept_start(struct accept **out, const struct accept_options *options,
                         struct fault *fault) MUST_CHECK;
/* Ends when the ring is shut and empty; then shuts both queues.  NULL is fine. */
void accept_join(struct accept *a);

#endif
