/* services/ingest/commit/full.h - vehicles whose records are refused because a stream has as many
 * gaps as can be remembered: said in the log, once per vehicle and hour.  One thread. */
#ifndef INGEST_FULL_H
#define INGEST_FULL_H

#include <stdint.h>

#include "proto/status.h"

struct full;

enum status full_open(struct full **out, struct fault *fault) MUST_CHECK;
/* Its record `seq` would open one gap more. */
void full_refused(struct full *f, const char *vin, const char *stream, int64_t seq, int64_t now_ms);
void full_close(struct full *f); /* NULL is fine */

#endif
