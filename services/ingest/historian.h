/* services/ingest/historian.h - the thread before the writer of what is bulk: it gathers groups and
 * stores their samples in InfluxDB, while the writer commits the group before to PostgreSQL.  Three
 * groups go round: one here, one on the way, one there. */
#ifndef INGEST_HISTORIAN_H
#define INGEST_HISTORIAN_H

#include "group.h"
#include "lib/health.h"

struct historian;

struct historian_options {
    struct queue *from; /* of struct record *, ownership passes */
    struct inflight *inflight;
    struct inhand *inhand;
    struct health *health;
    const char *influx; /* its URL, copied */
    int64_t batch_wait_ms;
};

enum status historian_start(struct historian **out, const struct historian_options *options,
                            struct fault *fault) MUST_CHECK;

/* The next group whose samples are stored; yours until historian_give_back, with its records.
 * ST_RETRY  none came within wait_ms   ST_NONE  there will be no more */
enum status historian_take(struct historian *h, struct group **out, int wait_ms) MUST_CHECK;
/* Empty, to be filled again. */
void historian_give_back(struct historian *h, struct group *g);
/* Nothing is here, nothing is on the way, as far as can be seen.  Any thread. */
bool historian_is_idle(struct historian *h);

/* Metrics: how old is the oldest of what is not acknowledged?  `there`: of the group the writer
 * has, NULL none.  Any of the two threads. */
void historian_tell_age(struct historian *h, const struct group *there);

/* Ends when its queue is shut and empty, or, once stop was asked for, when InfluxDB does not
 * answer. Nobody may use it any more; NULL is fine. */
void historian_join(struct historian *h);

#endif
