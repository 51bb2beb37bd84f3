/* services/ingest/intake.h - the broker's callback: look at the topic, copy into the ring, return.
 * The receiver's thread. */
#ifndef INGEST_INTAKE_H
#define INGEST_INTAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/mqtt.h"
#include "lib/queue.h"
#include "record/record.h"

/* A message may be this long before it is refused unread; the broker's own limit is 32 KiB. */
#define INTAKE_PAYLOAD_MAX 65536

/* `self` is the ring. A full ring drops and counts: the record is not acknowledged, so it comes
 * again. */
void intake_message(void *self, const struct mqtt_message *message);

#define INTAKE_RECORD_MAX (sizeof(struct arrival) + INTAKE_PAYLOAD_MAX)

/* Messages taken out of the ring together. */
struct intake {
    size_t left;          /* bytes that stayed in the ring */
    const char *at, *end; /* those that are still to come */
    char bytes[2 * INTAKE_RECORD_MAX];
};

/* Take the oldest messages, those before must be done with.  Statuses of ring_pop. */
enum status intake_take(struct ring *ring, struct intake *in, int wait_ms) MUST_CHECK;
/* The next of them; `*payload` stays good until the next intake_take.  False: there is none. */
bool intake_next(struct intake *in, struct arrival *from, const char **payload, size_t *len);

#endif
