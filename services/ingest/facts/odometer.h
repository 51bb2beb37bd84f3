/* services/ingest/facts/odometer.h - kilometres and engine hours over the life of a car.  Pure; {0}
 * starts.  The car's own meter counts where it answers; else a base somebody entered plus what was
 * computed since, corrected by a factor once a second reading is entered. */
#ifndef INGEST_ODOMETER_H
#define INGEST_ODOMETER_H

#include <stdbool.h>
#include <stdint.h>

#include "moment.h"

struct odometer_settings {
    double factor_min, factor_max; /* 0.95 .. 1.05 */
    double speed_max_kmh;          /* 300: a rise beyond it is refused, ... */
    int agreeing;                  /* ... and a fall, until read 3 times: the cluster was swapped */
    int64_t hole_ms;               /* 15,000: engine time over longer holes is not added, ... */
    int64_t run_time_hole_ms;      /* ... but up to 3,600,000 the rise of PID 1F is */
    double slack_m;                /* 1,000: readings this near to each other agree (ours) */
};
extern const struct odometer_settings odometer_defaults;

enum odometer_fact { ODOMETER_NONE = 0, ODOMETER_RESET };
enum odometer_source { ODOMETER_UNKNOWN = 0, ODOMETER_ESTIMATED, ODOMETER_CAR };

struct odometer {
    bool read; /* the car's own: value and time of the newest accepted reading */
    double read_m;
    int64_t read_ms;
    double refused_m; /* newest refused one, and how many agree with it */
    int refused;
    double before_m;         /* of ODOMETER_RESET: what it read before */
    bool based;              /* somebody entered one */
    double base_m, factor;   /* factor 0: 1 */
    double computed_m;       /* distance since the base */
    int64_t entered_ms;      /* when it was read, or of the newest sample then; 0: not known */
    double engine_h, idle_h; /* computed since the base below, or the car's own */
    double engine_base_h;
    double entered_h; /* hours that were entered ... */
    int64_t entered_h_ms;
    bool engine_read; /* PID 7F answers */
    int64_t t_ms;
    enum known running;
    bool standing;
    double run_time_s; /* newest PID 1F; of when */
    int64_t run_time_ms;
};

/* One moment, and how far the car went since the last one (of the trip's meter).
 * ODOMETER_RESET: a new base, before_m was the old one. */
enum odometer_fact odometer_step(struct odometer *o, const struct odometer_settings *set,
                                 const struct moment *m, const struct seen *seen, double way_m);

/* Is this reading of the car's own, now, one that odometer_step accepts? */
bool odometer_takes(const struct odometer *o, const struct odometer_settings *set, int64_t t_ms,
                    double metres);

/* Somebody read the dashboard at at_ms: samples from before that may still come, and add nothing
 * to it.  The second time the factor is learnt. */
void odometer_enter(struct odometer *o, const struct odometer_settings *set, int64_t at_ms,
                    double metres);
void odometer_enter_hours(struct odometer *o, int64_t at_ms, double hours);
/* Stepping again to t_ms: what `known` was told before that, and `o` not, as it was told. */
void odometer_enter_again(struct odometer *o, const struct odometer *known, int64_t t_ms);

/* What is shown of a car whose state is lost goes on from there.  NaN: not known. */
struct odometer_shown {
    enum odometer_source source;
    double m, engine_h, idle_h;
    int64_t at_ms; /* of the newest sample in it */
    double factor; /* 0 or NaN: none was learnt */
};
void odometer_resume(struct odometer *o, const struct odometer_shown *shown);
/* `o` was stepped from anywhere up to where `shown` was resumed: it goes on as that from there. */
void odometer_go_on(struct odometer *o, const struct odometer *shown);

/* Is what somebody entered the same in both? */
bool odometer_same_entries(const struct odometer *a, const struct odometer *b);
/* Of two that stepped over the same samples, `again` some late ones, too: does it know all that
 * `now` does?  Not what somebody entered since it set out, nor what the history has not any more.
 * A little less is a correction: what lay between two samples was guessed before. */
bool odometer_knows_more(const struct odometer *again, const struct odometer *now);

double odometer_m(const struct odometer *o, enum odometer_source *source); /* NaN: not known */
double odometer_engine_h(const struct odometer *o);

#endif
