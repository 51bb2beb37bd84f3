/* vehicle/obd/wake.h - when a sleeping car deserves one request.  Requests wake ECUs and drain the
 * battery; the adapter's voltage reading does not.  Pure: the time comes as an argument (boot time,
 * ms). */
#ifndef VEHICLE_OBD_WAKE_H
#define VEHICLE_OBD_WAKE_H

#include <stdbool.h>
#include <stdint.h>

#define WAKE_VOLTAGE_MS                                                                            \
    10000                   /* how often the voltage is read, until reader_rest says otherwise     \
                             */
#define WAKE_LOOK_MS 30000  /* one request at most this often */
#define WAKE_BLIND_MS 60000 /* ... when the adapter cannot tell the voltage */
#define WAKE_TOLD_MS 60000  /* an unchanged voltage is told this often */
#define WAKE_STEP_V 0.5
#define WAKE_CHARGING_V 13.2
#define WAKE_NEWS_V 0.2

struct wake {
    int64_t looked_ms;               /* when the bus was last asked */
    int64_t told_ms;                 /* 0: not yet */
    double told_volts, lowest_volts; /* NAN: not measured */
};

void wake_init(struct wake *w, int64_t now_ms); /* the bus was asked just now */

/* Worth a sample?  The first, a change, or a minute. */
bool wake_is_news(struct wake *w, int64_t now_ms, double volts);

/* Ask the bus now?  The voltage stepped up or is that of a charging alternator, or GPS says that
 * the car moves. */
bool wake_step(struct wake *w, int64_t now_ms, double volts, bool moving);

#endif
