/* services/notify/session.c - a client that cannot be written to owes nothing: its next frame is
 * simply newer. */
#include "session.h"

#include <string.h>

#define REQUESTS_PER_S 20
#define SNAPSHOT_TICKS 4 /* between two snapshots nobody asked for */

void session_init(struct session *s, uint64_t id, int64_t now_ms)
{
    *s = (struct session){.id = id, .stage = STAGE_TICKET, .stage_ms = now_ms};
    text_init(&s->in);
}

static void enter(struct session *s, enum stage stage, int64_t now_ms)
{
    s->stage = stage;
    s->stage_ms = now_ms;
}

void session_admit(struct session *s, const char *customer, int64_t now_ms)
{
    text_copy(s->customer, sizeof s->customer, customer);
    enter(s, s->subscribed ? STAGE_SNAPSHOT : STAGE_IDLE, now_ms);
}

enum frame session_next(const struct session *s, const struct pulse *pulse)
{
    if (s->stage == STAGE_TICKET)
        return FRAME_NONE;
    if (s->owes_pong)
        return FRAME_PONG;
    if (s->owes_resync)
        return FRAME_RESYNC;
    if (s->stage == STAGE_SNAPSHOT)
        return pulse->fleet_known ? FRAME_SNAPSHOT : FRAME_NONE;
    if (s->stage != STAGE_LIVE || pulse->tick <= s->sent_tick)
        return FRAME_NONE;
    if (pulse->identity > s->whole && pulse->tick - s->snapshot_tick >= SNAPSHOT_TICKS)
        return FRAME_SNAPSHOT;
    return pulse->version > s->seen ? FRAME_LIVE : FRAME_NONE;
}

static void subscribe(struct session *s, const struct request *r, int64_t now_ms)
{
    filter_done(&s->filter);
    s->filter = r->filter;
    s->owes_resync = r->resume && strcmp(r->cursor, FRAMES_CURSOR) != 0;
    s->subscribed = true;
    if (s->stage != STAGE_TICKET)
        enter(s, STAGE_SNAPSHOT, now_ms);
}

bool session_hear(struct session *s, const char *bytes, size_t len, int64_t now_ms,
                  struct fault *fault)
{
    struct request r;

    if (now_ms / 1000 != s->second) {
        s->second = now_ms / 1000;
        s->requests = 0;
    }
    if (++s->requests > REQUESTS_PER_S) {
        fault_set(fault, ST_REJECT, "more than %d messages a second", REQUESTS_PER_S);
        return false;
    }
    if (request_read(&r, bytes, len, fault) != ST_OK)
        return false;
    if (r.kind == REQUEST_PING)
        s->owes_pong = true;
    else
        subscribe(s, &r, now_ms);
    return true;
}

static struct frame_text *write_vehicles(struct session *s, enum frame frame, struct frames *frames,
                                         int64_t wall_ms)
{
    const struct frame_of of = {s->customer, &s->filter, s->seen, frame == FRAME_SNAPSHOT};
    struct frame_text *text = frames_vehicles(frames, &of, wall_ms);

    s->seen = text->upto;
    if (frame == FRAME_SNAPSHOT)
        s->whole = text->upto;
    return text;
}

struct frame_text *session_write(struct session *s, enum frame frame, struct frames *frames,
                                 const struct pulse *pulse, int64_t now_ms, int64_t wall_ms)
{
    struct frame_text *text;

    switch (frame) {
    case FRAME_PONG:
        s->owes_pong = false;
        return frames_say(frames, "{\"type\":\"pong\"}");
    case FRAME_RESYNC:
        s->owes_resync = false;
        return frames_say(frames, "{\"type\":\"resync\"}");
    case FRAME_SNAPSHOT:
        text = write_vehicles(s, frame, frames, wall_ms);
        enter(s, STAGE_LIVE, now_ms);
        s->sent_tick = s->snapshot_tick = pulse->tick;
        return text;
    case FRAME_LIVE:
        text = write_vehicles(s, frame, frames, wall_ms);
        if (!text->vehicles && !text->text.failed)
            return NULL;
        s->sent_tick = pulse->tick;
        return text;
    case FRAME_NONE:
        break;
    }
    return NULL;
}

void session_done(struct session *s)
{
    filter_done(&s->filter);
    text_done(&s->in);
}
