/* vehicle/gps.h - the GPS thread: fixes from gpsd (libgps, API 9 and later) into the inbox.
 * gpsd may be missing, die or say nothing: each is a state that is told once per change, never an
 * exit. */
#ifndef VEHICLE_GPS_H
#define VEHICLE_GPS_H

#include "inbox.h"

struct gps;

/* `where` is "gpsd:host:port", "gpsd:host" or "none" (*out = NULL, no thread). ST_REJECT: something
 * else. */
enum status gps_start(struct gps **out, const char *where, struct inbox *to,
                      struct fault *fault) MUST_CHECK;
void gps_join(struct gps *g); /* after stop was asked for; NULL is fine */

/* Only judges `where`. */
enum status gps_check(const char *where, struct fault *fault) MUST_CHECK;

#endif
