/* services/ingest/facts/geofence.h - a vehicle and one zone: enter, exit, dwell.  Pure; {0} starts.
 * d is the distance to the edge, a the accuracy, m the zone's margin.  Inside: d <= 0.  Outside:
 * d - a > m.  Between: nothing changes, no run is counted or broken.  So a fix that wanders along
 * the edge makes one enter and no exit.  Overlapping zones are independent of each other. */
#ifndef INGEST_GEOFENCE_H
#define INGEST_GEOFENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zone.h"

struct geofence_settings {
    double accuracy_max_m; /* 50: what is coarser changes nothing; the caller gives good fixes */
    int enter_fixes;       /* 2 inside fixes running, or one ... */
    int64_t enter_ms;      /* ... and 30,000 without an outside one */
    int exit_fixes;        /* 2 outside fixes running */
    int64_t dwell_ms;      /* 0 (off) .. 3,600,000 */
    int64_t crossing_ms;   /* 120,000: two outside fixes at most so far apart ... */
    double crossing_m; /* ... with at least 20 m, and at least a, inside: it drove through, be there
                          one inside fix between them or none */
};
extern const struct geofence_settings geofence_defaults;

enum geofence_kind {
    GEOFENCE_ENTER = 0,
    GEOFENCE_EXIT,
    GEOFENCE_DWELL,
    /* What geofence_tick told of t_ms, and the fixes that came later do not bear out. */
    GEOFENCE_NO_ENTER,
    GEOFENCE_NO_DWELL
};
struct geofence_fact {
    enum geofence_kind kind;
    int64_t t_ms;      /* first fix of the run; dwell: enter + dwell_ms */
    double lat, lon;   /* of that fix; dwell: where it entered, NaN: not known */
    bool interpolated; /* between two fixes: nobody saw it inside, or only once */
};
#define GEOFENCE_FACTS_MAX 6

enum geofence_side { GEOFENCE_UNKNOWN = 0, GEOFENCE_OUT, GEOFENCE_IN };

struct geofence {
    enum geofence_side side;
    enum geofence_side run_side; /* of the fixes running that say otherwise */
    int run;
    int64_t run_ms;
    double run_lat, run_lon;
    int64_t entered_ms; /* 0: not known (it was inside when first seen) */
    double entered_lat, entered_lon;
    bool dwelt;     /* told for this visit */
    bool run_sure;  /* the first of the run was inside by more than its accuracy and the margin */
    int64_t out_ms; /* newest outside fix, 0: it was not outside since it entered */
    double out_lat, out_lon;
    int64_t t_ms;
    int64_t told_enter_ms, told_dwell_ms; /* by time alone, and no fix has said so yet; 0: none */
};

/* A good fix; standing, the anchor.  The first one sets the side and is no event, and so is the
 * first after a zone was drawn or changed (give {0} the last good fix then).  Returns how many
 * facts. */
size_t geofence_step(struct geofence *g, const struct geofence_settings *set, const struct zone *z,
                     int64_t t_ms, double lat, double lon, double accuracy_m,
                     struct geofence_fact out[GEOFENCE_FACTS_MAX]);

/* Time passes without a fix: one inside fix becomes an enter, a visit long enough a dwell, while
 * the car sleeps too.  Each is told once.  The visit itself is left as the fixes have it, and the
 * next one tells the same again, or, if it had left by then, GEOFENCE_NO_...: but for those, the
 * facts of its fixes are the same with this and without it. */
size_t geofence_tick(struct geofence *g, const struct geofence_settings *set, int64_t now_ms,
                     struct geofence_fact out[GEOFENCE_FACTS_MAX]);

/* After the fixes were stepped over anew, and gave `g`: what time alone told of `told`, the state
 * before, is remembered in `g` where it may still turn out, and else returned as GEOFENCE_NO_...:
 * the caller knows which of that the fixes have told on the way. */
size_t geofence_remember(struct geofence *g, const struct geofence_settings *set,
                         const struct geofence *told, struct geofence_fact out[GEOFENCE_FACTS_MAX]);

const char *geofence_word(enum geofence_kind kind); /* "geofence_enter" ..., of NO_ENTER too */

#endif
