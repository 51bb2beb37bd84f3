/* lib/drive/gps_lost.h - driving without a position for too long.  Pure; {0} starts. */
#ifndef LIB_DRIVE_GPS_LOST_H
#define LIB_DRIVE_GPS_LOST_H

#include <stdbool.h>
#include <stdint.h>

struct gps_lost_settings {
    double kmh;        /* OBD at 10 or more ... */
    int64_t lost_ms;   /* ... and no good fix for 600,000 */
    int64_t parked_ms; /* 300,000 without an OBD speed: a new drive, the receiver may begin anew
                          (ours) */
    int fixes;         /* 2 good ones end it */
};
extern const struct gps_lost_settings gps_lost_defaults;

enum gps_lost_fact { GPS_LOST_NONE = 0, GPS_LOST_RAISED, GPS_LOST_CLEARED };

struct gps_lost {
    bool open;
    int64_t since_ms; /* no good fix since: the drive's first speed without one */
    int64_t obd_ms;   /* newest OBD speed */
    int64_t t_ms;
    int fixes; /* good ones since it was raised */
};

/* One moment: the OBD speed of now (NaN: none), and whether there is a good fix now.  Time without
 * a fix counts while driving, from the first 10 km/h on, red lights included. */
enum gps_lost_fact gps_lost_step(struct gps_lost *g, const struct gps_lost_settings *set,
                                 int64_t t_ms, double obd_kmh, bool good_fix);

#endif
