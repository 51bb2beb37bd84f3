/* services/ingest/commit/tally.h - what was lost, doubled and late of each vehicle: counted in
 * memory, added to the vehicle's row of the hour once in a while.  One thread. */
#ifndef INGEST_TALLY_H
#define INGEST_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/store/postgres.h"
#include "services/ingest/record/record.h"

#define LAG_BUCKETS 48

struct tallies;

/* The bucket of a lag, 0 .. LAG_BUCKETS - 1, as proto/sql/005_loss.sql has them; what is ahead of
 * its time is in the first.  Pure. */
unsigned tally_bucket(int64_t lag_ms);

/* `db` is borrowed, `site` is copied; `wait_ms`: how long what is counted waits to be written. */
enum status tallies_open(struct tallies **out, struct pg *db, const char *site, int64_t wait_ms,
                         struct fault *fault) MUST_CHECK;

/* A record was stored, or had been before.  Without memory it goes uncounted. */
void tallies_record(struct tallies *t, const struct record *r, bool is_new, int64_t now_ms);
/* Of a vehicle's stream: numbers that were passed over, that came or were announced after all, and
 * that were announced as lost. */
void tallies_numbers(struct tallies *t, const char *vin, int64_t skipped, int64_t recovered,
                     int64_t lost, int64_t now_ms);

/* Write those that have waited, not more often than once a second and at most 500 at a time; or
 * `all`.  Outside of any transaction.  On failure they wait on. */
enum status tallies_write(struct tallies *t, int64_t now_ms, bool all,
                          struct fault *fault) MUST_CHECK;

void tallies_close(struct tallies *t); /* NULL is fine */

#endif
