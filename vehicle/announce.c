/* vehicle/announce.c - see announce.h. */
#include "announce.h"

#include "proto/fact.h"

enum status announce(struct outbox *o, const char *type, const char *data, int64_t now_ms,
                     enum clock_source clock, struct fault *fault)
{
    struct fact event = {.t_ms = now_ms};
    unsigned char random[10];
    char payload[1024];
    enum status st;
    size_t len;

    event.head = (struct envelope){.seq = outbox_number(o, STREAM_BULK), .clock = clock};
    (void)text_copy(event.head.schema, sizeof event.head.schema, "event/1");
    (void)text_copy(event.head.stream, sizeof event.head.stream, outbox_stream_id(o, STREAM_BULK));
    (void)text_copy(event.type, sizeof event.type, type);
    text_random(random, sizeof random);
    uuid_v7(event.id, now_ms, random);
    if ((st = event_write(&event, data, payload, sizeof payload, &len, fault)) != ST_OK)
        return st;
    return outbox_put(o, STREAM_BULK, LEAF_EVENT, now_ms, payload, len, fault);
}
