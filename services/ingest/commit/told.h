/* services/ingest/commit/told.h - what the car told that its samples have to be read with: when it
 * was in private mode, and what happened at a place they tell.  One thread. */
#ifndef INGEST_TOLD_H
#define INGEST_TOLD_H

#include "lib/store/postgres.h"
#include "services/ingest/record/record.h"

/* Is `r` an event that switches private mode, and which way? */
bool told_switch(const struct record *r, bool *on);

/* Where did it happen? */
enum told_where {
    TOLD_NOWHERE, /* in private mode, or no place is meant */
    TOLD_HERE,    /* it says so itself: *lat, *lon; in private mode the driver agreed to that */
    TOLD_THEN,    /* where the car was at that time */
};
enum told_where told_where(const struct record *r, double *lat, double *lon);

struct told {
    int64_t t_ms;
    bool is_switch, on;   /* private from then on, or no longer */
    unsigned char id[16]; /* else an event that happened where the car was */
};

/* The switches of a vehicle after `after_ms` and the one before, and its events since whose place
 * is the samples' to tell; oldest first.  free(*out) is yours.  Statuses as pg_run. */
enum status told_list(struct pg *db, const char *vin, int64_t after_ms, struct told **out,
                      size_t *n, struct fault *fault) MUST_CHECK;

#endif
