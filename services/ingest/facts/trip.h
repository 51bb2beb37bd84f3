/* services/ingest/facts/trip.h - trips, stops and gaps: a partition of a vehicle's time.  Pure; {0}
 * starts.  A trip begins at the last standing sample, at the stop's anchor, and ends on arrival,
 * not when the arrival is believed.  What totals less than 100 m was no trip; a fuel stop does not
 * split one.  The state is plain memory: copy it at any moment, and stepping on from the copy gives
 * the same rows again.  In private mode a car has no place, and what began in it is never given
 * one afterwards: an open row says none while it lasts, distances go on.
 *
 * A car that is towed has not driven: the stop ends when it leaves, and the next one, which begins
 * then, is where it is put down.
 *
 * A gap g without a sample, d metres apart (odometer, else great circle), is one of four things, in
 * this order.  Up to 300 s it is bridged; up to 3,600 s and at 1.11 m/s or more it is the same
 * trip (one that had only just begun, too), a SEGMENT_LAPSE over it, d estimated; d below 200 m is
 * a stop, from the last sample on; else it is a SEGMENT_GAP between what was and what comes. */
#ifndef INGEST_TRIP_H
#define INGEST_TRIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fuel.h"
#include "level.h"
#include "lib/drive/anchor.h"
#include "lib/drive/idle.h"
#include "lib/drive/meter.h"
#include "moment.h"
#include "privacy.h"
#include "segment.h"

struct trip_settings {
    double start_kmh;    /* 8 ... */
    double start_away_m; /* ... or more than 100 m from the anchor begins a trip; */
    int start_fixes;     /* GPS alone has to say so in 2 good fixes running */
    double least_m;      /* 100: a shorter one was none */
    double
        least_away_m;     /* 50: nor was one that GPS alone tells of and that never got so far from
                             where it began, net of accuracy (ours: a bad receiver goes in circles) */
    int64_t end_ms;       /* 200,000 of standing ends it (others: 180 s, 200 s, 300 s), or ... */
    int64_t off_ms;       /* ... 60,000 of ignition off while standing */
    int64_t flip_ms;      /* 30,000: a shorter ignition on in between changes nothing, ... */
    double nudge_m;       /* ... nor does a move of less than 5 m */
    int64_t bridge_ms;    /* 300,000: holes up to this are bridged */
    int64_t lapse_ms;     /* 3,600,000: up to this ... */
    double lapse_ms1;     /* ... at 1.11 m/s or more it drove on */
    double same_place_m;  /* 200: nearer than this it stood */
    double most_kmh;      /* 300: an odometer that rose faster over a hole is not believed */
    int64_t fuel_stop_ms; /* 900,000: the longest fuel stop */
    double high_rpm;      /* 4,500 petrol, 3,375 diesel: 75 % of the redline */
    int64_t carried_ms;   /* 10,000: ignition off and further than that away for so long, in good
                             fixes, none nearer between: it was towed */
    double rest_kmh;      /* 2: then it is put down where it is no faster than this */
    int64_t slope_ms;     /* 2,500 for three speeds: else there is no slope (harsh.h) */
    double gain_ms2; /* 15: a speed that rose faster is not the highest unless the next is, too */
    double cold_celsius, hard_percent; /* coolant below 60 and load above 70: not good for it */
    struct meter_settings meter;
    struct idle_settings idle;
    struct fuel_settings fuel;
    struct level_settings level;
};
extern const struct trip_settings trip_defaults;

#define TRIP_OUT_MAX 12
enum trip_phase { TRIP_NOTHING = 0, TRIP_STANDS, TRIP_DRIVES };

/* Standing, of what may be over. */
struct stand {
    int64_t since_ms; /* 0: moving */
    double at_m;      /* the segment's distance then */
};

struct trip {
    enum trip_phase phase;
    int64_t t_ms;
    struct segment now;     /* the open stop or trip */
    struct segment next;    /* what may have begun: a trip while standing, the stop while driving */
    bool candidate;         /* TRIP_STANDS: next counts */
    bool started;           /* of the candidate: fast or far enough */
    int start_run;          /* good fixes running that say so */
    bool got_away;          /* of the candidate: by least_away_m, or by the car's own word */
    struct stand stand;     /* of now (TRIP_DRIVES) or of the candidate */
    struct segment held[2]; /* a trip and the stop after it, until it is clear that they stay two */
    int held_n;
    struct anchor anchor;
    struct privacy
        privacy;       /* told by privacy_switch, before the samples from then on are stepped */
    struct fix fix;    /* last good one; none since private mode began */
    double odometer_m; /* newest; NaN never is: 0 with odometer_known false */
    bool odometer_known;
    enum motion_state motion;
    enum known running;
    int64_t speed_ms;        /* newest moment that knew a speed */
    int64_t told_ms[2];      /* the two newest in which one was told, the newer first */
    int64_t resumed_ms;      /* end of the newest gap: nothing before it is a stand's beginning */
    int64_t off_ms, on_ms;   /* ignition off since; on since, within an off */
    int64_t away_ms;         /* of a stop: not where it was, ignition off, since; 0: it is there */
    int64_t carried_ms;      /* when it was put down where it was carried to, or is carried still */
    int64_t refuelled_ms[2]; /* the pause in which the newest fill-up happened */
    struct meter meter;
    double metered_m, metered_estimated_m;
    struct idle idle;
    struct fuel fuel;
    struct level level;
};

/* One moment, with its sight.  Rows that later samples in order will not change any more go to
 * `out`; returns how many.  Facts of the level on the way: *level (LEVEL_NONE mostly), t->level has
 * the rest. */
size_t trip_step(struct trip *t, const struct trip_settings *set, const struct seen *seen,
                 const struct moment *m, struct segment out[TRIP_OUT_MAX], enum level_fact *level);

/* Where zones see the car after this step: its anchor while it stands, else its good fix.  False:
 * nowhere now. */
bool trip_place(const struct trip *t, const struct seen *seen, struct fix *out);

/* The rows as they stand: held ones, the open one, an idle in progress.  `now_ms` closes what has
 * not been fed for an hour, provisionally; 0 does not. */
size_t trip_view(const struct trip *t, const struct trip_settings *set, int64_t now_ms,
                 struct segment out[TRIP_OUT_MAX]);

#endif
