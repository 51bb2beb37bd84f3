/* vehicle/probe.h - --probe: what adapter and car answer, in words for a person.  Prints on stdout.
 * Nothing is changed in the car. */
#ifndef VEHICLE_PROBE_H
#define VEHICLE_PROBE_H

#include "proto/vin.h"
#include "settings.h"

/* ST_RETRY: no adapter, or it went away.  ST_REJECT: --obd is none. */
enum status probe_print(const struct vehicle_settings *set, struct fault *fault) MUST_CHECK;

/* The VIN the car tells.  ST_NONE: it does not. */
enum status probe_vin(char out[VIN_LEN + 1], const struct vehicle_settings *set,
                      struct fault *fault) MUST_CHECK;

#endif
