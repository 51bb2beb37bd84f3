/* services/ingest/car.h - one vehicle's facts: all that is stepped sample by sample, as plain
 * memory.  Pure; {0} starts.  Copy it at any moment: stepping on from the copy finds the same rows
 * and the same facts again.  That is how a restart and a recompute work. */
#ifndef INGEST_CAR_H
#define INGEST_CAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alert.h"
#include "odometer.h"
#include "trip.h"

/* What is told of one thing found, or-ed. */
enum found_part {
    FOUND_EVENT = 1, /* an event row, at occurred_ms */
    FOUND_ALERT = 2, /* its alert is so, since occurred_ms */
    FOUND_END = 4,   /* its alert's condition is over, since occurred_ms */
};

struct found {
    unsigned parts;
    char type[32];
    char subject[ALERT_SUBJECT_MAX + 1];
    enum alert_severity severity;
    int64_t occurred_ms;
    int64_t told_ms; /* the sample that told it */
    double lat, lon; /* NaN: nowhere */
    char data[400];  /* a JSON object */
};

/* What a run of steps gave; grows as needed. */
struct car_out {
    struct segment *rows; /* settled: samples in order change them no more */
    size_t rows_n, rows_room;
    struct found *found;
    size_t found_n, found_room;
    bool failed; /* no memory: what is in here is not all */
};
void car_out_clear(struct car_out *out); /* keeps its memory */
void car_out_done(struct car_out *out);

struct car_settings {
    struct trip_settings trip;
};

struct car {
    struct sight sight;
    struct trip trip;
    struct odometer odometer;
    double metered_m; /* of the trip's meter, at the last step */
    /* ---- of the stream it steps through */
    unsigned char stream[16];
    int64_t passed_seq;   /* gaps up to here are not waited for any more */
    int64_t wait_from_ms; /* the earliest sample that waits for a gap; 0: none */
    /* ---- of the rows shown while they are open */
    int64_t shown_ms, shown_wall_ms;
    int64_t shown_start_ms;
    int32_t shown_kind, shown_held;
};

/* Which layout a stored struct car has: another program's may differ. */
int64_t car_layout(void);

/* One sample; one that is not after the last has no effect. */
void car_step(struct car *c, const struct car_settings *set, const struct moment *m,
              struct car_out *out);
int64_t car_t_ms(const struct car *c); /* newest sample stepped; 0: none */

/* Should the open rows be written again?  When they became others, and else every half a minute. */
bool car_shows(struct car *c, int64_t now_ms);

#endif
