/* services/ingest/intake.c - nothing in here may block: Paho has one thread for everything. */
#include "intake.h"

#include <string.h>

#include "lib/clock.h"
#include "meters.h"
#include "proto/columnar.h"

void intake_message(void *self, const struct mqtt_message *message)
{
    struct arrival from = {0};

    if (topic_parse(&from.topic, message->topic, message->topic_len, NULL) != ST_OK ||
        from.topic.leaf > LEAF_RESULT) {
        metric_add(meters.rejected, "topic", 1);
        return;
    }
    metric_add(meters.messages, strchr(topic_leaf_name(from.topic.leaf), '/') + 1, 1);
    if (message->len > INTAKE_PAYLOAD_MAX) {
        metric_add(meters.rejected, "size", 1);
        return;
    }
    if (from.topic.leaf == LEAF_TELEMETRY &&
        message->columnar != columnar_is(message->payload, message->len))
        metric_add(meters.mislabelled, NULL, 1);
    from.received_ms = clock_now_ms();
    from.retained = message->retained;
    if (ring_push(self, &from, sizeof from, message->payload, message->len) != ST_OK)
        metric_add(meters.ring_dropped, NULL, 1);
}

enum status intake_take(struct ring *ring, struct arrival *from, char *payload, size_t *len,
                        int wait_ms)
{
    static _Thread_local char bytes[sizeof *from + INTAKE_PAYLOAD_MAX];
    size_t n;
    enum status st = ring_pop(ring, bytes, sizeof bytes, &n, wait_ms);

    if (st != ST_OK)
        return st;
    memcpy(from, bytes, sizeof *from);
    *len = n - sizeof *from;
    memcpy(payload, bytes + sizeof *from, *len);
    return ST_OK;
}
