/* services/ingest/commit/numbers.h - the numbers of one record, taken out of what is open in its
 * streams; of the history of this site, or of the facts.  Pure. */
#ifndef INGEST_NUMBERS_H
#define INGEST_NUMBERS_H

#include "marks.h"

/* Its own number, and with it the numbers of a loss it announces: both or none, for the vehicle
 * forgets the announcement once it is acknowledged.  As watermark_take; ST_RETRY: too many gaps. */
enum status numbers_take(struct marks *m, struct record *r, struct stream_mark *own,
                         bool facts) MUST_CHECK;
/* The loss alone.  ST_RETRY: it opens too many gaps.  What it cannot have lost is put aside and
 * closes nothing. */
enum status numbers_take_loss(struct marks *m, struct record *r, bool facts) MUST_CHECK;

#endif
