/* services/ingest/rate.h - a token bucket per vehicle.  Pure. */
#ifndef INGEST_RATE_H
#define INGEST_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/topic.h"

struct bucket {
    double tokens;
    int64_t filled_ms; /* 0: never used, full */
};

/* Tokens that a message of `len` bytes takes: one; a report of trouble codes one more for each 128
 * bytes, as every code that is new in it becomes rows, and nobody has read yet how many are. */
double rate_cost(enum leaf leaf, size_t len);

/* May a message of that cost pass?  `per_s` tokens sustained, `burst` at once; per_s 0: no limit.
 * What costs more than `burst` takes all of it. */
bool bucket_take(struct bucket *b, double cost, double per_s, double burst, int64_t now_ms);

#endif
