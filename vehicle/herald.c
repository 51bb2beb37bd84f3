/* vehicle/herald.c - see herald.h. */
#include "herald.h"

#include <stdio.h>
#include <string.h>

void herald_init(struct herald *p, const char *boot, const char *agent)
{
    memset(p, 0, sizeof *p);
    p->state.gps = p->state.obd = p->state.camera = SOURCE_ABSENT;
    snprintf(p->state.boot, sizeof p->state.boot, "%s", boot);
    snprintf(p->state.agent, sizeof p->state.agent, "%s", agent);
}

void herald_set_gps(struct herald *p, enum source source)
{
    p->due = p->due || p->state.gps != source;
    p->state.gps = source;
}

void herald_set_obd(struct herald *p, enum source source)
{
    p->due = p->due || p->state.obd != source;
    p->state.obd = source;
}

void herald_set_config(struct herald *p, int64_t revision)
{
    p->due = p->due || p->state.config != revision;
    p->state.config = revision;
}

void herald_set_private(struct herald *p, int64_t since_ms)
{
    p->due = p->due || p->state.private_since_ms != since_ms;
    p->state.private_since_ms = since_ms;
}

void herald_rest(struct herald *p, enum presence presence, int64_t heartbeat_ms, int64_t wake_ms)
{
    struct vehicle_state *s = &p->state;

    p->due = p->due || s->presence != presence || s->heartbeat_ms != heartbeat_ms ||
             s->wake_ms != wake_ms;
    s->presence = presence;
    s->heartbeat_ms = heartbeat_ms;
    s->wake_ms = wake_ms;
}

void herald_set_outbox(struct herald *p, const char *trouble)
{
    p->due = p->due || strcmp(p->state.outbox, trouble) != 0;
    snprintf(p->state.outbox, sizeof p->state.outbox, "%s", trouble);
}

void herald_connected(struct herald *p)
{
    p->due = true;
}

bool herald_is_due(const struct herald *p, int64_t boot_ms, int64_t heartbeat_ms)
{
    return p->due || boot_ms - p->told_ms >= heartbeat_ms;
}

void herald_told(struct herald *p, int64_t boot_ms)
{
    p->due = false;
    p->told_ms = boot_ms;
}

enum status herald_write(const struct herald *p, enum presence what, int64_t now_ms, char *out,
                         size_t size, size_t *len, struct fault *fault)
{
    struct vehicle_state state = p->state;

    state.presence = what;
    state.t_ms = now_ms;
    if (what == PRESENCE_OFFLINE)
        state.private_since_ms = 0;
    return state_write(&state, out, size, len, fault);
}
