/* vehicle/obd/serial.h - bytes to and from an adapter: a serial port, a pseudo-terminal or a TCP
 * socket. "host:port" is TCP; anything else is a device, by libserialport, or by POSIX termios
 * where that refuses (it cannot open pseudo-terminals).  Symbolic links are resolved first.  One
 * thread.  Deadlines are clock_boot_ms. */
#ifndef VEHICLE_OBD_SERIAL_H
#define VEHICLE_OBD_SERIAL_H

#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"

struct serial;

/* `baud` 0: leave the speed as it is.  ST_RETRY: not there, busy, or no answer within 5 s (TCP). */
enum status serial_open(struct serial **out, const char *name, int baud,
                        struct fault *fault) MUST_CHECK;

/* At least one byte.  ST_NONE: nothing until the deadline, or stop was asked for.  ST_RETRY:
 * unplugged. */
enum status serial_read(struct serial *s, char *out, size_t size, int64_t deadline_ms, size_t *n,
                        struct fault *fault) MUST_CHECK;

/* All of it.  ST_RETRY: unplugged, or not taken until the deadline. */
enum status serial_write(struct serial *s, const char *bytes, size_t len, int64_t deadline_ms,
                         struct fault *fault) MUST_CHECK;

void serial_flush(struct serial *s); /* throw away what came and was not read */
void serial_close(struct serial *s); /* NULL is fine */

#endif
