/* vehicle/gpsd_line.h - what gpsd says, a line at a time (its JSON protocol, version 3).  Pure. */
#ifndef VEHICLE_GPSD_LINE_H
#define VEHICLE_GPSD_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "inbox.h"

#define GPSD_LINE_MAX 16384 /* a sky view of all systems takes some 8 KiB; longer is dropped */
#define GPSD_WATCH "?WATCH={\"enable\":true,\"json\":true};\n"

struct gpsd_report {
    bool usable; /* a position: mode 2D or 3D, and both degrees said in this very report */
    struct fix fix;
};

/* Read a line.  True: it is a TPV report.  What gpsd does not say is NAN, never 0; `status` is not
 * asked (3.22 leaves it out for a plain fix).  Speed is turned into km/h; a heading below walking
 * pace means nothing and is left out; the altitude is that above the ellipsoid. */
bool gpsd_read(struct gpsd_report *out, const char *line, size_t len, int64_t received_ms);

/* Bytes as they come to lines. */
struct gpsd_lines {
    size_t len;
    bool skipping; /* the rest of one that was too long */
    char bytes[GPSD_LINE_MAX];
};

/* Where to put the next bytes, and how many fit. */
char *gpsd_lines_room(struct gpsd_lines *l, size_t *room);
/* `n` bytes were put there: `take` gets each whole line, without its end. */
void gpsd_lines_came(struct gpsd_lines *l, size_t n,
                     void (*take)(void *self, const char *line, size_t len), void *self);

#endif
