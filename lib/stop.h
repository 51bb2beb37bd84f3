/* lib/stop.h - SIGTERM and SIGINT mean stop, SIGHUP means reload.  One per process; SIGPIPE is ignored.
 * stop_open blocks the signals for every thread started later and watches them with a signalfd. */
#ifndef LIB_STOP_H
#define LIB_STOP_H

#include <stdbool.h>

#include "proto/status.h"

enum status stop_open(struct fault *fault) MUST_CHECK; /* call in main before any thread is started */

/* Wait up to `wait_ms` for a signal; true once stop was asked for, for ever after.  Main thread only. */
bool stop_wait(int wait_ms);
bool stop_asked(void);  /* any thread: has stop been asked for? */
void stop_ask(void);    /* any thread: ask for stop as a signal would */
bool stop_take_reload(void); /* main thread: true once per SIGHUP */

#endif
