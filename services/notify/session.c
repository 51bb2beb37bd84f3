/* services/notify/session.c - a client that cannot be written to owes nothing: its next frame is simply newer. */
#include "session.h"

#include <string.h>

#define REQUESTS_PER_S 20
#define CURSOR "0" /* of the feed; nothing in it can be resumed yet */

enum frame session_next(const struct session *s, uint64_t fleet_version, int64_t now_ms, int64_t tick_ms)
{
    if (s->stage == STAGE_TICKET)
        return FRAME_NONE;
    if (s->owes_pong)
        return FRAME_PONG;
    if (s->owes_resync)
        return FRAME_RESYNC;
    if (s->stage == STAGE_SNAPSHOT)
        return FRAME_SNAPSHOT;
    if (s->stage == STAGE_LIVE && fleet_version > s->seen && now_ms - s->sent_ms >= tick_ms)
        return FRAME_LIVE;
    return FRAME_NONE;
}

bool session_hear(struct session *s, const char *bytes, size_t len, int64_t now_ms, struct fault *fault)
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
    if (r.kind == REQUEST_PING) {
        s->owes_pong = true;
        return true;
    }
    filter_done(&s->filter);
    s->filter = r.filter;
    s->owes_resync = r.resume && strcmp(r.cursor, CURSOR) != 0;
    s->stage = STAGE_SNAPSHOT;
    s->stage_ms = now_ms;
    return true;
}

static bool write_vehicles(struct session *s, bool full, struct fleet *fleet, struct text *out, int64_t wall_ms)
{
    uint64_t version = fleet_version(fleet);
    size_t n;

    if (full)
        text_print(out, "{\"type\":\"snapshot\",\"cursor\":\"" CURSOR "\",\"vehicles\":[");
    else
        text_print(out, "{\"type\":\"live\",\"t\":%lld,\"vehicles\":[", (long long)wall_ms);
    n = fleet_print(fleet, out, s->customer, &s->filter, full ? 0 : s->seen, full, wall_ms);
    text_add(out, "]}", 2);
    s->seen = version;
    return full || n > 0;
}

bool session_write(struct session *s, enum frame frame, struct fleet *fleet, struct text *out, int64_t now_ms,
                   int64_t wall_ms)
{
    bool said = true;

    switch (frame) {
    case FRAME_NONE:
        return false;
    case FRAME_PONG:
        text_print(out, "{\"type\":\"pong\"}");
        s->owes_pong = false;
        break;
    case FRAME_RESYNC:
        text_print(out, "{\"type\":\"resync\"}");
        s->owes_resync = false;
        break;
    case FRAME_SNAPSHOT:
        said = write_vehicles(s, true, fleet, out, wall_ms);
        s->stage = STAGE_LIVE;
        s->stage_ms = s->sent_ms = now_ms;
        break;
    case FRAME_LIVE:
        said = write_vehicles(s, false, fleet, out, wall_ms);
        s->sent_ms = now_ms;
        break;
    }
    return said && !out->failed;
}

void session_done(struct session *s)
{
    filter_done(&s->filter);
    text_done(&s->in);
}
