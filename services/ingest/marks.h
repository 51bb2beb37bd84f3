/* services/ingest/marks.h - the watermarks of one group, locked and written in its transaction. One
 * thread. */
#ifndef INGEST_MARKS_H
#define INGEST_MARKS_H

#include "commit.h"
#include "lib/store/postgres.h"
#include "lib/text.h"

struct marks { /* sorted by vin, stream: two instances take the locks in one order */
    struct stream_mark *all;
    size_t count, room;
    struct pg_array vins, streams, uptos, gaps;
};

/* The streams of a group, each once, empty marks. */
enum status marks_collect(struct marks *m, struct record *const *records, size_t n,
                          struct fault *fault) MUST_CHECK;
struct stream_mark *marks_find(const struct marks *m, const char *vin,
                               const char *stream); /* NULL: not in the group */

/* Make the rows that are missing, lock all, read them. */
enum status marks_lock(struct marks *m, struct pg *db, const char *site,
                       struct fault *fault) MUST_CHECK;
enum status marks_write(struct marks *m, struct pg *db, const char *site,
                        struct fault *fault) MUST_CHECK;

/* A vehicle that has just connected is told about every stream we know of it: add those the group
 * does not have. */
enum status marks_add_connected(struct marks *m, struct pg *db, const char *site,
                                struct record *const *records, size_t n,
                                struct fault *fault) MUST_CHECK;

void marks_done(struct marks *m);

/* int8multirange as text, "{[1,3),[7,8)}", both ways.  ST_REJECT: not one, or more than 64 ranges.
 */
void marks_print_gaps(struct text *out, const struct watermark *w);
enum status marks_read_gaps(struct watermark *w, const char *text, struct fault *fault) MUST_CHECK;

#endif
