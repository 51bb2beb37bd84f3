/* vehicle/supervisor.h - words to whoever started us, by the protocol of systemd's sd_notify: one
 * plain datagram each to the socket NOTIFY_SOCKET names.  Without it nothing is said.  Main thread
 * only. */
#ifndef VEHICLE_SUPERVISOR_H
#define VEHICLE_SUPERVISOR_H

#include <stdint.h>

#include "proto/status.h"

struct supervisor;

/* From the environment; what it names is taken out of it, so that no child speaks for us.
 * ST_REJECT: NOTIFY_SOCKET or WATCHDOG_USEC make no sense; *out is NULL then. */
enum status supervisor_open(struct supervisor **out, struct fault *fault) MUST_CHECK;
void supervisor_close(struct supervisor *s); /* NULL is fine */

void supervisor_ready(struct supervisor *s, const char *status); /* NULL is fine */
void supervisor_status(struct supervisor *s, const char *status);
void supervisor_stopping(struct supervisor *s);

/* The main loop turns: the watchdog is told, at half of its time.  Call it nowhere else. */
void supervisor_turn(struct supervisor *s, int64_t boot_ms);

/* Pure.  When is the watchdog told next? `usec` 0: never. */
int64_t supervisor_due_ms(uint64_t usec, int64_t told_ms);

#endif
