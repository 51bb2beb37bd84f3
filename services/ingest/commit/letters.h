/* services/ingest/commit/letters.h - what became of a dead letter that was decoded once more.
 * Inside the transaction of its group; one thread. */
#ifndef INGEST_LETTERS_H
#define INGEST_LETTERS_H

#include <stdbool.h>
#include <stddef.h>

#include "columns.h"
#include "services/ingest/record/record.h"

struct letters { /* db set by the owner, the rest zero */
    struct pg *db;
    struct columns c;
};

/* Lock the letters of a group: fresh[i] becomes true for those that wait to be replayed, false for
 * those somebody else has replayed meanwhile.  Other records are left alone. */
enum status letters_lock(struct letters *l, struct record *const *records, bool *fresh, size_t n,
                         struct fault *fault) MUST_CHECK;
/* What went well is replayed; the others have a new reason and wait to be asked for again. */
enum status letters_settle(struct letters *l, struct record *const *records, const bool *fresh,
                           size_t n, struct fault *fault) MUST_CHECK;
void letters_done(struct letters *l);

#endif
