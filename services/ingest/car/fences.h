/* services/ingest/car/fences.h - a vehicle among all the zones of its customer.  Pure; {0} starts.
 * Of zones the car is far from nothing is kept: outside at the last fix, as all the others.  So a
 * thousand zones cost a thousand comparisons, and bytes only where the car is. */
#ifndef INGEST_FENCES_H
#define INGEST_FENCES_H

#include "found.h"
#include "lib/drive/fix.h"
#include "proto/envelope.h"
#include "services/ingest/facts/geofence.h"
#include "services/ingest/facts/schedule.h"
#include "services/ingest/facts/wall.h"

struct fence {
    char id[UUID_TEXT + 1];
    unsigned char key[16]; /* the same, in bytes */
    int32_t version;
    struct zone zone;
    struct geofence_settings set;
    double limit_kmh; /* NaN: none */
    bool muted;       /* enter and exit are events, not alerts */
    struct schedule schedule;
    double south, west, north, east; /* beyond it is outside, whatever the accuracy */
};

/* Box and key of a fence whose zone is complete. */
void fence_complete(struct fence *f);

struct fence_list {
    const struct fence *const *all; /* those that are for this vehicle */
    size_t n;
    uint64_t stamp; /* another one: zones were drawn, changed or taken away */
};

#define FENCES_NEAR 24 /* zones a car may be in, or at the edge of, at a time */
struct fence_near {
    unsigned char key[16];
    int64_t version;
    struct geofence state;
};

struct fences {
    uint64_t stamp;
    int64_t t_ms; /* of the last place; 0: none */
    double lat, lon, accuracy_m;
    int64_t n, crowded; /* near ones; those that found no room */
    struct fence_near near[FENCES_NEAR];
};

/* A good fix, or the anchor. */
void fences_step(struct fences *f, const struct fence_list *list, const struct wall *wall,
                 int64_t t_ms, const struct fix *place, struct car_out *out);

/* Time passes without a fix: what geofence_tick says of those that are near.  No sample tells it,
 * so those that come may take it back (FOUND_GONE). */
void fences_tick(struct fences *f, const struct fence_list *list, const struct wall *wall,
                 int64_t now_ms, struct car_out *out);

/* The samples were stepped over anew and gave `s` and `out`: what time alone told of `told`, the
 * state before, goes on or is taken back; a stay that nothing else would end is over. */
void fences_remember(struct fences *s, const struct fence_list *list, const struct fences *told,
                     int64_t t_ms, struct car_out *out);

/* Is it known where the car is at t_ms?  One without GPS, or in private mode, is soon neither
 * inside nor outside of anything. */
#define FENCES_PLACE_MS 60000
bool fences_placed(const struct fences *f, int64_t t_ms);

bool fences_inside(const struct fences *f, const unsigned char key[16]);
/* The limits of the zones it is in at t_ms; returns how many, at most `max`.  Past a zone's edge
 * its limit holds no more, though the car is in it until it is out by the margin. */
size_t fences_limits(const struct fences *f, const struct fence_list *list, int64_t t_ms,
                     double *limits, size_t max);

#endif
