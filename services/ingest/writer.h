/* services/ingest/writer.h - the thread that stores: InfluxDB, then one PostgreSQL transaction,
 * only then the acks. */
#ifndef INGEST_WRITER_H
#define INGEST_WRITER_H

#include <stdint.h>

#include "commit/commit.h"
#include "inflight.h"
#include "inhand.h"
#include "lib/health.h"
#include "lib/queue.h"
#include "proto/status.h"
#include "record/duty.h"
#include "wire/speaker.h"

struct writer;

/* There are two: what is urgent needs PostgreSQL alone, and waits for no other car's group, nor for
 * InfluxDB.  A vehicle's urgent stream has an order of its own, so nothing is mixed up. */
struct writer_options {
    enum inflight_lane lane;
    struct queue *from;    /* of struct record *, ownership passes; without telemetry if urgent */
    struct speaker *acks;  /* where down/ack is published */
    struct queue *known;   /* of struct known_note *: what the stores have now; full: not told */
    struct health *health; /* each lane has its own connection, and says how it is */
    struct duty *duty;     /* which shards are ours */
    struct inflight *inflight;
    struct inhand *inhand;
    const char *pg, *influx, *site; /* copied */
    int64_t batch_wait_ms;
    struct commit_waits waits;
};

enum status writer_start(struct writer **out, const struct writer_options *options,
                         struct fault *fault) MUST_CHECK;
/* Ends when the queue is shut and empty, or, once stop was asked for, at the first store that does
 * not answer: what is left was never acknowledged.  NULL is fine. */
void writer_join(struct writer *w);

#endif
