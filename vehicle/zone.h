/* vehicle/zone.h - local time from a POSIX TZ text ("CET-1CEST,M3.5.0,M10.5.0/3"), without the
 * process's own time zone and without a table on disk.  Pure.
 * Understood: names of letters or <...>, offsets [+-]hh[:mm[:ss]], rules Mm.w.d and n and Jn, each
 * with /time (-167 .. 167 h).  POSIX.1-2017, 8.3; RFC 8536, 3.3.1. */
#ifndef VEHICLE_ZONE_H
#define VEHICLE_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/status.h"

#define ZONE_TEXT_MAX 64

struct zone_rule {
    char kind; /* 'M' month, week, day · 'J' day 1 .. 365, 29 February never · '0' day 0 .. 365 */
    int month, week, day;
    int time_s; /* local */
};

struct zone {
    int standard_s, summer_s; /* seconds east of UTC */
    bool has_summer;
    struct zone_rule begins, ends; /* of summer time */
};

/* ST_REJECT: not such a text. */
enum status zone_read(struct zone *out, const char *text, struct fault *fault) MUST_CHECK;

/* Seconds east of UTC at a moment. */
int zone_offset_s(const struct zone *zone, int64_t t_ms);

/* Local weekday, 1 Monday .. 7 Sunday, and minute of the day. */
void zone_local(const struct zone *zone, int64_t t_ms, int *weekday, int *minute);

#endif
