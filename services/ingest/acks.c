/* services/ingest/acks.c - coalescing; a stream with nothing waiting costs nothing once its last
 * ack is a second old. */
#include "acks.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/map.h"

#define EVERY_MS 1000
#define FREED_BYTES 16384
#define STREAMS_MAX 400000

struct waiting {
    struct watermark mark;
    size_t bytes;
    bool pending, at_once;
    int64_t sent_ms;
};

struct acks {
    struct map *streams; /* "VIN stream" -> struct waiting */
};

struct round {
    int64_t now_ms;
    bool (*send)(void *self, const char *vin, const char *stream, const struct watermark *mark);
    void *self;
};

enum status acks_open(struct acks **out, struct fault *fault)
{
    struct acks *a = calloc(1, sizeof *a);
    enum status st;

    if (!a)
        return fault_set(fault, ST_FATAL, "out of memory");
    if ((st = map_open(&a->streams, sizeof(struct waiting), STREAMS_MAX, NULL, fault)) != ST_OK) {
        free(a);
        return st;
    }
    *out = a;
    return ST_OK;
}

void acks_note(struct acks *a, const char *vin, const char *stream, const struct watermark *mark,
               size_t bytes, bool at_once)
{
    char key[MAP_KEY_MAX + 1];
    struct waiting *w;

    snprintf(key, sizeof key, "%.17s %.36s", vin, stream);
    w = map_put(a->streams, key);
    if (!w)
        return; /* full: the vehicle sends again and asks */
    w->mark = *mark;
    w->bytes += bytes;
    w->pending = true;
    w->at_once |= at_once;
}

static bool visit(void *self, const char *key, void *value)
{
    const struct round *round = self;
    struct waiting *w = value;
    char vin[VIN_LEN + 1];

    if (!w->pending)
        return round->now_ms - w->sent_ms < EVERY_MS;
    if (!w->at_once && w->bytes < FREED_BYTES && round->now_ms - w->sent_ms < EVERY_MS)
        return true;
    snprintf(vin, sizeof vin, "%.17s", key);
    if (!round->send(round->self, vin, key + VIN_LEN + 1, &w->mark))
        return true;
    w->pending = w->at_once = false;
    w->bytes = 0;
    w->sent_ms = round->now_ms;
    return true;
}

void acks_due(struct acks *a, int64_t now_ms,
              bool (*send)(void *self, const char *vin, const char *stream,
                           const struct watermark *mark),
              void *self)
{
    struct round round = {now_ms, send, self};

    map_each(a->streams, visit, &round);
}

size_t acks_waiting(const struct acks *a)
{
    return map_count(a->streams);
}

void acks_close(struct acks *a)
{
    if (!a)
        return;
    map_close(a->streams);
    free(a);
}
