/* services/ingest/facts/segment.h - the rows a vehicle's time is told in, and how a recompute finds
 * its old ones again.  Pure. Trips, stops and gaps follow each other without hole or overlap: each
 * ends where the next begins. Idles and short gaps (SEGMENT_IDLE, SEGMENT_LAPSE) lie over them. */
#ifndef INGEST_SEGMENT_H
#define INGEST_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fuel.h"
#include "proto/envelope.h"

enum segment_kind { SEGMENT_STOP = 0, SEGMENT_TRIP, SEGMENT_GAP, SEGMENT_IDLE, SEGMENT_LAPSE };
enum segment_state { SEGMENT_OPEN = 0, SEGMENT_CLOSED, SEGMENT_FINAL, SEGMENT_SUPERSEDED };
enum end_reason { END_NONE = 0, END_STANDING, END_IGNITION_OFF, END_GAP, END_SILENT };

struct place {
    double lat, lon; /* NaN: not known */
};

/* What was done in a time. */
struct tally {
    double distance_m, estimated_m; /* the second is part of the first: straight lines over holes */
    double max_kmh;
    int64_t moving_ms, engine_ms, idle_ms;
    int64_t covered_ms, expected_ms;
    int64_t high_rpm_ms, rpm_ms;   /* engine time near the redline; in which rpm was measured */
    int64_t cold_load_ms, load_ms; /* driven hard before it was warm; in which that was measured */
    int64_t slope_ms; /* of moving_ms: speeds told so often that they show harsh manoeuvres */
    struct fuel_sum fuel;
};

struct segment {
    char id[UUID_TEXT + 1]; /* "" until segment_reconcile */
    bool provisional;       /* closed by silence alone; the next record may open it again */
    bool hidden; /* it began in private mode: where is not told.  No column, no part of its row */
    int version; /* from 1 */
    enum segment_kind kind;
    enum segment_state state;
    enum end_reason reason;
    int64_t start_ms, end_ms;
    struct place start, end;
    struct tally sum;
    int64_t pause_ms;                              /* of a trip: its fuel stops */
    double odometer_start_m, odometer_end_m;       /* NaN: not read */
    double level_start_percent, level_end_percent; /* medians at rest; NaN: not known */
};

void segment_init(struct segment *s, enum segment_kind kind, int64_t start_ms);
void tally_add(struct tally *to, const struct tally *more);
double tally_coverage(const struct tally *t); /* 0 .. 1 */

/* How far by the odometer, NaN under 5 km or when not read at both ends; *check is true when it
 * parts from the distance by more than 5 % and 500 m. */
double segment_odometer_m(const struct segment *s, bool *check);

const char *segment_word(enum segment_kind kind); /* "stop" "trip" "gap" "idle" "lapse" */
const char *segment_state_word(enum segment_state state);
const char *
end_reason_word(enum end_reason reason); /* "" "standing" "ignition_off" "gap" "silent" */

/* Give the rows computed anew the ids of the old rows they are.  `old` are the rows of this vehicle
 * that touch the window, superseded ones left out.  Of each kind the pair with the greatest overlap
 * goes first; what is left gets an id derived from (vin, kind, start), so that finding it twice
 * gives one row.
 *   fresh[i].version  1 for a new row, the old one's if nothing changed, else one more
 *   changed[i]        the row must be written
 *   old[j].state      SEGMENT_SUPERSEDED, version raised, where no fresh row is it any more
 * Ids of `old` are each there once.  n log n where rows of a kind do not lie over each other.
 * False: out of memory, and nothing was given. */
bool segment_reconcile(struct segment *fresh, bool *changed, size_t fresh_n, struct segment *old,
                       size_t old_n, const char *vin) MUST_CHECK;

#endif
