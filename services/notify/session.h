/* services/notify/session.h - one client: who it is, what it wants, what it has seen.  Plain values, the loop's thread. */
#ifndef NOTIFY_SESSION_H
#define NOTIFY_SESSION_H

#include "fleet.h"
#include "request.h"

enum stage {
    STAGE_TICKET,   /* its ticket is being asked for: nothing is sent */
    STAGE_IDLE,     /* known, has not subscribed */
    STAGE_SNAPSHOT, /* owed a snapshot */
    STAGE_LIVE,
};

struct session {
    uint64_t id;
    enum stage stage;
    char customer[UUID_TEXT + 1];
    struct filter filter;
    uint64_t seen;        /* fleet version in the last frame */
    int64_t sent_ms;      /* of the last live frame, clock_boot_ms */
    int64_t stage_ms;     /* since when it is in this stage */
    bool owes_pong, owes_resync;
    int requests;         /* in the current second */
    int64_t second;
    char address[48];
    struct text in;       /* a message that comes in fragments */
};

enum frame { FRAME_NONE, FRAME_PONG, FRAME_RESYNC, FRAME_SNAPSHOT, FRAME_LIVE };

/* What to send next, if anything, `tick_ms` apart for live frames.  Pure. */
enum frame session_next(const struct session *s, uint64_t fleet_version, int64_t now_ms, int64_t tick_ms);

/* Act on what the client said.  False: it talks too much or nonsense, close it. */
bool session_hear(struct session *s, const char *bytes, size_t len, int64_t now_ms, struct fault *fault);

/* Write the frame into `out` and note it as sent.  False: nothing to say after all. */
bool session_write(struct session *s, enum frame frame, struct fleet *fleet, struct text *out, int64_t now_ms,
                   int64_t wall_ms);

void session_done(struct session *s);

#endif
