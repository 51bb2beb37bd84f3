/* services/ingest/car/detect.h - harsh manoeuvres, crash, tow, battery, heat and the like, found in
 * the samples of a vehicle that does not find them itself; and the end of what a vehicle told.
 * Pure; {0} starts. The same functions as in the car (lib/drive), never both for one vehicle. */
#ifndef INGEST_DETECT_H
#define INGEST_DETECT_H

#include "found.h"
#include "lib/drive/battery.h"
#include "lib/drive/crash.h"
#include "lib/drive/gps_lost.h"
#include "lib/drive/harsh.h"
#include "lib/drive/heat.h"
#include "lib/drive/tow.h"
#include "services/ingest/facts/moment.h"

struct detect_settings {
    bool here; /* we find them, the car does not */
    const struct harsh_settings *harsh;
    int nominal_v; /* 12, 24; 0: find out */
};

struct detect {
    struct harsh harsh;
    struct battery battery;
    struct heat heat;
    struct gps_lost gps_lost;
    struct tow tow;
    struct crash crash;
    int64_t obd_ms; /* newest speed of the car's own; 0: none */
    /* ---- told by the car, a tow by us too, and not over yet; 0: not so */
    int64_t tow_ms, power_cut_ms, gps_ms;
    int64_t heat_ms, battery_ms[BATTERY_KINDS]; /* only what is newer than its alert ends it */
    int32_t good_fixes;                         /* since gps_ms */
    int32_t told; /* something of battery or heat is open by the car's own word */
};

void detect_step(struct detect *d, const struct detect_settings *set, const struct moment *m,
                 const struct seen *seen, struct car_out *out);

/* The car told such an alert itself: its end is found in the samples that follow.  `subject` as
 * detect_subject gave it. */
void detect_told(struct detect *d, const char *type, const char *subject, int64_t t_ms);
/* Is it?  Of the wrong vehicle the next diagnosis says that it is over, of a tow a person. */
bool detect_ends(const char *type, const char *subject);
/* The same of all that `told` knows to be open, by such words alone. */
void detect_remember(struct detect *d, const struct detect *told);

#endif
