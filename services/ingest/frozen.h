/* services/ingest/frozen.h - whose session has done nothing for so long that its process must be
 * frozen, or hang: an instance asks PostgreSQL something every second.  Decides; ends nothing.
 *
 * Only silence that was watched counts.  We look every second or two; after a pause between two
 * looks, ours, the server's or of the whole machine, everybody begins anew.  So nobody who has
 * slept itself takes the others for dead, and a server that stood still makes nobody silent.
 * Pure; one thread. */
#ifndef INGEST_FROZEN_H
#define INGEST_FROZEN_H

#include <stddef.h>
#include <stdint.h>

#define FROZEN_SESSIONS_MAX 256 /* those beyond are not watched */
#define FROZEN_PAUSE_MS 4000    /* between two looks; after a longer one all begin anew */

/* A session that waits for its client, as the server tells. */
struct frozen_session {
    int64_t pid, begun_us; /* together it and no other */
    int64_t changed_us;    /* when it came to wait, by the server's clock */
};

struct frozen {
    struct {
        struct frozen_session session;
        int64_t since_ms; /* first seen so, by the server's clock */
    } watched[FROZEN_SESSIONS_MAX];
    size_t count;
    int64_t server_ms, boot_ms; /* of the last look; all zero: there was none */
};

/* What a look shows, at `server_ms` by the server's clock and `boot_ms` by our own that only goes
 * forward, both above 0.  How many, into `out` of FROZEN_SESSIONS_MAX, have been waiting unchanged
 * for `wait_ms` or more. */
size_t frozen_look(struct frozen *f, const struct frozen_session *sessions, size_t n,
                   int64_t server_ms, int64_t boot_ms, int64_t wait_ms, struct frozen_session *out);

#endif
