/* services/ingest/record/lost.h - is a loss that a vehicle announces one it can have had?  Pure.
 * Believed without a bound, one event would close every gap its numbers reach, those of records
 * still to come included, and ingest would drop them as stored. */
#ifndef INGEST_LOST_H
#define INGEST_LOST_H

#include <stdbool.h>

#include "proto/ack.h"
#include "record.h"

/* 512 MiB of outbox, full of records of 64 bytes: what a stream may be ahead of all we have seen.
 */
#define LOST_AHEAD 8388608

/* An outbox_lost event; `upto` is the highest number we have of the stream it is about.  What is
 * lost of the event's own stream was made before the event, so its numbers are below the event's;
 * those of another stream lie at most LOST_AHEAD beyond `upto`. */
bool lost_is_possible(const struct record *event, int64_t upto);

/* Numbers of a stream below its highest that have not come: as many as a car can have made and not
 * sent, LOST_AHEAD, where a number it made up says more. */
int64_t lost_missing(const struct watermark *w);

#endif
