/* services/ingest/intake.h - the broker's callback: look at the topic, copy into the ring, return.
 * Paho's thread. */
#ifndef INGEST_INTAKE_H
#define INGEST_INTAKE_H

#include "lib/mqtt.h"
#include "lib/queue.h"
#include "record.h"

/* A message may be this long before it is refused unread; the broker's own limit is 32 KiB. */
#define INTAKE_PAYLOAD_MAX 65536

/* `self` is the ring. A full ring drops and counts: the record is not acknowledged, so it comes
 * again. */
void intake_message(void *self, const struct mqtt_message *message);

/* Take the oldest message out of the ring; `payload` holds INTAKE_PAYLOAD_MAX bytes.  Statuses of
 * ring_pop. */
enum status intake_take(struct ring *ring, struct arrival *from, char *payload, size_t *len,
                        int wait_ms) MUST_CHECK;

#endif
