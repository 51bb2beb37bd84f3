/* vehicle/window.h - which record of a stream goes next, and how much may be under way.  Pure.
 * The newest records go first, then the backlog from the oldest; bytes sent and not yet heard of
 * are bounded.  What an ack passes over although it was sent earlier on the same connection is lost
 * and goes again. */
#ifndef VEHICLE_WINDOW_H
#define VEHICLE_WINDOW_H

#include "ledger.h"

#define WINDOW_FLIGHTS_MAX 2048
#define WINDOW_BACKLOG_MAX 512 /* records: an alert waits at the server behind what came before */

struct window {
    int64_t limit_bytes;   /* unacknowledged at most */
    int64_t reserve_bytes; /* of it, kept free of backlog for the newest */
    int64_t fresh;         /* the next new number */
    int64_t back;          /* where the backlog is being looked for, below fresh */
    bool insist;           /* send again what some site has heard but not every required one */
    int64_t order;         /* grows with every send */
    int64_t bytes;
    size_t count;
    struct flight {
        int64_t seq, order;
        int64_t bytes;
    } flights[WINDOW_FLIGHTS_MAX]; /* ascending seq */
};

struct window_pick {
    int64_t seq;
    bool backlog;
};

void window_init(struct window *w, int64_t limit_bytes, int64_t reserve_bytes);

/* A new connection, or no word for too long (insist): everything unsettled goes again, the newest
 * first. */
void window_restart(struct window *w, int64_t given, bool insist);

/* The next number to send, of 1 .. given; false when there is none (`backlog` false: only new
 * ones). */
bool window_next(struct window *w, const struct ledger *l, int64_t given, bool backlog,
                 struct window_pick *out);

/* The record picked is not there any more; the next that exists is `next` (given + 1 when none). */
void window_skip(struct window *w, const struct window_pick *pick, int64_t next);

bool window_fits(const struct window *w, const struct window_pick *pick, int64_t bytes);
void window_sent(struct window *w, const struct window_pick *pick, int64_t bytes);

/* After an ack: forget what was heard of; returns how many sent records turned out lost and go
 * again. */
size_t window_heard(struct window *w, const struct ledger *l);

/* ---- messages per second */

struct bucket {
    double tokens, burst, per_s;
    int64_t last_ms;
};

void bucket_init(struct bucket *b, double per_s, double burst, int64_t now_ms);
bool bucket_has(struct bucket *b, int64_t now_ms); /* room for one more? */
void bucket_take(struct bucket *b);

#endif
