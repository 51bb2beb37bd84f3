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
    PGresult *dropped, *others;
    bool others_asked;
};

/* Queue the question which facts have the id of another one, of another kind, type or time; once
 * that was waited for they are put aside ("conflict"): there is no row for them. */
enum status rows_ask_other_facts(struct rows *w, struct record *const *records, size_t n,
                                 struct fault *fault) MUST_CHECK;
enum status rows_find_other_facts(struct rows *w, struct record *const *records,
                                  struct fault *fault) MUST_CHECK;

enum status rows_facts(struct rows *w, struct record *const *records, const bool *fresh, size_t n,
                       struct fault *fault) MUST_CHECK;
/* Of those with a fault of their own at most 1,000 are kept per vehicle, the newest; of those with
 * reason "store" or "poison" all. */
enum status rows_dead_letters(struct rows *w, struct record *const *records, const bool *fresh,
                              size_t n, struct fault *fault) MUST_CHECK;
/* How many it let go of, once that is committed; then 0. */
size_t rows_dropped(struct rows *w);
void rows_done(struct rows *w);

#endif
