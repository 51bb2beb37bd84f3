/* services/broker/refusals.h - what was refused in the last second, for the log.
 * Remembering one costs no allocation and no output, so a hostile client cannot make the broker
 * write: however often it is refused, a second gives one line per name, access and reason, and at
 * most REFUSALS_KINDS lines.  The caller writes them and begins anew.  One thread. */
#ifndef BROKER_REFUSALS_H
#define BROKER_REFUSALS_H

#include <stddef.h>

#include "guard_rules.h"

#define REFUSALS_KINDS 64
#define REFUSALS_LINE_MAX 320

struct refusal {
    char name[36]; /* printable ASCII, whatever the client sent; long ones are cut */
    char from[46]; /* network address */
    char topic[96];
    int access;
    enum guard_reason reason;
    unsigned long count;
};

struct refusals {
    struct refusal kinds[REFUSALS_KINDS];
    size_t used;
    unsigned long others; /* refused as well, when there was no room for their kind */
};

/* Nothing refused yet. */
void refusals_init(struct refusals *all);

/* Count one; of several of a kind the first topic is kept.  `from` may be NULL. */
void refusals_add(struct refusals *all, const struct guard_ask *ask, enum guard_reason reason,
                  const char *from);

/* `event=guard.refused name="..." from=... access=publish reason=... count=3 topic="..."` */
void refusals_format(char out[REFUSALS_LINE_MAX], const struct refusal *one);

#endif
