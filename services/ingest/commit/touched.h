/* services/ingest/commit/touched.h - which ten minutes of which vehicle have new samples, for their
 * 1-minute values: a row each, written in the transaction of the group.  One thread. */
#ifndef INGEST_TOUCHED_H
#define INGEST_TOUCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/store/postgres.h"
#include "services/ingest/record/record.h"

#define SPAN_MS (10 * 60 * 1000)

struct touched;

/* `wait_ms`: how long a row rests before somebody computes (minutes.h); one written less than half
 * of that ago need not be written again.  0: nothing is written at all. */
enum status touched_open(struct touched **out, struct pg *db, const char *site, int64_t wait_ms,
                         struct fault *fault) MUST_CHECK;

/* Inside the transaction; `arrived[i]`: the samples of record i are new here. */
enum status touched_write(struct touched *t, struct record *const *records, const bool *arrived,
                          size_t n, int64_t now_boot_ms, struct fault *fault) MUST_CHECK;
void touched_committed(struct touched *t); /* what was written last is stored */
void touched_close(struct touched *t);     /* NULL is fine */

#endif
