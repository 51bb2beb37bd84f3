/* services/ingest/facts/privacy.h - when a car was in private mode, as its `private_mode` events
 * say.  Pure; {0} starts.  The newest span is known: facts step in the order of time, and what is
 * older is read again from the events when it matters. */
#ifndef INGEST_PRIVACY_H
#define INGEST_PRIVACY_H

#include <stdbool.h>
#include <stdint.h>

struct privacy {
    int64_t from_ms;  /* 0: never private */
    int64_t until_ms; /* 0: it still is */
};

/* It was switched.  False: before the newest switch known, which stays. */
bool privacy_switch(struct privacy *p, int64_t at_ms, bool on);

bool privacy_is_on(const struct privacy *p); /* as far as is known */
static inline bool privacy_covers(const struct privacy *p, int64_t t_ms)
{
    return p->from_ms > 0 && t_ms >= p->from_ms && (p->until_ms == 0 || t_ms < p->until_ms);
}
/* Did private mode begin after `before_ms`, at `t_ms` at the latest? */
static inline bool privacy_began(const struct privacy *p, int64_t before_ms, int64_t t_ms)
{
    return p->from_ms > before_ms && p->from_ms <= t_ms;
}
/* Of two that tell of the same car, is `p` the one that knows more? */
bool privacy_is_newer(const struct privacy *p, const struct privacy *than);

#endif
