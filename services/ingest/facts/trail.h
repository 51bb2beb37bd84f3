/* services/ingest/facts/trail.h - where a vehicle was lately, for what happened at a moment.  Pure;
 * {0} starts.  Only good fixes (facts/moment.h), so accuracy and jumps were looked at. */
#ifndef INGEST_TRAIL_H
#define INGEST_TRAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/drive/fix.h"

#define TRAIL_FIXES 12
#define TRAIL_STEP_MS 5000    /* one for each; the newest one always counts as well */
#define TRAIL_WITHIN_MS 30000 /* a fix so near in time tells where something happened */
#define TRAIL_EXACT_MS 1000   /* and one so near needs no better one */
#define TRAIL_ASKS 6

struct trail_fix {
    int64_t t_ms;     /* 0: none */
    int32_t lat, lon; /* 1e-7 degrees */
};

/* Something told by the car, whose place will be known better once samples of then have come. */
struct trail_ask {
    int64_t t_ms; /* 0: none */
    unsigned char id[16];
};

struct trail {
    struct trail_fix newest, at[TRAIL_FIXES];
    int64_t next; /* of at: written next */
    struct trail_ask asks[TRAIL_ASKS];
};

void trail_add(struct trail *t, const struct fix *fix);
/* The fix nearest to t_ms and how far away in time it is; false: none within TRAIL_WITHIN_MS. */
bool trail_place(const struct trail *t, int64_t t_ms, double *lat, double *lon, int64_t *off_ms);

/* Remember to look for the place of `id`, once; of too many the oldest is given up. */
void trail_ask(struct trail *t, const unsigned char id[16], int64_t t_ms);
/* Samples up to t_ms were stepped, the last of them with a good fix or not: take one ask that can
 * be answered now.  False: none can. */
bool trail_answer(struct trail *t, int64_t t_ms, bool placed, struct trail_ask *out);

#endif
