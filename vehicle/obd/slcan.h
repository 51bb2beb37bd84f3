/* vehicle/obd/slcan.h - drives a CAN adapter that speaks SLCAN over a serial line: the Arduino of
 * vehicle/arduino, a CANUSB, or anything slcand would take. */
#ifndef VEHICLE_OBD_SLCAN_H
#define VEHICLE_OBD_SLCAN_H

#include "link.h"

/* Open `name` (see serial.h) at `baud` (0: 115200, then 1000000) and wait up to 3 s for the adapter
 * to tell its version: opening its port may have restarted it.  `protocol` as in can_link.h.
 *   ST_RETRY  no such device, or nothing that answers like SLCAN    ST_NONE  stop was asked for */
enum status slcan_open(struct link **out, const char *name, int baud, char protocol,
                       struct fault *fault) MUST_CHECK;

#endif
