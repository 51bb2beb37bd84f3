/* services/api/workers.h - the threads that may block: each has a PostgreSQL connection and an
 * InfluxDB client. Two lanes with a bounded queue each: quick (6 threads) and hashing (2 threads).
 * A task goes in with its 64-bit id, an answer comes out with the same id; never a pointer into the
 * loop. */
#ifndef API_WORKERS_H
#define API_WORKERS_H

#include "lib/store/influx.h"
#include "lib/store/postgres.h"
#include "route.h"
#include "shared.h"

struct worker {
    struct pg *pg;
    struct influx *influx;
    const struct shared *shared;
};

struct task {
    uint64_t id;
    const struct route *route;
    struct request *request; /* owned by whoever holds the task */
};

struct result {
    uint64_t id;
    struct answer *answer; /* taken by the loop */
};

struct workers;

/* `wake` is called after each answer, on a worker's thread.  `answers_max` is how many may be under
 * way at once. */
enum status workers_start(struct workers **out, const struct shared *shared, size_t answers_max,
                          void (*wake)(void *self), void *self, struct fault *fault) MUST_CHECK;
/* Hand over a task; the request is taken.  ST_RETRY: the lane is full, the request stays the
 * caller's. */
enum status workers_push(struct workers *w, const struct task *task) MUST_CHECK;
/* Take one finished answer, without waiting.  ST_RETRY: none. */
enum status workers_pop(struct workers *w, struct result *out) MUST_CHECK;
void workers_join(struct workers *w); /* finishes what is queued; NULL is fine */

#endif
