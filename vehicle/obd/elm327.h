/* vehicle/obd/elm327.h - drives an ELM327 or a relative over a serial line.  ELM327 data sheet v2.
 * It is set up on open and again whenever it restarts; a request is repeated where the data sheet
 * says so. */
#ifndef VEHICLE_OBD_ELM327_H
#define VEHICLE_OBD_ELM327_H

#include "link.h"

/* Open `name` (see serial.h) at `baud` (0: tried in turn) and set the adapter up.  `protocol`
 * ('1'..'9') is what this car spoke last time, '0' unknown: it saves the search.  The car is not
 * asked anything yet: link->search does. ST_RETRY  no such device, or nothing that answers like an
 * ELM327    ST_NONE  stop was asked for */
enum status elm327_open(struct link **out, const char *name, int baud, char protocol,
                        struct fault *fault) MUST_CHECK;

#endif
