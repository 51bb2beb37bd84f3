/* vehicle/obd/can_link.h - OBD-II over plain CAN frames (ISO 15765-4): addressing, ISO-TP and the
 * waiting, for adapters that do none of it. */
#ifndef VEHICLE_OBD_CAN_LINK_H
#define VEHICLE_OBD_CAN_LINK_H

#include "can_port.h"
#include "link.h"

/* A link over `port`, which is taken: closing the link closes it, and so does a failure here.
 * `adapter` is copied.  `protocol` ('6' .. '9') is what this car spoke last, '0' unknown. */
enum status can_link_open(struct link **out, struct can_port *port, const char *adapter,
                          char protocol, struct fault *fault) MUST_CHECK;

#endif
