/* services/notify/session.h - one client: who it is, what it wants, what it has seen.  Plain
 * values, the loop's thread.  A client may speak before its ticket was looked at (browsers do, as
 * soon as the socket is open): its wish is kept, and nothing is sent until it is known. */
#ifndef NOTIFY_SESSION_H
#define NOTIFY_SESSION_H

#include "frames.h"
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
    int64_t stage_ms; /* since when it is in this stage, boot clock */
    char customer[UUID_TEXT + 1];
    struct filter filter;
    uint64_t seen;          /* fleet version in the last frame of vehicles */
    uint64_t whole;         /* the same, of the last snapshot */
    uint64_t sent_tick;     /* in which a live frame was sent last */
    uint64_t snapshot_tick; /* the same for a snapshot */
    bool subscribed, owes_pong, owes_resync;
    unsigned kinds;      /* of changes it may hear of, feed.h */
    bool follows;        /* told counts */
    struct cursor told;  /* changes up to here were sent, or are none of its */
    unsigned beginnings; /* of the feed told is of */
    bool resumes;        /* it asked for what comes after `resume` */
    struct cursor resume;
    int64_t resume_ms; /* when it did */
    int requests;      /* in the current second */
    int64_t second;
    struct text in; /* a message that comes in fragments */
};

/* What the loop knows when it asks. */
struct pulse {
    uint64_t tick;     /* from 1; in each at most one live frame */
    uint64_t version;  /* of the fleet */
    uint64_t identity; /* of the session's customer */
    bool fleet_known;  /* the database has been read */
    const struct feed *feed;
    const struct fleet *fleet;
};

enum frame { FRAME_NONE, FRAME_PONG, FRAME_RESYNC, FRAME_SNAPSHOT, FRAME_LIVE, FRAME_CHANGE };

void session_init(struct session *s, uint64_t id, int64_t now_ms);

/* The ticket was good: what was asked for meanwhile is owed now.  `kinds` of changes (feed.h) it
 * may hear of. */
void session_admit(struct session *s, const char *customer, unsigned kinds, int64_t now_ms);

/* What to send next, if anything.  Pure. */
enum frame session_next(const struct session *s, const struct pulse *pulse);

/* Act on what the client said.  False: it talks too much or nonsense, close it. */
bool session_hear(struct session *s, const char *bytes, size_t len, int64_t now_ms,
                  struct fault *fault);

/* Make the frame and note it as sent; NULL: nothing to say after all, ask session_next again.
 * Borrowed, see frames.h.  Of a change *kind is which. */
struct frame_text *session_write(struct session *s, enum frame frame, struct frames *frames,
                                 const struct pulse *pulse, int64_t now_ms, int64_t wall_ms,
                                 enum kind *kind);

void session_done(struct session *s);

#endif
