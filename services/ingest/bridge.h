/* services/ingest/bridge.h - the link between two brokers, as Mosquitto tells of it on
 * site/NAME/bridge: a gauge.  The receiver's thread. */
#ifndef INGEST_BRIDGE_H
#define INGEST_BRIDGE_H

#include <stdbool.h>

#include "lib/mqtt.h"

#define BRIDGE_FILTER                                                                              \
    "site/+/bridge" /* retained, 1 or 0; only at the site that keeps the bridge                    \
                     */

/* False: the message is about something else. */
bool bridge_message(const struct mqtt_message *m);

#endif
