/* vehicle/obd/adapter.h - the adapter the setting --obd names, as a link. */
#ifndef VEHICLE_OBD_ADAPTER_H
#define VEHICLE_OBD_ADAPTER_H

#include "address.h"
#include "link.h"

/* Open it, whatever kind it is; with "auto" the first device found, as ELM327 and else as SLCAN.
 * `protocol`: what this car spoke last, '0' unknown.  Not for address->none.
 *   ST_RETRY  not there, or does not answer    ST_NONE  stop was asked for */
enum status adapter_open(struct link **out, const struct obd_address *address, char protocol,
                         struct fault *fault) MUST_CHECK;

#endif
