/* services/ingest/edge.h - a store as its writer sees it: it answers, or it is away.  One thread.
 */
#ifndef INGEST_EDGE_H
#define INGEST_EDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/health.h"
#include "record/record.h"

struct edge {
    const char *name;
    struct health *health; /* told, and the log; NULL: another says it */
    bool away;
    int64_t checked_ms; /* when it was last asked without anything to store; 0: never */
};

/* A store answers again, or is away: said once per change. */
void edge_note(struct edge *e, enum status st, const struct fault *fault);

/* It is asked for something, and has answered: where that takes longer than five seconds (somebody
 * holds a lock) we are not ready, though it is not away. */
void edge_begin(struct edge *e);
void edge_end(struct edge *e);

/* Is it time to ask whether it answers?  Every two seconds, and not once stop was asked for. */
bool edge_is_due(struct edge *e, int64_t now_ms);

/* Something that may have to be tried again. */
struct attempt {
    enum status (*store)(void *self, struct record *const *records, size_t n, struct fault *fault);
    void (*meanwhile)(void *self); /* between two tries */
    void *self;
};

/* Try until the store answers: ST_OK, or ST_REJECT with its words; ST_RETRY when the drain is over
 * meanwhile. */
enum status edge_persist(struct edge *e, const struct attempt *attempt,
                         struct record *const *records, size_t n, struct fault *fault) MUST_CHECK;

#endif
