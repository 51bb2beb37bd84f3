/* vehicle/uplink.h - our connection to the brokers: opening it with the last will, and what comes
 * down it into the inbox.  Decides nothing. */
#ifndef VEHICLE_UPLINK_H
#define VEHICLE_UPLINK_H

#include "inbox.h"
#include "lib/mqtt.h"
#include "herald.h"

struct uplink {
    struct mqtt *mqtt;
    struct inbox *inbox;
    char vin[VIN_LEN + 1];
};

struct uplink_options {
    const char *brokers, *ca, *cert, *key;
};

/* Connect in the background: will `up/state` offline, subscribed to down/ack, down/config
 * and down/command. */
enum status uplink_open(struct uplink *u, const char *vin, struct inbox *inbox,
                        const struct uplink_options *options, const struct herald *herald,
                        struct fault *fault) MUST_CHECK;

/* Publish up/state, retained.  ST_RETRY: not now. */
enum status uplink_tell(struct uplink *u, const struct herald *herald, enum presence what,
                        int64_t now_ms, struct fault *fault) MUST_CHECK;

/* Let what is unsent go out, at most 2 s, and disconnect. */
void uplink_close(struct uplink *u);

#endif
