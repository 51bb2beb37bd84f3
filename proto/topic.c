/* proto/topic.c - topics taken apart and put together. */
#include "proto/topic.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define PREFIX "fleet/v1/"
#define PREFIX_LEN (sizeof PREFIX - 1)

#define NAMED(text)                                                                                \
    {                                                                                              \
        text, sizeof text - 1                                                                      \
    }
static const struct {
    const char *name;
    size_t len;
} leaves[LEAF_COUNT] = {
    [LEAF_STATE] = NAMED("up/state"),
    [LEAF_TELEMETRY] = NAMED("up/telemetry"),
    [LEAF_EVENT] = NAMED("up/event"),
    [LEAF_ALERT] = NAMED("up/alert"),
    [LEAF_DIAGNOSTICS] = NAMED("up/diagnostics"),
    [LEAF_MEDIA] = NAMED("up/media"),
    [LEAF_RESULT] = NAMED("up/result"),
    [LEAF_ACK] = NAMED("down/ack"),
    [LEAF_COMMAND] = NAMED("down/command"),
    [LEAF_CONFIG] = NAMED("down/config"),
    [LEAF_LIVE] = NAMED("live"),
    [LEAF_ALERT_CHANGE] = NAMED("alert"),
};
static const char hex[] = "0123456789abcdef";

unsigned topic_shard(const char *vin)
{
    return (unsigned)(crc32(0, (const unsigned char *)vin, VIN_LEN) % TOPIC_SHARDS);
}

enum status topic_parse(struct topic *out, const char *text, size_t len, struct fault *fault)
{
    /* fleet/v1/ hh / VIN / leaf */
    const size_t vin_at = PREFIX_LEN + 3, leaf_at = vin_at + VIN_LEN + 1;
    struct topic t = {0};
    if (len <= leaf_at || memcmp(text, PREFIX, PREFIX_LEN) != 0 || text[vin_at - 1] != '/' ||
        text[leaf_at - 1] != '/' || !vin_is_valid(text + vin_at, VIN_LEN))
        return fault_set(fault, ST_REJECT, "topic is not fleet/v1/<shard>/<vin>/...");
    memcpy(t.vin, text + vin_at, VIN_LEN);
    t.shard = topic_shard(t.vin);
    if (text[PREFIX_LEN] != hex[t.shard / 16] || text[PREFIX_LEN + 1] != hex[t.shard % 16])
        return fault_set(fault, ST_REJECT, "topic of %s is not in shard %02x", t.vin, t.shard);
    for (int i = 0; i < LEAF_COUNT; i++) {
        if (leaves[i].len == len - leaf_at &&
            memcmp(leaves[i].name, text + leaf_at, len - leaf_at) == 0) {
            t.leaf = (enum leaf)i;
            *out = t;
            return ST_OK;
        }
    }
    return fault_set(fault, ST_REJECT, "topic of %s has an unknown leaf", t.vin);
}

void topic_format(char out[TOPIC_MAX], const char *vin, enum leaf leaf)
{
    unsigned shard = topic_shard(vin);

    memcpy(out, PREFIX, PREFIX_LEN);
    out += PREFIX_LEN;
    *out++ = hex[shard / 16];
    *out++ = hex[shard % 16];
    *out++ = '/';
    memcpy(out, vin, VIN_LEN);
    out[VIN_LEN] = '/';
    memcpy(out + VIN_LEN + 1, leaves[leaf].name, leaves[leaf].len + 1);
}

void topic_shard_filter(char out[TOPIC_MAX], unsigned shard)
{
    snprintf(out, TOPIC_MAX, PREFIX "%02x/+/up/#", shard % TOPIC_SHARDS);
}

const char *topic_leaf_name(enum leaf leaf)
{
    return (unsigned)leaf < LEAF_COUNT ? leaves[leaf].name : "unknown";
}
