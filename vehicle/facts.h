/* vehicle/facts.h - what the car's own values prove, found in the car: lib/drive fed with fixes and
 * polling rounds.  Pure: times come as arguments, what is found goes to `tell`.
 * One order of moments: what comes late or out of order counts a millisecond after the newest,
 * except where slopes are taken, which keep the time of each answer. */
#ifndef VEHICLE_FACTS_H
#define VEHICLE_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/drive/engine.h"
#include "proto/status.h"

#define FACTS_LATE_MS 1000 /* a reading may come in so long after its time */

struct facts;

struct facts_found {
    const char *type;     /* "harsh_braking", "idle": of the contract's lists */
    const char *severity; /* of an alert; NULL: an event */
    int64_t t_ms;         /* when it happened */
    const char *data;     /* a JSON object */
};

struct facts_options {
    bool has_gps; /* without a receiver a position cannot be lost */
    void (*tell)(void *self, const struct facts_found *found); /* its argument lasts for the call */
    void *self;
};

/* NaN: not measured. */
struct facts_fix {
    int64_t t_ms;
    double lat, lon; /* degrees */
    double accuracy_m, speed_kmh, heading_deg;
};

/* One polling round, each value read in it. */
struct facts_round {
    int64_t t_ms;   /* of the speed's answer, if it has one */
    bool answering; /* an ECU did */
    double kmh, rpm, coolant_celsius, volts, litres_h;
    double pto; /* 0, 1 */
};

enum status facts_open(struct facts **out, const struct facts_options *options,
                       struct fault *fault) MUST_CHECK;
void facts_close(struct facts *f); /* tells nothing; NULL is fine */

/* Which end detects: not us means that only what the adapter does is told (ingest cannot see it).
 */
void facts_detect(struct facts *f, bool here);

void facts_fix(struct facts *f, const struct facts_fix *fix);
void facts_round(struct facts *f, const struct facts_round *round);
void facts_adapter(struct facts *f, bool there);  /* from now on: the adapter answers */
void facts_pass(struct facts *f, int64_t now_ms); /* on every tick */
void facts_flush(struct facts *f);                /* the end: tells what is open */
void facts_clock_set(struct facts *f);            /* times begin anew */

/* What they say of the supply just now, whichever end tells. */
enum known facts_ignition(const struct facts *f);
bool facts_battery_empty(const struct facts *f);
/* Of a parked car that else has one each `parked_ms`: rarer while its battery is low. */
int64_t facts_heartbeat_ms(const struct facts *f, int64_t parked_ms);

/* Since the ignition went on, or since the start. */
double facts_trip_m(const struct facts *f);

#endif
