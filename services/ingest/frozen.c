/* services/ingest/frozen.c */
#include "frozen.h"

#include <stdbool.h>

static bool is_after_a_pause(int64_t now_ms, int64_t before_ms)
{
    return now_ms < before_ms || now_ms - before_ms > FROZEN_PAUSE_MS;
}

/* Since when it has been seen as it is now. */
static int64_t since(const struct frozen *before, const struct frozen_session *s, int64_t now_ms)
{
    for (size_t i = 0; i < before->count; i++) {
        const struct frozen_session *w = &before->watched[i].session;

        if (w->pid == s->pid && w->begun_us == s->begun_us && w->changed_us == s->changed_us)
            return before->watched[i].since_ms;
    }
    return now_ms;
}

size_t frozen_look(struct frozen *f, const struct frozen_session *sessions, size_t n,
                   int64_t server_ms, int64_t boot_ms, int64_t wait_ms, struct frozen_session *out)
{
    struct frozen before = *f;
    size_t silent = 0;

    if (is_after_a_pause(server_ms, before.server_ms) || is_after_a_pause(boot_ms, before.boot_ms))
        before.count = 0;
    f->server_ms = server_ms;
    f->boot_ms = boot_ms;
    f->count = n < FROZEN_SESSIONS_MAX ? n : FROZEN_SESSIONS_MAX;
    for (size_t i = 0; i < f->count; i++) {
        f->watched[i].session = sessions[i];
        f->watched[i].since_ms = since(&before, &sessions[i], server_ms);
        if (server_ms - f->watched[i].since_ms >= wait_ms)
            out[silent++] = sessions[i];
    }
    return silent;
}
