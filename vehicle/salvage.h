/* vehicle/salvage.h - how much of a damaged outbox, moved aside, had not reached anybody.  Nothing
 * is written; whatever stands in the file, it takes no longer than it is given. */
#ifndef VEHICLE_SALVAGE_H
#define VEHICLE_SALVAGE_H

#include <stdint.h>

enum salvage_reach {
    SALVAGE_NONE,    /* nothing can be read: how many is not known */
    SALVAGE_PARTIAL, /* at least so many */
    SALVAGE_FULL     /* every entry could be read */
};

const char *salvage_reach_name(enum salvage_reach reach); /* "none" "partial" "full" */

/* Count the records in the file that no site has, as far as the acks in it say.  0 while nothing
 * can be read. */
int64_t salvage_count(const char *path, int64_t budget_ms, enum salvage_reach *reach);

#endif
