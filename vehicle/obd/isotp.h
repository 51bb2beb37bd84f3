/* vehicle/obd/isotp.h - CAN frames of several ECUs put together to messages.  ISO 15765-2,
 * receiving side. Frames are taken in any order: grouped by ECU first, then by index (which wraps
 * 15 -> 0).  The adapter or the kernel sends flow control, not we.  Pure; caller's memory; bounded:
 * eight ECUs, 4095 bytes each. */
#ifndef VEHICLE_OBD_ISOTP_H
#define VEHICLE_OBD_ISOTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ISOTP_ECUS_MAX 8
#define ISOTP_FRAMES_MAX 586 /* 4095 bytes: a first frame of 6 and 585 of 7 */
#define ISOTP_MESSAGE_MAX 4095

struct isotp_frame {
    uint32_t ecu;
    uint8_t len; /* bytes behind the id: PCI and data, 0 .. 8 */
    uint8_t data[8];
};

struct isotp {
    size_t count;
    bool overflow; /* more frames than fit: some were lost */
    struct isotp_frame frames[ISOTP_FRAMES_MAX];
};

void isotp_init(struct isotp *in);
void isotp_add(struct isotp *in, uint32_t ecu, const uint8_t *frame, size_t len);

/* Put together.  Calls `take` for each whole message, in the order of their first frames; returns
 * the number of messages that had to be dropped (a hole, a repeat, a foreign length, more frames
 * than said). */
unsigned isotp_finish(const struct isotp *in,
                      void (*take)(void *self, uint32_t ecu, const uint8_t *bytes, size_t len),
                      void *self);

#endif
