/* services/ingest/wire/receiver.h - what cars send, as fast as a broker hands it out: an MQTT 5
 * client that only subscribes (libmosquitto; OASIS MQTT 5.0), with the options of lib/mqtt.h but no
 * will.  Where it connects, and when again: lib/brokers.  Clean start; it subscribes again after
 * each connect.  A peer that falls silent is noticed after two keep-alives, of 5 s at least.
 * Callbacks come one at a time from the one thread of this receiver and hold up nothing else: copy
 * and return. */
#ifndef INGEST_WIRE_RECEIVER_H
#define INGEST_WIRE_RECEIVER_H

#include <stdbool.h>

#include "lib/mqtt.h"

struct receiver;

/* As mqtt_open: options are copied, the files are read again at each connect, connecting goes on in
 * the background.  ST_REJECT: bad list, a file is missing or not readable. */
enum status receiver_open(struct receiver **out, const struct mqtt_options *options,
                          struct fault *fault) MUST_CHECK;

/* Remember a filter, and ask for it as soon as there is a connection.  Any thread.  ST_REJECT: no
 * filter, of over 255 bytes, or not UTF-8; QoS not 0 .. 2. */
enum status receiver_subscribe(struct receiver *r, const char *filter, int qos,
                               struct fault *fault) MUST_CHECK;
/* Forget it; one that is not there is fine.  Any thread. */
void receiver_unsubscribe(struct receiver *r, const char *filter);

/* Connect anew, so that a renewed certificate is used.  Any thread; returns at once. */
void receiver_reload(struct receiver *r);

bool receiver_is_connected(const struct receiver *r);

/* Disconnect in an orderly way within half a second, free; while a broker's name is being looked up
 * it waits for that.  No callback comes after it has returned.  NULL is fine. */
void receiver_close(struct receiver *r);

#endif
