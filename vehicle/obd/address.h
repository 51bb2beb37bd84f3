/* vehicle/obd/address.h - where the adapter is: the setting --obd.  Pure but obd_find. */
#ifndef VEHICLE_OBD_ADDRESS_H
#define VEHICLE_OBD_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/status.h"

#define OBD_NAME_MAX 256

enum obd_kind { OBD_ELM327, OBD_SLCAN, OBD_SOCKETCAN };

struct obd_address {
    enum obd_kind kind;
    bool none, automatic;
    char name[OBD_NAME_MAX]; /* device, host:port, or a CAN interface */
    int baud;                /* 0: tried in turn; of a CAN interface the bit rate */
};

/* "elm327:/dev/ttyUSB0?baud=38400", "elm327+tcp:host:35000", "slcan:/dev/ttyACM0",
 * "slcan+tcp:host:port", "socketcan:can0?baud=500000", "auto", "none".  ST_REJECT: something else.
 */
enum status obd_address_read(struct obd_address *out, const char *text,
                             struct fault *fault) MUST_CHECK;

/* The first serial device that could be an adapter, by its stable name; false when there is none.
 */
bool obd_find(char out[OBD_NAME_MAX]);

#endif
