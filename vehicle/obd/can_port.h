/* vehicle/obd/can_port.h - a way to put CAN frames on a bus and take them off: what SLCAN and
 * SocketCAN have in common.  can_link.h asks a car through it. */
#ifndef VEHICLE_OBD_CAN_PORT_H
#define VEHICLE_OBD_CAN_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/status.h"

struct can_packet {
    uint32_t id;
    bool extended; /* 29 bit */
    uint8_t len;
    uint8_t data[8];
};

struct can_port {
    /* Put one frame on the bus, or in line for it.  ST_RETRY: the cable is gone. */
    enum status (*send)(struct can_port *port, const struct can_packet *packet,
                        struct fault *fault) MUST_CHECK;
    /* The next data frame.  ST_NONE: none until the deadline (clock_boot_ms), or stop was asked
     * for; ST_REJECT: the adapter did not take a frame we sent; ST_RETRY: the cable is gone. */
    enum status (*receive)(struct can_port *port, struct can_packet *packet, int64_t deadline_ms,
                           struct fault *fault) MUST_CHECK;
    /* Set the adapter up for this speed (kbit/s) and go on the bus.  Forgets what was received.
     * ST_REJECT: it cannot; ST_NONE: stop. */
    enum status (*tune)(struct can_port *port, int kbit, struct fault *fault) MUST_CHECK;
    /* Forget what was received and not read. */
    void (*flush)(struct can_port *port);
    /* Is the adapter still there?  ST_RETRY: it is not. */
    enum status (*alive)(struct can_port *port, struct fault *fault) MUST_CHECK;
    void (*close)(struct can_port *port);
    unsigned broken; /* counts what came damaged and was dropped */
};

#endif
