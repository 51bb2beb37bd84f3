/* proto/topic.h - MQTT topics `fleet/v1/<shard>/<vin>/<leaf>`.  Pure, any thread.
 * <shard> = two lower-case hex digits of crc32(VIN) mod 64 (the CRC-32 of zlib). */
#ifndef PROTO_TOPIC_H
#define PROTO_TOPIC_H

#include <stddef.h>

#include "proto/status.h"
#include "proto/vin.h"

#define TOPIC_SHARDS 64
#define TOPIC_MAX 64 /* bytes, terminator included, of any topic we make */

enum leaf {
    LEAF_STATE, /* up/state */
    LEAF_TELEMETRY,
    LEAF_EVENT,
    LEAF_ALERT,
    LEAF_DIAGNOSTICS,
    LEAF_MEDIA,
    LEAF_RESULT, /* up/result: the last of the vehicle's own */
    LEAF_ACK,    /* down/ack */
    LEAF_COMMAND,
    LEAF_CONFIG,
    LEAF_LIVE,
    LEAF_ALERT_CHANGE, /* alert */
    LEAF_COUNT
};

struct topic {
    char vin[VIN_LEN + 1];
    unsigned shard;
    enum leaf leaf;
};

/* The shard of a valid VIN, 0 .. TOPIC_SHARDS - 1. */
unsigned topic_shard(const char *vin);

/* Take a topic apart.  ST_REJECT: not one of ours, or the shard is not the VIN's. */
enum status topic_parse(struct topic *out, const char *text, size_t len,
                        struct fault *fault) MUST_CHECK;

/* Write the topic of `vin` and `leaf` into `out`; `vin` must be valid. */
void topic_format(char out[TOPIC_MAX], const char *vin, enum leaf leaf);

/* The filter of everything vehicles of one shard send: `fleet/v1/<shard>/+/up/#`. */
void topic_shard_filter(char out[TOPIC_MAX], unsigned shard);

const char *topic_leaf_name(enum leaf leaf); /* "up/state", "down/ack", "live", ... */

#endif
