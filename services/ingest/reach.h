/* services/ingest/reach.h - who cannot reach the broker serves nobody: does an instance count
 * among those who share the shards of their site?  It leaves the count when it has been cut off
 * for a while and another is not, and then gives its shards up; where all are cut off each keeps
 * what it has, since nobody could do better.  Pure; all zero is an instance that has just started.
 */
#ifndef INGEST_REACH_H
#define INGEST_REACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Shards shall be served again within 5 s: a second may pass before another instance looks for what
 * was given up, and one before it has it.  A connection that is only made anew is back well before
 * (lib/backoff begins with a quarter of a second). */
#define REACH_CUT_MS 2000
/* Nobody waits for one who comes back, and one who comes and goes would take its cars along. */
#define REACH_STEADY_MS 3000

struct reach {
    bool counts;
    bool connected;        /* as it was told last */
    bool left;             /* it has counted before, and was cut off */
    int64_t since_ms;      /* `connected` is so; 0: never told */
    int64_t helpers_at_ms; /* another that is connected has been there; 0: there is none */
};

/* What other instances of the site say of themselves. */
struct reach_others {
    size_t counted;   /* who count */
    size_t connected; /* who reach the broker, counted or not */
};

/* Sets `counts`.  `connected`: we reach the broker.  `now_ms`: of a clock that only goes forward,
 * above 0. */
void reach_step(struct reach *r, bool connected, const struct reach_others *others, int64_t now_ms);

#endif
