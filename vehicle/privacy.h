/* vehicle/privacy.h - private mode: is the car private now, since when, and why.  Pure: the time
 * comes as an argument.  While it is, no position leaves the memory of this process.
 * Private is the car when any of these says so: the button in the car, a command, the hours outside
 * work that config/1 names.  A command to end it ends what a command began, never the driver's
 * button nor the hours. */
#ifndef VEHICLE_PRIVACY_H
#define VEHICLE_PRIVACY_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/text.h"
#include "proto/json.h"
#include "zone.h"

#define PRIVACY_SPANS_MAX 16
#define PRIVACY_DAY_MINUTES 1440

/* Work from a minute of the day to another; the second not above the first: of the next day. */
struct privacy_span {
    uint8_t days; /* bit 0 Monday .. bit 6 Sunday: when it begins */
    int from, to; /* minutes, 0 .. 1440 */
};

/* config/1's `privacy`. */
struct privacy_rules {
    bool has_hours; /* else every hour is one of work */
    struct zone zone;
    size_t span_count;
    struct privacy_span spans[PRIVACY_SPANS_MAX];
    bool crash_place; /* the driver agreed that a crash keeps its place */
};

enum privacy_cause { PRIVACY_NONE, PRIVACY_BUTTON, PRIVACY_COMMAND, PRIVACY_HOURS };

struct privacy {
    struct privacy_rules rules;
    bool button;              /* as last seen */
    bool commanded;           /* privacy.set on */
    int64_t until_ms;         /* of the command; 0: until it is ended */
    enum privacy_cause cause; /* PRIVACY_NONE: not private */
    int64_t since_ms;         /* 0: not private */
    bool since_undated;       /* the time was not known then */
    int64_t ended_ms;         /* when it last ended; 0: not lately */
};

const char *privacy_cause_word(enum privacy_cause cause); /* "none" "button" "command" "hours" */

/* Read the object `privacy` of config/1; NULL: no rules.  ST_REJECT: wrong. */
enum status privacy_rules_read(struct privacy_rules *out, const json_t *object,
                               struct fault *fault) MUST_CHECK;

/* Is it an hour of work?  Without hours always. */
bool privacy_is_work(const struct privacy_rules *rules, int64_t now_ms);

/* privacy.set. */
void privacy_command(struct privacy *p, bool on, int64_t until_ms);

/* Look anew.  `time_known`: else hours count as not those of work, and no command ends by itself.
 * True: the car became private, or is no longer, or for another reason. */
bool privacy_step(struct privacy *p, int64_t now_ms, bool time_known);

/* Must the place of a fix stay here, received at `received_ms` and told under `t_ms`?  One from
 * before private mode ended too, however late it comes. */
bool privacy_covers(const struct privacy *p, int64_t received_ms, int64_t t_ms);
void privacy_clock_set(struct privacy *p); /* times begin anew */
/* Our clock moved, it is `step_ms` later than we thought.  True: what is kept is another. */
bool privacy_shift(struct privacy *p, int64_t step_ms);

/* What outlives a restart, as text, and back.  ST_REJECT: not such a text; *p is left alone. */
void privacy_write(const struct privacy *p, struct text *out);
enum status privacy_load(struct privacy *p, const char *bytes, size_t len,
                         struct fault *fault) MUST_CHECK;

#endif
