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

void session_admit(struct session *s, const char *customer, unsigned kinds, int64_t now_ms)
{
    s->kinds = kinds;
    text_copy(s->customer, sizeof s->customer, customer);
    enter(s, s->subscribed ? STAGE_SNAPSHOT : STAGE_IDLE, now_ms);
}

/* Has the feed gone on without it? */
static bool is_behind(const struct session *s, const struct feed *feed)
{
    if (s->resumes)
        return feed_resumes(feed, s->resume, s->resume_ms) == ST_NONE;
    return s->follows && (s->beginnings != feed_beginnings(feed) || !feed_holds(feed, s->told));
}

enum frame session_next(const struct session *s, const struct pulse *pulse)
{
    if (s->stage == STAGE_TICKET)
        return FRAME_NONE;
    if (s->owes_pong)
        return FRAME_PONG;
    if (s->stage == STAGE_IDLE || !pulse->fleet_known || !feed_is_begun(pulse->feed))
        return FRAME_NONE;
    if (s->owes_resync || is_behind(s, pulse->feed))
        return FRAME_RESYNC;
    if (s->resumes && feed_resumes(pulse->feed, s->resume, s->resume_ms) != ST_OK)
        return FRAME_NONE; /* from somebody who is ahead of us, or from a future that was undone */
    if (s->stage == STAGE_SNAPSHOT)
        return FRAME_SNAPSHOT;
    if (pulse->tick > s->sent_tick) {
        if (pulse->identity > s->whole && pulse->tick - s->snapshot_tick >= SNAPSHOT_TICKS)
            return FRAME_SNAPSHOT;
        if (pulse->version > s->seen)
            return FRAME_LIVE;
    }
    return cursor_compare(s->told, feed_newest(pulse->feed)) < 0 ? FRAME_CHANGE : FRAME_NONE;
}

static void subscribe(struct session *s, const struct request *r, int64_t now_ms)
{
    filter_done(&s->filter);
    s->filter = r->filter;
    s->resumes = r->resume && cursor_read(&s->resume, r->cursor);
    s->resume_ms = now_ms;
    s->owes_resync = r->resume && !s->resumes;
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
    const struct frame_of of = {s->customer, &s->filter, s->seen, frame == FRAME_SNAPSHOT, s->told};
    struct frame_text *text = frames_vehicles(frames, &of, wall_ms);

    s->seen = text->upto;
    if (frame == FRAME_SNAPSHOT)
        s->whole = text->upto;
    return text;
}

static void follow(struct session *s, const struct feed *feed, struct cursor from)
{
    s->told = from;
    s->beginnings = feed_beginnings(feed);
    s->follows = true;
    s->resumes = false;
}

static struct frame_text *write_resync(struct session *s, struct frames *frames,
                                       const struct feed *feed)
{
    s->owes_resync = false;
    follow(s, feed, feed_newest(feed));
    return frames_say(frames, "{\"type\":\"resync\"}");
}

static struct frame_text *write_snapshot(struct session *s, struct frames *frames,
                                         const struct pulse *pulse, int64_t now_ms, int64_t wall_ms)
{
    if (s->resumes)
        follow(s, pulse->feed, s->resume);
    else if (!s->follows)
        follow(s, pulse->feed, feed_newest(pulse->feed));
    enter(s, STAGE_LIVE, now_ms);
    s->sent_tick = s->snapshot_tick = pulse->tick;
    return write_vehicles(s, FRAME_SNAPSHOT, frames, wall_ms);
}

static struct frame_text *write_change(struct session *s, struct frames *frames,
                                       const struct pulse *pulse, enum kind *kind)
{
    const struct feed_reader reader = {s->customer, s->kinds, &s->filter};
    const struct feed_item *item = feed_next(pulse->feed, pulse->fleet, &reader, &s->told);

    if (!item)
        return NULL;
    *kind = item->kind;
    return frames_say(frames, item->frame);
}

struct frame_text *session_write(struct session *s, enum frame frame, struct frames *frames,
                                 const struct pulse *pulse, int64_t now_ms, int64_t wall_ms,
                                 enum kind *kind)
{
    struct frame_text *text;

    switch (frame) {
    case FRAME_PONG:
        s->owes_pong = false;
        return frames_say(frames, "{\"type\":\"pong\"}");
    case FRAME_RESYNC:
        return write_resync(s, frames, pulse->feed);
    case FRAME_SNAPSHOT:
        return write_snapshot(s, frames, pulse, now_ms, wall_ms);
    case FRAME_LIVE:
        text = write_vehicles(s, frame, frames, wall_ms);
        if (!text->vehicles && !text->text.failed)
            return NULL;
        s->sent_tick = pulse->tick;
        return text;
    case FRAME_CHANGE:
        return write_change(s, frames, pulse, kind);
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
