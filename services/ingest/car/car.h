/* services/ingest/car/car.h - one vehicle's facts: all that is stepped sample by sample, as plain
 * memory.  Pure; {0} starts.  Copy it at any moment: stepping on from the copy finds the same rows
 * and the same facts again.  That is how a restart and a recompute work.  Another build reads what
 * is stored of it by names: a new member is told in fields.c, too. */
#ifndef INGEST_CAR_H
#define INGEST_CAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detect.h"
#include "fences.h"
#include "found.h"
#include "judged.h"
#include "limits.h"
#include "rules.h"
#include "services/ingest/facts/cleared.h"
#include "services/ingest/facts/odometer.h"
#include "services/ingest/facts/trail.h"
#include "services/ingest/facts/trip.h"

struct car_settings {
    struct trip_settings trip;
    struct detect_settings detect;
    struct limits_settings limits;
    struct fence_list fences;
    struct rule_list rules;
    uint64_t stamp[JUDGED_KINDS]; /* another one: other zones, limits, rules, detection; never 0 */
    const struct wall *wall;      /* of its zone; NULL: UTC */
    int64_t history_ms;           /* how far back all its samples are there (late_history_ms) */
};

struct car {
    struct sight sight;
    struct trip trip;
    struct odometer odometer;
    double metered_m; /* of the trip's meter, known for certain at the last step */
    int64_t steps;    /* samples taken: as many at least are in the history */
    struct detect detect;
    struct overspeed overspeed;
    struct fences fences;
    struct rules rules;
    struct trail trail;
    struct cleared cleared;
    struct judged judged;
    /* ---- of the stream it steps through */
    unsigned char stream[16];
    int64_t passed_seq;   /* gaps up to here are not waited for any more */
    int64_t wait_from_ms; /* the earliest sample that waits for a gap; 0: none */
    int64_t lost_ms;      /* how it stood after this sample is not known; 0: it is */
    /* ---- of the rows shown while they are open */
    int64_t shown_ms, shown_wall_ms;
    int64_t shown_start_ms;
    int32_t shown_kind, shown_held;
    int64_t shown_private; /* 1: as those of a car in private mode */
};

/* One sample's readings; one that is not after the last has no effect. */
void car_step(struct car *c, const struct car_settings *set, const struct moment_map *map,
              int64_t t_ms, const struct reading *readings, size_t n, struct car_out *out);
/* The same, where the readings were taken already; of private mode `m` loses its place. */
void car_step_moment(struct car *c, const struct car_settings *set, struct moment *m,
                     const struct reading *readings, size_t n, struct car_out *out);
int64_t car_t_ms(const struct car *c); /* newest sample stepped; 0: none */

/* Of a car whose state after t_ms cannot be read: it begins as nothing, and all that comes waits
 * (wait_from_ms) until it is found again. */
void car_lose(struct car *c, int64_t t_ms);

/* Where it was at a moment, by a fix within half a minute of it or because it stood there; *off_ms
 * is how far that fix is from then.  False: nobody knows, or it was in private mode. */
bool car_place(const struct car *c, int64_t t_ms, double *lat, double *lon, int64_t *off_ms);
/* Something happened to it at t_ms that is, or will be, the event `id`: where?  Unless that is
 * known at once (0 ms off), samples still to come may tell better: car_out.places then. */
bool car_ask(struct car *c, const unsigned char id[16], int64_t t_ms, double *lat, double *lon);

/* Should the open rows be written again?  When they became others, and else every half a minute. */
bool car_shows(struct car *c, int64_t now_ms);

#endif
