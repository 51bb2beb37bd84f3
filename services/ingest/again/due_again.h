/* services/ingest/again/due_again.h - vehicles whose facts are to be looked at again now, and by
 * whom: each site has a history of its own, and what was stepped may be in that of another alone.
 * One connection, one thread. */
#ifndef INGEST_DUE_AGAIN_H
#define INGEST_DUE_AGAIN_H

#include <stdbool.h>

#include "lib/store/postgres.h"
#include "proto/vin.h"

/* How long a history may lack what was stepped before it is gone on without. */
struct due_again_settings {
    const char *site;     /* ours; borrowed */
    int64_t settle_ms;    /* after the last late sample; twice that after the first */
    int64_t fill_wait_ms; /* of what waits, since the last progress: 1,200,000 */
    int64_t fill_late_ms; /* of what came late: 3 days, as long as cars keep what a site lacks */
};
extern const struct due_again_settings due_again_defaults; /* without the first two */

struct due_again {
    char vin[VIN_LEN + 1];
    bool late;   /* samples came too late: none for settle_ms, or the first twice that long ago */
    bool waited; /* the gap is closed, or was waited for long enough */
    int64_t passed_seq; /* gaps up to here are given up with that */
    bool lost;          /* once it was begun: how the car stood has to be found out first */
    /* ---- who has what was stepped in its history */
    bool shared;                 /* another site stored records of it in the last fill_late_ms */
    bool here;                   /* we have all of it */
    bool elsewhere;              /* another site has */
    bool late_long, waited_long; /* due for so long that the history will hardly fill any more */
    /* ---- told by the caller */
    bool owner;  /* its facts are ours to write */
    bool stores; /* ... or another site's, and we are those who store it at this one */
    bool late_rests, waited_rests; /* not now: it failed, or took long (setbacks.h) */
};

/* At most `max`, *n of them, by VIN and after the VIN `after` ("": from the first); `vin` NULL: of
 * all. */
enum status due_again_list(struct pg *db, const struct due_again_settings *set, const char *vin,
                           const char *after, struct due_again *due, size_t max, size_t *n,
                           struct fault *fault) MUST_CHECK;

/* Is anything of it to be done by us?  What is not is taken off.  The owner does it where it has
 * the history, else another that has it; where nobody has, the owner waits, and in the end goes on
 * with what there is.  Pure. */
bool due_again_take(struct due_again *due);
/* What is done of it now; what came late has to wait for the rest.  Samples that fill a gap are
 * stepped meanwhile, by the writer, below what waits: what waited may be gone on with only if
 * nobody did, and what came late in any case.  Pure. */
void due_again_choose(struct due_again *due, bool lost);
/* With less than was stepped. */
bool due_again_lacks(const struct due_again *due);

#endif
