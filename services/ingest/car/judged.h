/* services/ingest/car/judged.h - since when a vehicle is judged by the settings of now: its zones,
 * limits and rules, and who detects.  Pure; {0} starts: nothing is known of others before.  A
 * recompute steps over its past by the settings of now; what other settings found there stays as it
 * was told, and nothing is added to it. */
#ifndef INGEST_JUDGED_H
#define INGEST_JUDGED_H

#include "found.h"

enum judged_by { JUDGED_ZONES = 0, JUDGED_LIMITS, JUDGED_RULES, JUDGED_DETECTS, JUDGED_KINDS };

struct judged {
    uint64_t stamp[JUDGED_KINDS];   /* of the settings of the newest sample; 0: there was none */
    int64_t since_ms[JUDGED_KINDS]; /* samples up to here had other settings; 0: none had */
};

/* The next sample is stepped by settings of these stamps, the one before it was of `before_ms`. */
void judged_step(struct judged *j, const uint64_t stamp[JUDGED_KINDS], int64_t before_ms);

/* Were samples since `before` stepped by settings that are neither those of then nor these? */
bool judged_anew(const struct judged *now, const struct judged *before,
                 const uint64_t stamp[JUDGED_KINDS]);
/* Was the newest sample stepped by these? */
bool judged_so(const struct judged *j, const uint64_t stamp[JUDGED_KINDS]);

struct judged_past {
    int64_t since_ms[JUDGED_KINDS];
    const struct found *found; /* by the settings of now, in order of time; borrowed */
    size_t n;
};

/* What `past` is about happened when other settings were in force. */
bool judged_is_past(const struct judged_past *past, const char *type, int64_t occurred_ms);
/* Such an event that is not found again stays all the same: it is of the past, or of something that
 * by the settings of now had begun before them, and so has another beginning. */
bool judged_spares(const struct judged_past *past, const char *type, const char *subject,
                   int64_t occurred_ms);

#endif
