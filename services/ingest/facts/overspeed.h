/* services/ingest/facts/overspeed.h - driving above a limit for a while.  Pure; {0} starts.
 * No limit, no episode: somebody has to set one, and say what for.  An episode is about one limit:
 * where another one holds for as long as an interruption may last, it is over, and the next one
 * began there if that is driven too fast for, too. */
#ifndef INGEST_OVERSPEED_H
#define INGEST_OVERSPEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct overspeed_settings {
    double share;       /* above means more than the limit and 5 % of it, ... */
    double slack_kmh;   /* ... or 3 more, whichever is more */
    int64_t pause_ms;   /* 5,000: a shorter interruption does not end an episode */
    int64_t least_ms;   /* 10,000 above make it an event */
    int64_t hole_ms;    /* 15,000 without a speed end it */
    double major_share; /* from limit + 20 % on it is major */
};
extern const struct overspeed_settings overspeed_defaults;

struct overspeed_episode {
    int64_t start_ms, end_ms; /* first sample above; first below after it */
    double limit_kmh;         /* that held all along */
    double peak_kmh;
    double mean_kmh; /* over its time */
    int64_t above_ms;
    bool placed; /* where it began is known, by a fix so far from then in time: the caller's */
    int64_t off_ms;
    double lat, lon;
};

enum overspeed_fact { OVERSPEED_NONE = 0, OVERSPEED_BEGAN, OVERSPEED_ENDED };

/* What may be the next one, while another limit holds than that of the one under way. */
struct overspeed_run {
    struct overspeed_episode now; /* start_ms 0: none */
    int64_t below_ms;             /* as below */
    double way, way_pause;
    bool above;
};

struct overspeed {
    struct overspeed_episode now; /* start_ms 0: none */
    struct overspeed_episode ended;
    bool told;
    int64_t below_ms; /* an interruption since; 0: above */
    double way;       /* km/h x ms until the newest sample above ... */
    double way_pause; /* ... and in the interruption */
    int64_t t_ms;     /* newest speed */
    double kmh;
    bool above;
    struct overspeed_run next;
};

/* One speed and the limit it is held against (NaN: none).  OVERSPEED_BEGAN: o->now, ten seconds
 * after it began; OVERSPEED_ENDED: o->ended is the event, and o->now may be the next one. */
enum overspeed_fact overspeed_step(struct overspeed *o, const struct overspeed_settings *set,
                                   int64_t t_ms, double kmh, double limit_kmh);

/* Nothing comes any more: true when the hole ended an event. */
bool overspeed_tick(struct overspeed *o, const struct overspeed_settings *set, int64_t now_ms);

bool overspeed_is_major(const struct overspeed_settings *set, const struct overspeed_episode *e);

/* The limit that counts: the lowest of the zones the car is in, else the road's, the vehicle's, the
 * customer's.  NaN: not set. */
double overspeed_limit(const double *zones_kmh, size_t zones, double road_kmh, double vehicle_kmh,
                       double customer_kmh);

#endif
