/* services/ingest/facts/presence.c - how fresh a vehicle is. */
#include "presence.h"

const struct presence_settings presence_defaults = {
    .driving_late_ms = 60000,
    .driving_lost_ms = 180000,
    .heartbeat_ms = 600000,
    .late_after_ms = 60000,
    .heartbeats = 2,
    .wakes = 2,
    .started_ms = 300000,
    .mass_ms = 120000,
    .mass_least = 5,
    .mass_share = 0.2,
};

static int64_t heartbeat(const struct presence_state *p, const struct presence_settings *set)
{
    return p->heartbeat_ms > 0 ? p->heartbeat_ms : set->heartbeat_ms;
}

int64_t presence_late_at_ms(const struct presence_state *p, const struct presence_settings *set)
{
    if (p->sleeping)
        return p->wake_ms > 0 ? p->heard_ms + set->wakes * p->wake_ms + set->late_after_ms
                              : INT64_MAX;
    return p->heard_ms +
           (p->driving ? set->driving_late_ms : heartbeat(p, set) + set->late_after_ms);
}

enum connectivity presence_now(const struct presence_state *p, const struct presence_settings *set,
                               int64_t now_ms)
{
    int64_t age_ms = now_ms - p->heard_ms;

    if (p->heard_ms == 0)
        return CONNECTIVITY_NEVER;
    if (p->sleeping)
        return now_ms < presence_late_at_ms(p, set) ? CONNECTIVITY_SLEEPING : CONNECTIVITY_LOST;
    if (age_ms >= (p->driving ? set->driving_lost_ms : set->heartbeats * heartbeat(p, set)))
        return CONNECTIVITY_LOST;
    return now_ms >= presence_late_at_ms(p, set) ? CONNECTIVITY_LATE : CONNECTIVITY_ONLINE;
}

void presence_went_late(struct presence_site *s, int64_t at_ms)
{
    s->late_ms[s->next] = at_ms;
    s->next = (s->next + 1) % PRESENCE_MASS_MAX;
    s->n += s->n < PRESENCE_MASS_MAX ? 1 : 0;
}

bool presence_is_ours(const struct presence_site *s, const struct presence_settings *set,
                      size_t vehicles, int64_t now_ms)
{
    double needed = set->mass_share * (double)vehicles;
    size_t late = 0;

    if (s->broken || now_ms - s->started_ms < set->started_ms)
        return true;
    for (size_t i = 0; i < s->n; i++)
        late += now_ms - s->late_ms[i] <= set->mass_ms && s->late_ms[i] <= now_ms;
    return late >= (size_t)set->mass_least &&
           (double)late >= (needed < PRESENCE_MASS_MAX ? needed : PRESENCE_MASS_MAX);
}

bool presence_alarm(struct presence_site *s, const struct presence_settings *set, size_t vehicles,
                    int64_t now_ms)
{
    bool starting = now_ms - s->started_ms < set->started_ms;
    bool ours = presence_is_ours(s, set, vehicles, now_ms) && (s->broken || !starting);
    bool begins = ours && !s->alarmed;

    s->alarmed = ours;
    return begins;
}

bool presence_tick(struct presence_state *p, const struct presence_settings *set, bool ours,
                   int64_t now_ms)
{
    if (ours || p->silent_since_ms > 0 || presence_now(p, set, now_ms) != CONNECTIVITY_LOST)
        return false;
    p->silent_since_ms = p->heard_ms;
    return true;
}
