/* services/ingest/intake.c - nothing in here may block: while it does, the socket is not
 * read and the broker drops. */
#include "intake.h"

#include <string.h>

#include "lib/clock.h"
#include "proto/columnar.h"
#include "record/meters.h"

void intake_message(void *self, const struct mqtt_message *message)
{
    struct arrival from = {0};

    if (topic_parse(&from.topic, message->topic, message->topic_len, NULL) != ST_OK ||
        from.topic.leaf > LEAF_RESULT) {
        metric_add(meters.rejected, "topic", 1);
        return;
    }
    series_add(meters.messages_of[from.topic.leaf], 1);
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

enum status intake_take(struct ring *ring, struct intake *in, int wait_ms)
{
    size_t len;
    enum status st = ring_take(ring, in->bytes, sizeof in->bytes, &len, &in->left, wait_ms);

    in->at = in->bytes;
    in->end = in->bytes + len;
    return st;
}

bool intake_next(struct intake *in, struct arrival *from, const char **payload, size_t *len)
{
    uint32_t record;

    if (in->at == in->end)
        return false;
    memcpy(&record, in->at, sizeof record);
    memcpy(from, in->at + sizeof record, sizeof *from);
    *payload = in->at + sizeof record + sizeof *from;
    *len = record - sizeof *from;
    in->at = *payload + *len;
    return true;
}
