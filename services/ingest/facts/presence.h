/* services/ingest/facts/presence.h - online, late, lost, sleeping, never; and when silence is ours.
 * Pure. The same numbers as connectivity() in proto/sql, which the lists use.  A broken session
 * alone proves nothing. */
#ifndef INGEST_PRESENCE_H
#define INGEST_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum connectivity { /* as the words of the contract */
                    CONNECTIVITY_NEVER = 0,
                    CONNECTIVITY_ONLINE,
                    CONNECTIVITY_LATE,
                    CONNECTIVITY_LOST,
                    CONNECTIVITY_SLEEPING
};

struct presence_settings {
    int64_t driving_late_ms, driving_lost_ms; /* 60,000, 180,000 */
    int64_t heartbeat_ms;                     /* 600,000, unless the vehicle announced another */
    int64_t late_after_ms;                    /* 60,000 after a heartbeat that did not come: late */
    int heartbeats;                           /* 2 that did not come: lost */
    int wakes;                                /* 2 announced wake-ups that did not come: lost */
    int64_t started_ms;   /* 300,000 after ingest started, or after it was us, nobody is silent */
    int64_t mass_ms;      /* within 120,000 ... */
    int mass_least;       /* ... 5 vehicles of a site, and at least ... */
    double mass_share;    /* ... 0.2 of them, went late: that is us */
    int64_t mass_hold_ms; /* until fewer of them are missing; after 3,600,000, where others are
                           * heard, it was they */
};
extern const struct presence_settings presence_defaults;

struct presence_state {
    int64_t heard_ms;     /* newest record, by our clock; 0: never */
    bool driving;         /* engine on or moving when last heard */
    bool sleeping;        /* announced */
    int64_t heartbeat_ms; /* announced; 0: the default */
    int64_t wake_ms; /* period of announced wake-ups; 0: none announced, it may sleep for ever */
    int64_t silent_since_ms; /* `vehicle_silent` is open since; 0: it is not */
};

enum connectivity presence_now(const struct presence_state *p, const struct presence_settings *set,
                               int64_t now_ms);
int64_t presence_late_at_ms(const struct presence_state *p, const struct presence_settings *set);

/* Our own part of it, of one site.  {0} starts; give it our start time. */
#define PRESENCE_MASS_MAX 4096
struct presence_site {
    int64_t started_ms;
    /* ---- as it stands at a look */
    bool broken;                        /* a dependency of this site is down */
    size_t vehicles;                    /* it has */
    int64_t heard_ms;                   /* newest record of any of them */
    int64_t late_ms[PRESENCE_MASS_MAX]; /* when those went late that still are */
    size_t n;
    /* ---- from look to look */
    int64_t looked_ms;
    int64_t mass_ms; /* many went late after that, and are missing still; 0: not so */
    int64_t ours_ms; /* it was us then */
    bool alarmed;
};

/* A look begins: forget those that were late, ... */
void presence_begin(struct presence_site *s);
/* ... tell who is now: what is older than counts is left out, and what is more than can be kept,
 * ...
 */
void presence_went_late(struct presence_site *s, const struct presence_settings *set, int64_t at_ms,
                        int64_t now_ms);
/* ... and see what that means. */
void presence_look(struct presence_site *s, const struct presence_settings *set, int64_t now_ms);
/* Is silence ours at this moment?  Then no vehicle_silent opens. */
bool presence_is_ours(const struct presence_site *s, const struct presence_settings *set,
                      int64_t now_ms);
/* One operator alarm per outage: true once when it begins. */
bool presence_alarm(struct presence_site *s, const struct presence_settings *set, int64_t now_ms);

/* Time goes on for one vehicle: true when `vehicle_silent` opens now, p->silent_since_ms. */
bool presence_tick(struct presence_state *p, const struct presence_settings *set, bool ours,
                   int64_t now_ms);

#endif
