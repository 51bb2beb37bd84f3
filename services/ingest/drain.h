/* services/ingest/drain.h - the end of the pipe: once nothing more comes in, what is in hand has a
 * while to get through.  From SIGTERM until then all goes on as before: others are taking over.
 * One per process; any thread. */
#ifndef INGEST_DRAIN_H
#define INGEST_DRAIN_H

#include <stdbool.h>

void drain_begin(void);
bool drain_is_over(void); /* it has begun, and five seconds have gone by */

#endif
