/* services/ingest/facts/cleared.h - how far the car had gone since its trouble codes were cleared
 * (service 01 PID 31), as its samples told, so that a report that comes in a backlog is compared
 * with what was told by its own time.  Pure; {0} starts. */
#ifndef INGEST_CLEARED_H
#define INGEST_CLEARED_H

#include <stdint.h>

struct cleared_value {
    int64_t t_ms; /* first told; 0: none */
    double km;
};

#define CLEARED_VALUES 16 /* one a kilometre */
struct cleared {
    struct cleared_value at[CLEARED_VALUES];
    int next; /* the oldest of them, written next */
};

/* One reading, not before the last; NaN has no effect. */
void cleared_step(struct cleared *c, int64_t t_ms, double km);

/* The newest that was told by t_ms, both 0 when none was or that is too long ago. */
struct cleared_value cleared_at(const struct cleared *c, int64_t t_ms);
double cleared_km(const struct cleared *c, int64_t t_ms); /* NaN: none */

#endif
