/* services/ingest/facts/wall.h - what a zone's clocks on the wall show, for the months samples may
 * be of.  Pure. */
#ifndef INGEST_WALL_H
#define INGEST_WALL_H

#include <stdint.h>

#define WALL_MAX 8 /* two changes a year are usual, and four in Ramadan */

struct wall {
    int64_t n;
    int64_t from_ms[WALL_MAX]; /* oldest first; the first counts before it as well */
    int32_t ahead_min[WALL_MAX];
};

/* By how many minutes the clock is ahead of UTC at t_ms; NULL, or one without times, is UTC. */
int wall_ahead_min(const struct wall *w, int64_t t_ms);

#endif
