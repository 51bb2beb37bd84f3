/* services/ingest/commit/fact_states.h - where the facts of each vehicle stand, as rows of
 * `fact_state`. Nothing is kept in memory: what is stepped is read with its lock and written in the
 * transaction that stores it, so a crash neither loses nor repeats a step, and any instance may
 * take the next. Inside the caller's transaction; one thread. */
#ifndef INGEST_FACT_STATES_H
#define INGEST_FACT_STATES_H

#include "lib/store/postgres.h"
#include "proto/vin.h"
#include "services/ingest/car/car.h"

struct fact_states;

struct fact_row {
    char vin[VIN_LEN + 1];
    struct car car;
    int64_t checkpoint_ms;               /* the newest one stored, or the first state; 0: none */
    int64_t wait_ms;                     /* the history has samples up to here that wait; 0: none */
    int64_t waits;                       /* how often something was added to that */
    int64_t late_from_ms, late_until_ms; /* what came too late, and nobody looked at; 0: nothing */
    int64_t late_at_ms;                  /* when the newest of it came */
    bool waits_anew;                     /* the patience for a gap begins now */
    bool late_now;                       /* more came too late just now */
    bool late_anew;                      /* ... and is the first since somebody looked */
};

enum status fact_states_open(struct fact_states **out, struct pg *db,
                             struct fault *fault) MUST_CHECK;

/* Make the rows that are missing, and lock all.  `vins` sorted, each once. */
enum status fact_states_lock(struct fact_states *s, const char *const *vins, size_t n,
                             struct fault *fault) MUST_CHECK;
/* The same in two: queue what locks them, and, with the same `vins` and once something has waited,
 * see whether all are there. */
enum status fact_states_ask(struct fact_states *s, const char *const *vins, size_t n,
                            struct fault *fault) MUST_CHECK;
enum status fact_states_take(struct fact_states *s, const char *const *vins, size_t n,
                             struct fault *fault) MUST_CHECK;
/* The i-th of them.  A state that another build stored is carried over by names (fact_layouts).  Of
 * one that cannot be read the car is lost (car_lose): its samples wait in the history until a
 * recompute has found out how it stood. */
void fact_states_get(struct fact_states *s, size_t i, struct fact_row *out);

/* To be written; a checkpoint goes with it when the last one is old. */
void fact_states_put(struct fact_states *s, const struct fact_row *row);
/* A checkpoint whatever the last one was. */
void fact_states_keep(struct fact_states *s, const char *vin, const struct car *car);
/* Queued, for the caller's commit. */
enum status fact_states_write(struct fact_states *s, struct fault *fault) MUST_CHECK;

/* The newest checkpoint at or before `at_ms`; ST_NONE: there is none. */
enum status fact_states_before(struct fact_states *s, const char *vin, int64_t at_ms,
                               struct car *out, struct fault *fault) MUST_CHECK;
/* The oldest one at or after it. */
enum status fact_states_after(struct fact_states *s, const char *vin, int64_t at_ms,
                              struct car *out, struct fault *fault) MUST_CHECK;
/* Checkpoints after `at_ms` are not true any more. */
enum status fact_states_forget(struct fact_states *s, const char *vin, int64_t at_ms,
                               struct fault *fault) MUST_CHECK;

/* Is a checkpoint due, `t_ms` after the last one? */
bool fact_states_is_due(int64_t t_ms, int64_t checkpoint_ms);

void fact_states_close(struct fact_states *s); /* NULL is fine */

#endif
