/* proto/topic.c - topics taken apart and put together. */
#include "proto/topic.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define PREFIX "fleet/v1/"
#define PREFIX_LEN (sizeof PREFIX - 1)

static const char *const leaf_names[LEAF_COUNT] = {
    [LEAF_STATE] = "up/state",
    [LEAF_TELEMETRY] = "up/telemetry",
    [LEAF_EVENT] = "up/event",
    [LEAF_ALERT] = "up/alert",
    [LEAF_DIAGNOSTICS] = "up/diagnostics",
    [LEAF_MEDIA] = "up/media",
    [LEAF_RESULT] = "up/result",
    [LEAF_ACK] = "down/ack",
    [LEAF_COMMAND] = "down/command",
    [LEAF_CONFIG] = "down/config",
    [LEAF_LIVE] = "live",
    [LEAF_ALERT_CHANGE] = "alert",
};

unsigned topic_shard(const char *vin)
{
    return (unsigned)(crc32(0, (const unsigned char *)vin, VIN_LEN) % TOPIC_SHARDS);
}

enum status topic_parse(struct topic *out, const char *text, size_t len, struct fault *fault)
{
    /* fleet/v1/ hh / VIN / leaf */
    static const char hex[] = "0123456789abcdef";
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
        if (strlen(leaf_names[i]) == len - leaf_at &&
            memcmp(leaf_names[i], text + leaf_at, len - leaf_at) == 0) {
            t.leaf = (enum leaf)i;
            *out = t;
            return ST_OK;
        }
    }
    return fault_set(fault, ST_REJECT, "topic of %s has an unknown leaf", t.vin);
}

void topic_format(char out[TOPIC_MAX], const char *vin, enum leaf leaf)
{
    snprintf(out, TOPIC_MAX, PREFIX "%02x/%.17s/%s", topic_shard(vin), vin, leaf_names[leaf]);
}

void topic_shard_filter(char out[TOPIC_MAX], unsigned shard)
{
    snprintf(out, TOPIC_MAX, PREFIX "%02x/+/up/#", shard % TOPIC_SHARDS);
}

const char *topic_leaf_name(enum leaf leaf)
{
    return (unsigned)leaf < LEAF_COUNT ? leaf_names[leaf] : "unknown";
}
