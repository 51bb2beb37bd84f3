/* services/notify/fleet.h - the newest state of every vehicle, whose it is, and since when it is
 * news.  Pure but for its memory; one thread.  Live is state, not a queue: a client that missed ten
 * ticks gets one frame, the newest.
 * A version grows with every change; a client remembers the version it has seen.  Times `now_ms`
 * are the boot clock's, `wall_ms` is the one people read. */
#ifndef NOTIFY_FLEET_H
#define NOTIFY_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/text.h"
#include "proto/envelope.h"
#include "proto/live.h"

struct fleet;

/* Which vehicles a client wants. */
#define FILTER_VINS_MAX 1000
struct filter {
    bool all;
    size_t vin_count;
    char (*vins)[VIN_LEN + 1]; /* sorted */
    bool has_box;
    double west, south, east, north; /* degrees; west > east crosses the antimeridian */
};

/* What the database knows of a vehicle. */
struct vehicle_row {
    char vin[VIN_LEN + 1];
    char customer[UUID_TEXT + 1];
    char name[4 * 200 + 1], plate[4 * 32 + 1]; /* 200 and 32 characters of UTF-8 */
    struct live live;                          /* t_ms 0: nothing measured yet */
    int64_t private_since_ms;                  /* ms since 1970; 0: not in private mode */
};

enum status fleet_open(struct fleet **out, struct fault *fault) MUST_CHECK;

/* A row read from the database: identity always, values only where they are newer than ours or we
 * have none.  Its word on freshness counts unless a live message came just now, which the database
 * may not have stored yet.  A private vehicle's place is forgotten at once; the one the database
 * holds is not believed again, only a message brings a new one after private mode. */
void fleet_know(struct fleet *f, const struct vehicle_row *row, int64_t now_ms);
/* Vehicles not known again since the last fleet_forget_begin leave. */
void fleet_forget_begin(struct fleet *f);
void fleet_forget_end(struct fleet *f);

/* A live message.  Older than what we have: false.  What it does not carry stays as it was; one
 * without any value tells of freshness only.  A private vehicle's place is passed over.  A VIN
 * nobody told us of is kept, and shown once it is known. */
bool fleet_take(struct fleet *f, const struct live *live, int64_t now_ms);
bool fleet_has(struct fleet *f, const char *vin); /* known, or heard of */

/* May `customer` hear of this vehicle?  Not of one that is known to be another's. */
bool fleet_may_see(const struct fleet *f, const char *customer, const char *vin);

uint64_t fleet_version(const struct fleet *f);
/* The version at which `customer`'s vehicles last became others: one came, left, or was renamed.
 * A live frame cannot say that, a snapshot can. */
uint64_t fleet_identity(struct fleet *f, const char *customer);

/* Append the objects of `customer`'s vehicles that changed after `since` and pass the filter,
 * comma-separated, newest change first; `full` adds name and plate.  One that turned private passes
 * any box once, without its place.  Returns how many. */
size_t fleet_print(const struct fleet *f, struct text *out, const char *customer,
                   const struct filter *filter, uint64_t since, bool full, int64_t wall_ms);

void fleet_close(struct fleet *f); /* NULL is fine */

/* Is the vehicle one of those asked for, wherever it is? */
bool filter_names(const struct filter *filter, const char *vin);
bool filter_passes(const struct filter *filter, const char *vin, const struct live *live);
void filter_done(struct filter *filter);

#endif
