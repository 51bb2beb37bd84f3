/* services/ingest/stored.c - told to accept before it is to the vehicle, or a fast answer would
 * overtake it. */
#include "stored.h"

#include <stdlib.h>

#include "acks.h"
#include "known.h"
#include "lib/map.h"
#include "lib/text.h"
#include "proto/topic.h"

#define AWAITED_MAX 200000

struct stored {
    struct stored_options set;
    struct acks *acks;
    struct map *awaited; /* own streams whose facts another site writes, by "VIN stream" */
};

enum status stored_open(struct stored **out, const struct stored_options *options,
                        struct fault *fault)
{
    struct stored *s = calloc(1, sizeof *s);
    enum status st;

    if (!s)
        return fault_set(fault, ST_FATAL, "out of memory");
    s->set = *options;
    if ((st = acks_open(&s->acks, fault)) != ST_OK ||
        (st = map_open(&s->awaited, 1, AWAITED_MAX, NULL, fault)) != ST_OK) {
        stored_close(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

static void tell_known(struct stored *s, const struct stream_mark *mark)
{
    struct known_note *note = known_note_make(mark->vin, mark->stream, &mark->mark);

    if (note && queue_push(s->set.known, &note, 0) != ST_OK)
        known_note_free(note);
}

/* What is stored here may wait for others to understand it. */
static void await(struct stored *s, const struct stream_mark *mark)
{
    char key[ACK_KEY];

    if (!s->set.own_alone)
        return;
    acks_key(key, mark->vin, mark->stream);
    if (mark->mark.upto < mark->history.upto)
        (void)!map_put(s->awaited, key); /* full: the vehicle asks again */
    else
        map_remove(s->awaited, key);
}

static bool is_awaited(struct stored *s, const struct stream_mark *mark)
{
    char key[ACK_KEY];

    if (!s->set.own_alone)
        return true;
    acks_key(key, mark->vin, mark->stream);
    return map_get(s->awaited, key);
}

static void tell(struct stored *s, const struct stream_mark *mark)
{
    await(s, mark);
    if (!mark->told)
        return;
    tell_known(s, mark);
    acks_note(s->acks, mark->vin, mark->stream, &mark->mark, mark->bytes, mark->at_once);
}

void stored_tell(struct stored *s, const struct stream_mark *marks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        tell(s, &marks[i]);
}

void stored_heard(struct stored *s, const struct stream_mark *marks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_awaited(s, &marks[i]))
            tell(s, &marks[i]);
}

static bool send_ack(void *self, const char *vin, const char *stream, const struct watermark *mark)
{
    struct stored *s = self;
    char topic[TOPIC_MAX], payload[4096];
    struct mqtt_publish p = {.topic = topic, .payload = payload, .qos = 1};
    struct ack ack = {.mark = *mark};

    text_copy(ack.site, sizeof ack.site, s->set.site);
    text_copy(ack.stream, sizeof ack.stream, stream);
    topic_format(topic, vin, LEAF_ACK);
    return ack_write(&ack, payload, sizeof payload, &p.len, NULL) == ST_OK &&
           speaker_publish(s->set.acks, &p, NULL) == ST_OK;
}

void stored_send(struct stored *s, int64_t now_ms)
{
    acks_due(s->acks, now_ms, send_ack, s);
}

bool stored_waits(const struct stored *s)
{
    return acks_waiting(s->acks) > 0;
}

void stored_close(struct stored *s)
{
    if (!s)
        return;
    acks_close(s->acks);
    map_close(s->awaited);
    free(s);
}
