/* services/ingest/told.h - what the car told that its samples have to be read with: when it was in
 * private mode.  One thread. */
#ifndef INGEST_TOLD_H
#define INGEST_TOLD_H

#include "lib/store/postgres.h"
#include "record.h"

/* Is `r` an event that switches private mode, and which way? */
bool told_switch(const struct record *r, bool *on);

struct told {
    int64_t t_ms;
    bool on; /* private from then on, or no longer */
};

/* The switches of a vehicle after `after_ms`, and the one before, oldest first; free(*out) is
 * yours. Statuses as pg_run. */
enum status told_list(struct pg *db, const char *vin, int64_t after_ms, struct told **out,
                      size_t *n, struct fault *fault) MUST_CHECK;

#endif
