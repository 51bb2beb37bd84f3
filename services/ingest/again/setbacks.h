/* services/ingest/again/setbacks.h - vehicles whose facts could not be computed again: each waits
 * by itself, longer after every failure, so that it holds up nobody else.  Pure but for its memory;
 * times are of any clock that only goes forward.  One thread. */
#ifndef INGEST_SETBACKS_H
#define INGEST_SETBACKS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/status.h"

struct setbacks;

/* How long to wait after so many failures in a row, from 1: a second and twice as long each time,
 * up to five minutes; where it was refused, and will hardly be otherwise soon, a minute and up to
 * an hour. */
int64_t setback_pause_ms(int failures, bool refused);

enum status setbacks_open(struct setbacks **out, struct fault *fault) MUST_CHECK;
/* May it be tried now? */
bool setbacks_allow(struct setbacks *s, const char *vin, int64_t now_ms);
/* It failed, for the n-th time in a row: n. */
int setbacks_add(struct setbacks *s, const char *vin, bool refused, int64_t now_ms);
void setbacks_end(struct setbacks *s, const char *vin); /* it went well */
/* It took so long.  Where that is long, it waits nine times as long: the others have the rest. */
void setbacks_rest(struct setbacks *s, const char *vin, int64_t took_ms, int64_t now_ms);
void setbacks_close(struct setbacks *s); /* NULL is fine */

#endif
