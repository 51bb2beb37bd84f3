/* services/ingest/wire/receiver.h - what cars send, as fast as a broker hands it out: an MQTT 5
 * client that only subscribes (OASIS MQTT 5.0), over a connection (connection.h).  Clean start; it
 * subscribes again after each connect.  Callbacks come one at a time from the one thread of this
 * receiver and hold up nothing else: copy and return. */
#ifndef INGEST_WIRE_RECEIVER_H
#define INGEST_WIRE_RECEIVER_H

#include <stdbool.h>

#include "lib/mqtt.h"

struct receiver;

/* As connection_open. */
enum status receiver_open(struct receiver **out, const struct mqtt_options *options,
                          struct fault *fault) MUST_CHECK;

/* Remember a filter, and ask for it as soon as there is a connection.  Any thread.  ST_REJECT: no
 * filter, of over 255 bytes, or not UTF-8; QoS not 0 .. 2. */
enum status receiver_subscribe(struct receiver *r, const char *filter, int qos,
                               struct fault *fault) MUST_CHECK;
/* Forget it; one that is not there is fine.  Any thread. */
void receiver_unsubscribe(struct receiver *r, const char *filter);

/* As those of a connection. */
void receiver_reload(struct receiver *r);
void receiver_rest(struct receiver *r, bool rest);
bool receiver_is_connected(const struct receiver *r);
void receiver_close(struct receiver *r);

#endif
