/* services/notify/frames.c - a small table of this tick's frames. */
#include "frames.h"

#include <stdlib.h>
#include <string.h>

#define SHARED_MAX 64           /* frames kept in a tick */
#define SHARED_BYTES (8u << 20) /* of them together */

struct shared {
    struct frame_text frame;
    char customer[UUID_TEXT + 1];
    struct filter filter; /* without a list of VINs */
    uint64_t since;
    bool snapshot;
    struct cursor cursor;
};

struct frames {
    const struct fleet *fleet;
    size_t room;
    struct shared shared[SHARED_MAX];
    size_t count, bytes;
    struct frame_text own; /* what nobody shares */
};

enum status frames_open(struct frames **out, const struct fleet *fleet, size_t room,
                        struct fault *fault)
{
    struct frames *f = calloc(1, sizeof *f);

    if (!f)
        return fault_set(fault, ST_FATAL, "out of memory");
    f->fleet = fleet;
    f->room = room;
    for (size_t i = 0; i < SHARED_MAX; i++)
        text_init(&f->shared[i].frame.text);
    text_init(&f->own.text);
    *out = f;
    return ST_OK;
}

void frames_clear(struct frames *f)
{
    while (f->count)
        text_done(&f->shared[--f->count].frame.text);
    f->bytes = 0;
    text_done(&f->own.text);
}

void frames_close(struct frames *f)
{
    if (!f)
        return;
    frames_clear(f);
    free(f);
}

static void begin(const struct frames *f, struct text *text)
{
    static const char nothing[64];

    text_clear(text);
    for (size_t left = f->room; left;) {
        size_t n = left < sizeof nothing ? left : sizeof nothing;

        text_add(text, nothing, n);
        left -= n;
    }
}

static void write_vehicles(const struct frames *f, struct frame_text *frame,
                           const struct frame_of *of, int64_t wall_ms)
{
    struct text *text = &frame->text;
    char cursor[CURSOR_TEXT];

    begin(f, text);
    if (of->snapshot) {
        cursor_print(cursor, of->cursor);
        text_print(text, "{\"type\":\"snapshot\",\"cursor\":\"%s\",\"vehicles\":[", cursor);
    } else {
        text_print(text, "{\"type\":\"live\",\"t\":%lld,\"vehicles\":[", (long long)wall_ms);
    }
    frame->vehicles = fleet_print(f->fleet, text, of->customer, of->filter,
                                  of->snapshot ? 0 : of->since, of->snapshot, wall_ms);
    frame->upto = fleet_version(f->fleet);
    text_add(text, "]}", 2);
}

static bool same_box(const struct filter *a, const struct filter *b)
{
    return a->has_box == b->has_box &&
           (!a->has_box || (a->west == b->west && a->south == b->south && a->east == b->east &&
                            a->north == b->north));
}

static struct shared *find(struct frames *f, const struct frame_of *of)
{
    for (size_t i = 0; i < f->count; i++) {
        struct shared *s = &f->shared[i];

        if (s->snapshot == of->snapshot &&
            (of->snapshot ? cursor_compare(s->cursor, of->cursor) == 0 : s->since == of->since) &&
            strcmp(s->customer, of->customer) == 0 && same_box(&s->filter, of->filter))
            return s;
    }
    return NULL;
}

struct frame_text *frames_vehicles(struct frames *f, const struct frame_of *of, int64_t wall_ms)
{
    struct shared *s = of->filter->all ? find(f, of) : NULL;

    if (s)
        return &s->frame;
    if (!of->filter->all || f->count == SHARED_MAX || f->bytes >= SHARED_BYTES) {
        write_vehicles(f, &f->own, of, wall_ms);
        return &f->own;
    }
    s = &f->shared[f->count++];
    text_copy(s->customer, sizeof s->customer, of->customer);
    s->filter = *of->filter;
    s->since = of->since;
    s->snapshot = of->snapshot;
    s->cursor = of->cursor;
    write_vehicles(f, &s->frame, of, wall_ms);
    f->bytes += s->frame.text.len;
    return &s->frame;
}

struct frame_text *frames_say(struct frames *f, const char *words)
{
    begin(f, &f->own.text);
    text_add(&f->own.text, words, strlen(words));
    f->own.vehicles = 0;
    return &f->own;
}
