/* services/ingest/rate.h - a token bucket per vehicle.  Pure. */
#ifndef INGEST_RATE_H
#define INGEST_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    double tokens;
    int64_t filled_ms; /* 0: never used, full */
};

/* May one more message pass?  `per_s` sustained, `burst` at once; per_s 0: no limit. */
bool bucket_take(struct bucket *b, double per_s, double burst, int64_t now_ms);

#endif
