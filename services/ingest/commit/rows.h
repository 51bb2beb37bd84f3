/* services/ingest/commit/rows.h - the facts and dead letters of a group.  Inside the caller's
 * transaction; one thread. `fresh[i]`: record i is new. */
#ifndef INGEST_ROWS_H
#define INGEST_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "columns.h"
#include "lib/text.h"
#include "services/ingest/record/record.h"

struct rows { /* db and site set by the owner, the rest zero */
    struct pg *db;
    const char *site;
    struct columns c;
    struct text text;
};

enum status rows_facts(struct rows *w, struct record *const *records, const bool *fresh, size_t n,
                       struct fault *fault) MUST_CHECK;
/* At most 1,000 are kept per vehicle, the newest. */
enum status rows_dead_letters(struct rows *w, struct record *const *records, const bool *fresh,
                              size_t n, struct fault *fault) MUST_CHECK;
void rows_done(struct rows *w);

#endif
