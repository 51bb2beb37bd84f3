/* vehicle/obd/socketcan.h - a CAN interface of the kernel (can0, or a serial adapter through
 * slcand) as a link: raw frames, the transport is ours.  The interface has to be up, with its
 * speed: ip link set can0 up type can bitrate 500000 Compiled where <linux/can/raw.h> is there;
 * elsewhere opening is refused. */
#ifndef VEHICLE_OBD_SOCKETCAN_H
#define VEHICLE_OBD_SOCKETCAN_H

#include "can_port.h"
#include "link.h"

/* `bitrate`: the interface's, bit/s; 0: 500000.  *out is yours to close.
 *   ST_RETRY   no such interface, or not up, or a kernel without CAN
 *   ST_REJECT  this build has no SocketCAN */
enum status socketcan_open(struct link **out, const char *name, int bitrate, char protocol,
                           struct fault *fault) MUST_CHECK;

/* The same over a file descriptor that carries struct can_frame, which is taken: for tests. */
enum status socketcan_port(struct can_port **out, int fd, int bitrate,
                           struct fault *fault) MUST_CHECK;

#endif
