/* services/ingest/wire/speaker.h - what we say: acks, places, changes of alerts; an MQTT 5 client
 * that only publishes (OASIS MQTT 5.0), over a connection (connection.h).  Clean start.  What is
 * said within half a millisecond goes out together, in the order it was said. */
#ifndef INGEST_WIRE_SPEAKER_H
#define INGEST_WIRE_SPEAKER_H

#include <stdbool.h>

#include "lib/mqtt.h"

struct speaker;

/* As connection_open.  `on_refused` of the options: the broker took a message of QoS 1 not, or none
 * so long (149); reason and topic. */
enum status speaker_open(struct speaker **out, const struct mqtt_options *options,
                         struct fault *fault) MUST_CHECK;

/* Say `p`, of QoS 0 or 1, without label and expiry; copied.  Any thread; never waits.  ST_RETRY:
 * not connected, or more than 4 MiB / 2,000 messages are unsent (nothing is kept: try later).
 * ST_REJECT: not a topic, over 2 MiB, another QoS, a label or an expiry.  ST_OK promises nothing:
 * when the connection is lost, what was not yet handed to it goes out after the next connect, and
 * what was not answered is forgotten. */
enum status speaker_publish(struct speaker *s, const struct mqtt_publish *p,
                            struct fault *fault) MUST_CHECK;

/* As those of a connection; what was said goes out first. */
void speaker_reload(struct speaker *s);
void speaker_rest(struct speaker *s, bool rest);
bool speaker_is_connected(const struct speaker *s);
void speaker_close(struct speaker *s);

#endif
