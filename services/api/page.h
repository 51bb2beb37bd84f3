/* services/api/page.h - lists: how long, from where, between which times; and their answer.  Rows
 * come from PostgreSQL as JSON, so a list is one statement. */
#ifndef API_PAGE_H
#define API_PAGE_H

#include <libpq-fe.h>

#include "proto/envelope.h"
#include "respond.h"

#define PAGE_STANDARD 100
#define PAGE_MOST 500
#define PAGE_BYTES ((size_t)4 << 20) /* a page that gets so long ends there; the next goes on */

/* Each reader: ST_NONE: an argument is wrong, the answer (422) is set. */

struct page {
    int64_t limit;
    char ask[24];       /* limit + 1: one more tells whether there is a next page */
    const char *cursor; /* "" from the beginning */
};
enum status page_read(const struct request *r, struct page *p, struct answer *a) MUST_CHECK;

/* A cursor that is a number: p->cursor, or `from_start` when there is none. */
enum status page_number(const struct request *r, struct page *p, const char *from_start,
                        struct answer *a) MUST_CHECK;

/* A cursor of a list by time: "<us since 1970>.<id>". */
struct page_time {
    char us[24];            /* the newest there can be when there is no cursor */
    char id[UUID_TEXT + 1]; /* the greatest there is then */
};
enum status page_by_time(const struct request *r, const struct page *p, struct page_time *t,
                         struct answer *a) MUST_CHECK;
/* The SQL of such a cursor, and the condition for what comes after it, newest first; $us and $id
 * are numbers of parameters. */
#define PAGE_TIME_CURSOR(time, id) "(extract(epoch FROM " time ") * 1000000)::bigint || '.' || " id
#define PAGE_TIME_AFTER(time, id, us, n)                                                           \
    "(" time ", " id ") < (timestamptz 'epoch' + $" us "::bigint * interval '1 us', $" n "::uuid)"

/* `from` and `to`, as ms in text for to_timestamp($n / 1000.0). */
struct page_span {
    int64_t from_ms, to_ms;
    char from[24], to[24];
};
/* By default the last `standard_ms`; at most 400 days. */
enum status page_span(const struct request *r, int64_t standard_ms, struct page_span *s,
                      struct answer *a) MUST_CHECK;

/* Is each word of a comma-separated argument one of `words` (NULL-terminated)?  Absent is fine. */
enum status page_words(const struct request *r, const char *name, const char *const *words,
                       const char **out, struct answer *a) MUST_CHECK;

/* `{"items":[...]`, of at most the first `most` rows (JSON first) and of PAGE_BYTES, but one at
 * least.  Returns how many rows those are. */
int page_items(struct answer *a, const PGresult *rows, int most);
/* {"items", "next"} of rows (JSON, cursor). */
void page_answer(struct answer *a, const PGresult *rows, const struct page *p);
/* The one row there is (JSON, version) with its ETag.  ST_NONE: there is none, and 404 is set with
 * `absent` for people. */
enum status page_answer_one(struct answer *a, const struct request *r, const PGresult *rows,
                            int code, const char *absent) MUST_CHECK;

#endif
