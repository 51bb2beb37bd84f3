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
    .mass_hold_ms = 3600000,
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

void presence_begin(struct presence_site *s)
{
    s->n = 0;
}

/* While a crowd is missing all that went late since are of it. */
static int64_t counts_after(const struct presence_site *s, const struct presence_settings *set,
                            int64_t now_ms)
{
    return s->mass_ms > 0 ? s->mass_ms : now_ms - set->mass_ms;
}

void presence_went_late(struct presence_site *s, const struct presence_settings *set, int64_t at_ms,
                        int64_t now_ms)
{
    if (at_ms <= now_ms && at_ms > counts_after(s, set, now_ms) && s->n < PRESENCE_MASS_MAX)
        s->late_ms[s->n++] = at_ms;
}

static bool are_many_missing(const struct presence_site *s, const struct presence_settings *set)
{
    double needed = set->mass_share * (double)s->vehicles;

    return s->n >= (size_t)set->mass_least &&
           (double)s->n >= (needed < PRESENCE_MASS_MAX ? needed : PRESENCE_MASS_MAX);
}

/* A car is lost long after it went late: so the crowd is remembered until it is back.  Whether it
 * went itself, with its carrier's network for one, shows in the end by others that are heard. */
static void look_at_mass(struct presence_site *s, const struct presence_settings *set,
                         int64_t now_ms)
{
    bool many = are_many_missing(s, set);
    bool theirs = s->mass_ms > 0 && now_ms - s->mass_ms >= set->mass_hold_ms &&
                  now_ms - s->heard_ms < set->driving_late_ms;

    if (!many || theirs)
        s->mass_ms = 0;
    else if (s->mass_ms == 0)
        s->mass_ms = now_ms - set->mass_ms;
}

void presence_look(struct presence_site *s, const struct presence_settings *set, int64_t now_ms)
{
    /* no look for so long: the database was away, or this machine */
    bool away = s->looked_ms > 0 && now_ms - s->looked_ms >= set->driving_late_ms;

    look_at_mass(s, set, now_ms);
    if (s->broken || s->mass_ms > 0 || away)
        s->ours_ms = now_ms;
    s->looked_ms = now_ms;
}

/* They have to come back first. */
bool presence_is_ours(const struct presence_site *s, const struct presence_settings *set,
                      int64_t now_ms)
{
    return s->broken || s->mass_ms > 0 || now_ms - s->started_ms < set->started_ms ||
           (s->ours_ms > 0 && now_ms - s->ours_ms < set->started_ms);
}

/* Whoever was late before we started did not go late with us. */
bool presence_alarm(struct presence_site *s, const struct presence_settings *set, int64_t now_ms)
{
    bool starting = now_ms - s->started_ms < set->started_ms;
    bool begins = !s->alarmed && (s->broken || (s->mass_ms > 0 && !starting));

    s->alarmed = begins || (s->alarmed && presence_is_ours(s, set, now_ms));
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
