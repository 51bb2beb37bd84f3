/* services/ingest/wire/link.h - one connection to one broker, from the dialling to its end.  It
 * has no thread: who has it waits on what link_poll asks for and then calls link_step. */
#ifndef INGEST_WIRE_LINK_H
#define INGEST_WIRE_LINK_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/mqtt.h"

struct link;

/* What comes, told from within link_step. */
struct link_heard {
    void (*on_up)(void *self); /* CONNACK */
    void (*on_message)(void *self, const struct mqtt_message *message);
    void (*on_answer)(void *self, int packet_id, int reason); /* SUBACK, PUBACK: MQTT 5 reason;
                                                                  or a QoS 0 message is written */
    void *self;
};

/* Begin to connect to `broker`, mqtts://host:port.  NULL: it came to nothing, `fault` says why.
 * Looking up a name may block. */
struct link *link_dial(const char *broker, const struct mqtt_options *options,
                       const struct link_heard *heard, int64_t now_ms, struct fault *fault);

/* What to wait for, and how long at most, ms; 0: do not wait, more is there. */
struct pollfd link_poll(struct link *l);
int link_wait_ms(struct link *l);

/* Read and write what goes without waiting; `revents` of its pollfd.  false: the connection is
 * over, `fault` says why. */
bool link_step(struct link *l, short revents, int64_t now_ms, struct fault *fault);

/* As MQTT has them, UTF-8 included; pure. */
bool link_is_filter(const char *filter);
bool link_is_topic(const char *topic);

/* The packet's identifier; 0 when it could not be sent: the connection is about to end. */
int link_subscribe(struct link *l, const char *filter, int qos);
int link_unsubscribe(struct link *l, const char *filter);

/* Is all written that was published, so that it may take more? */
bool link_has_room(struct link *l);
/* Copied; goes out with link_flush, or before.  `*packet_id` is what on_answer names.  No label, no
 * expiry.  ST_RETRY: no memory, or the connection is about to end; ST_REJECT: the broker takes none
 * such (too long, not a topic). */
enum status link_publish(struct link *l, const struct mqtt_publish *p, int *packet_id);
void link_flush(struct link *l);

/* DISCONNECT if it is up, waiting for half a second at most; free.  NULL is fine. */
void link_close(struct link *l);

#endif
