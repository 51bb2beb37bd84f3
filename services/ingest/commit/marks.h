/* services/ingest/commit/marks.h - the watermarks of one group, locked and written in its
 * transaction. One thread. */
#ifndef INGEST_MARKS_H
#define INGEST_MARKS_H

#include "columns.h"
#include "commit.h"
#include "lib/store/postgres.h"
#include "lib/text.h"
#include "places.h"

#define FACTS_SITE "" /* where a watermark's site is told: of the facts, one for all sites */

struct marks { /* sorted by vin, stream: two instances take the locks in one order */
    struct stream_mark *all;
    size_t count, room;
    struct places places; /* of the first of them; of none after they were sorted anew */
    struct columns c;
    struct text text;
};

/* The streams of a group, each once, empty marks. */
enum status marks_collect(struct marks *m, struct record *const *records, size_t n,
                          struct fault *fault) MUST_CHECK;
struct stream_mark *marks_find(const struct marks *m, const char *vin,
                               const char *stream); /* NULL: not in the group */

/* Make the rows that are missing, lock them and read them: of the history at `site`, and of those
 * facts that are ours. */
enum status marks_lock(struct marks *m, struct pg *db, const char *site,
                       struct fault *fault) MUST_CHECK;
/* The same for facts that have become ours since. */
enum status marks_lock_facts(struct marks *m, struct pg *db, struct fault *fault) MUST_CHECK;
/* Read the facts of the others as they stand. */
enum status marks_peek(struct marks *m, struct pg *db, struct fault *fault) MUST_CHECK;
enum status marks_write(struct marks *m, struct pg *db, const char *site,
                        struct fault *fault) MUST_CHECK;

/* A vehicle that has just connected is told about every stream we know of it: add those the group
 * does not have. */
enum status marks_add_connected(struct marks *m, struct pg *db, const char *site,
                                struct record *const *records, size_t n,
                                struct fault *fault) MUST_CHECK;

/* Read what is stored of all of them by now, history and facts, and what that allows to be
 * acknowledged.  One that has no history at `site` is left empty. */
enum status marks_read(struct marks *m, struct pg *db, const char *site,
                       struct fault *fault) MUST_CHECK;
/* One more stream, empty; it is the last until the next marks_sort.  ST_RETRY: no memory. */
enum status marks_add(struct marks *m, const char *vin, const char *stream,
                      struct fault *fault) MUST_CHECK;
/* Sort what was added, each stream once: what was told of it is joined. */
void marks_sort(struct marks *m);

void marks_done(struct marks *m);

/* int8multirange as text, "{[1,3),[7,8)}", both ways.  ST_REJECT: not one, or more than 64 ranges.
 */
void marks_print_gaps(struct text *out, const struct watermark *w);
enum status marks_read_gaps(struct watermark *w, const char *text, struct fault *fault) MUST_CHECK;

#endif
