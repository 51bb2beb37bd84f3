/* services/ingest/again/recompute_inside.h - what recompute.c, recompute_begin.c and
 * recompute_silent.c share; nobody else includes it. */
#ifndef INGEST_RECOMPUTE_INSIDE_H
#define INGEST_RECOMPUTE_INSIDE_H

#include "recompute.h"
#include "services/ingest/commit/fact_states.h"
#include "services/ingest/commit/garage.h"
#include "services/ingest/commit/meter_rows.h"
#include "services/ingest/commit/segments.h"
#include "services/ingest/commit/tell.h"
#include "services/ingest/commit/told.h"

struct recompute {
    struct pg *db;
    struct influx *influx;
    const struct due_again_settings *due;
    struct garage *garage;
    struct fact_states *states;
    struct segments *segments;
    struct tell *tell;
    struct meter_rows meters;
    struct moment_map map;
    char silent_after[VIN_LEN + 1]; /* where the look for silent vehicles goes on; "": begins */
    /* ---- of the vehicle in hand */
    struct car_settings set;
    struct car car;
    struct judged judged;  /* since when it is judged by `set` */
    struct odometer known; /* with what was entered meanwhile */
    struct car_out out;
    int64_t oldest_ms; /* all samples since are there; INT64_MAX: nothing is late */
    int64_t base_ms;   /* newest sample of the state it began with */
    int64_t until_ms;  /* how far the history was read */
    int64_t left;      /* samples that may still be read */
    bool hopeless;     /* it will not be otherwise another time */
    bool steps_count;  /* car.steps goes on from the first sample, or from a state's */
    int64_t run_up_ms; /* samples up to here only tell how it stood then; 0: that was stored */
    bool forsaken; /* the history does not tell it either: rows that are open end where they are */
    int64_t again_ms; /* rows from here on are found anew; INT64_MAX: only unsettled ones */
    int64_t kept_ms;  /* newest checkpoint passed */
    struct car *kept; /* ... and all of them */
    size_t kept_n, kept_room;
    struct told *told; /* by the car, since base_ms */
    size_t told_n, told_next;
    bool failed;
};

/* What is stored of it, and where to begin: after *after_ms.  In the caller's transaction. */
enum status recompute_begin(struct recompute *r, struct due_again *due, int64_t now_ms,
                            struct fact_row *row, int64_t *after_ms,
                            struct fault *fault) MUST_CHECK;
/* Then, outside of it: find out how it stood at r->run_up_ms.  Nothing found on the way counts. */
enum status recompute_run_up(struct recompute *r, const struct due_again *due,
                             const struct fact_row *row, int64_t *after_ms,
                             struct fault *fault) MUST_CHECK;
void recompute_keep(struct recompute *r); /* a checkpoint */
/* Nobody will look at what came late. */
enum status recompute_forget_late(struct recompute *r, const struct fact_row *row,
                                  struct fault *fault) MUST_CHECK;
enum status recompute_step_until(struct recompute *r, const char *vin, int64_t after_ms,
                                 int64_t until_ms, struct fault *fault) MUST_CHECK;

#endif
