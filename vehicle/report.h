/* vehicle/report.h - words for people: --probe.  Prints on stdout. */
#ifndef VEHICLE_REPORT_H
#define VEHICLE_REPORT_H

#include "settings.h"

/* What the adapter and the car answer.  ST_RETRY: no adapter. */
enum status report_probe(const struct vehicle_settings *set, struct fault *fault) MUST_CHECK;

/* The VIN the car tells.  ST_NONE: it does not. */
enum status report_vin(char out[18], const struct vehicle_settings *set,
                       struct fault *fault) MUST_CHECK;

#endif
