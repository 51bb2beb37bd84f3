/* vehicle/announce.h - an event the outbox has to tell by itself: what it lost, what memory lost,
 * that it begins anew.  Main thread only. */
#ifndef VEHICLE_ANNOUNCE_H
#define VEHICLE_ANNOUNCE_H

#include "outbox.h"

/* Put event/1 of this type, of `now_ms`, into the bulk stream, with a new id.  `data` is a JSON
 * object as text.  Within a transaction; answers as outbox_put, ST_REJECT when it is too long. */
enum status announce(struct outbox *o, const char *type, const char *data, int64_t now_ms,
                     enum clock_source clock, struct fault *fault) MUST_CHECK;

#endif
