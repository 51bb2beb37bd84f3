/* services/notify/frames.h - what is sent within one tick, written once: clients of one tenant that
 * want the same and have seen the same share a frame.  Pure but for its memory; one thread. */
#ifndef NOTIFY_FRAMES_H
#define NOTIFY_FRAMES_H

#include "feed.h"

struct frames;

/* What a frame of vehicles is made for. */
struct frame_of {
    const char *customer;
    const struct filter *filter;
    uint64_t since; /* only what changed after; a snapshot takes all */
    bool snapshot;
    struct cursor cursor; /* of a snapshot: changes after it are still to come */
};

struct frame_text {
    struct text text; /* `room` bytes to scribble in, then the frame; text.failed: out of memory */
    uint64_t upto;    /* the fleet's version it holds */
    size_t vehicles;
};

/* `room`: bytes to leave in front of each frame. */
enum status frames_open(struct frames **out, const struct fleet *fleet, size_t room,
                        struct fault *fault) MUST_CHECK;
void frames_clear(struct frames *f); /* a new tick: ages have grown */

/* Borrowed until the next call of any function here. */
struct frame_text *frames_vehicles(struct frames *f, const struct frame_of *of, int64_t wall_ms);
struct frame_text *frames_say(struct frames *f, const char *words);

void frames_close(struct frames *f); /* NULL is fine */

#endif
