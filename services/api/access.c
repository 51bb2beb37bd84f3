/* services/api/access.c - the table of rights. */
#include "access.h"

#include <stddef.h>
#include <string.h>

#define MAY(a) (1U << (a))
#define READS (MAY(ACTION_OWN) | MAY(ACTION_VEHICLE_READ) | MAY(ACTION_HISTORY_READ))
#define ASKS (MAY(ACTION_COMMAND_READ) | MAY(ACTION_COMMAND_SEND))
#define RUNS                                                                                       \
    (READS | ASKS | MAY(ACTION_TRACK_READ) | MAY(ACTION_VEHICLE_CHANGE) | MAY(ACTION_MEDIA_ASK) |  \
     MAY(ACTION_PRIVACY_SET))
#define OWNS                                                                                       \
    (RUNS | MAY(ACTION_VEHICLE_RETIRE) | MAY(ACTION_CODES_CLEAR) | MAY(ACTION_AGENT_CONTROL))

static const struct {
    const char *role;
    unsigned may;
} table[] = {
    {"owner", OWNS},
    {"admin", OWNS},
    {"dispatcher", RUNS},
    {"mechanic", READS | ASKS | MAY(ACTION_CODES_CLEAR)}, /* the values, not where the car went */
    {"driver", MAY(ACTION_OWN)}, /* sees what is his; nothing is assigned to drivers yet */
    {"auditor", READS | MAY(ACTION_TRACK_READ) | MAY(ACTION_COMMAND_READ)},
};

bool access_role_is_known(const char *role)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].role, role))
            return true;
    return false;
}

bool access_allows(const char *role, enum action action)
{
    if (action == ACTION_OPEN)
        return true;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].role, role))
            return (table[i].may & MAY(action)) != 0;
    return false;
}
