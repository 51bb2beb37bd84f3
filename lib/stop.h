/* lib/stop.h - SIGTERM and SIGINT mean stop, SIGHUP means reload.  One per process; SIGPIPE is
 * ignored. stop_open blocks the signals for every thread started later and watches them with a
 * signalfd, which is looked at in stop_wait and stop_pause (so in backoff_wait too) and nowhere
 * else.  Once stop_wait has said true, the same signal a second time ends the process at once. */
#ifndef LIB_STOP_H
#define LIB_STOP_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/status.h"

enum status
stop_open(struct fault *fault) MUST_CHECK; /* call in main before any thread is started */

/* Wait up to `wait_ms` (-1 for ever) for a signal; true once stop was asked for, for ever after.
 * Main thread only. A SIGHUP ends the wait with false, so that stop_take_reload is seen at once. */
bool stop_wait(int wait_ms);
bool stop_asked(void); /* any thread: has stop been asked for? */
void stop_ask(void);   /* any thread: ask for stop as a signal would */
bool stop_pause(
    int64_t wait_ms);        /* any thread: sleep that long; false as soon as stop is asked for */
bool stop_take_reload(void); /* main thread: true once per SIGHUP */
void stop_nudge(void); /* any thread, after stop_open: main's stop_wait, this or the next, ends at
                        * once with false; several before that are one */

#endif
