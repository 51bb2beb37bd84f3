/* vehicle/status.h - --status: what the agent is doing, in words for whoever stands at the car.
 * From its admin listener and its outbox, which is only read; the outbox alone when no agent runs.
 * Prints on stdout. */
#ifndef VEHICLE_STATUS_H
#define VEHICLE_STATUS_H

#include "settings.h"

/* ST_RETRY: no agent answers (said, and what the outbox tells is printed). */
enum status status_print(const struct vehicle_settings *set, struct fault *fault) MUST_CHECK;

/* "4 s", "12 min", "3 h 20 min", "5 d 2 h"; "in the future" when negative.  Pure. */
void status_span(char out[32], int64_t ms);
/* "812 B", "1.2 kB", "34 MB".  Pure. */
void status_size(char out[32], double bytes);

#endif
