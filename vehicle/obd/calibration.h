/* vehicle/obd/calibration.h - which software runs in the ECUs: calibration identification and its
 * verification number.  SAE J1979, services 09 04 and 09 06.  Pure. */
#ifndef VEHICLE_OBD_CALIBRATION_H
#define VEHICLE_OBD_CALIBRATION_H

#include "link.h"

#define CALIBRATION_ID 16
#define CALIBRATIONS_MAX 8

struct calibration {
    uint32_t ecu;
    char id[CALIBRATION_ID + 1]; /* printable characters, without blanks at its ends */
    char cvn[9];                 /* eight hex digits; "" when it was not told */
};

struct calibrations {
    size_t count;
    struct calibration list[CALIBRATIONS_MAX];
};

/* Take the answers to 09 04: on CAN a count and 16 bytes each, on older buses numbered messages of
 * four bytes, four to an identification. */
void calibrations_take(struct calibrations *c, const struct link_answer *answer, bool can);

/* Take the answers to 09 06, four bytes each, in the order of the identifications of their ECU. */
void calibrations_take_numbers(struct calibrations *c, const struct link_answer *answer);

#endif
