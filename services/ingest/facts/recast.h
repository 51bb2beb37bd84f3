/* services/ingest/facts/recast.h - the cases of one key once more, from all that is known of it in
 * the order of time, where some of that came late; and which of the cases that are stored each one
 * is.  Pure.  Found in order or late, the same facts are the same cases. */
#ifndef INGEST_RECAST_H
#define INGEST_RECAST_H

#include <stddef.h>

#include "alert.h"

/* It was so since t_ms, or no longer. */
struct recast_step {
    int64_t t_ms;
    bool ends;
    bool kept; /* an end that was known before, and may have been another: see recast_sort */
    enum alert_severity severity;
    int64_t told_ms;
    size_t about; /* the caller's */
};

struct recast_case {
    struct alert alert;
    bool began;         /* its first raise is `first`; false: it was there before */
    size_t first, last; /* `about` of its raises; `last` of `began`, or where `raised` */
    bool raised;
};

/* In the order of time; returns how many are left.  Of what ends one stretch of time an end that
 * was `kept` counts only where no other was found, unless it is a minute before the window that was
 * looked at, which begins after `after_ms`. */
size_t recast_sort(struct recast_step *steps, size_t n, int64_t after_ms);

/* Each change as in order: of out[which], as it is then. */
typedef void recast_told(void *self, size_t which, enum alert_change change, const struct alert *a,
                         const struct recast_step *step);

/* From `begin` on, the newest case before all that (NONE: there was none; else it is out[0]).
 * `like` has what all raises have in common.  `out` has room for one more than there are raises;
 * `told` may be NULL. */
size_t recast(const struct alert *begin, const struct alert_raise *like,
              const struct recast_step *steps, size_t n, struct recast_case *out, recast_told *told,
              void *self);

/* A case as it is stored, and how much of people's work is in it. */
struct recast_row {
    struct alert alert;
    int handled; /* 3: acknowledged; 2: it was; 1: given to somebody, or commented; 0 */
    size_t of;   /* the case it is, or is part of; RECAST_NONE: it never was so */
    bool joined; /* the caller's: a row that somebody knows of is part of it */
};
#define RECAST_NONE SIZE_MAX

/* Which row goes on as each case: row_of[i] of cases[i], RECAST_NONE: it is new.  Cases as recast()
 * made them.  A row is the case that it shares time with: of several, where people have it in hand
 * and it is not over, the one that is not over, else the one that began with it, else the earliest.
 * Of several rows of one case the one goes on that is not over, so that nobody hears of an end that
 * was none; else the one that people have done most with, of those the earliest.  A row that was
 * withdrawn comes back as the case that began with it. */
void recast_match(const struct recast_case *cases, size_t n, struct recast_row *rows, size_t rows_n,
                  size_t *row_of);

/* `row` goes on as `a`, or is part of it: does who acknowledged it know of `a` as it is now?  What
 * was over since then, be it later than `row` had it, and is so again, they do not know of. */
bool recast_is_known(const struct recast_row *row, const struct alert *a);

#endif
