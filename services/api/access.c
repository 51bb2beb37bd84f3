/* services/api/access.c - the table of rights. */
#include "access.h"

#include <stddef.h>
#include <string.h>

#define MAY(a) (1U << (a))
#define READS                                                                                      \
    (MAY(ACTION_OWN) | MAY(ACTION_VEHICLE_READ) | MAY(ACTION_HISTORY_READ) |                       \
     MAY(ACTION_COMMAND_READ) | MAY(ACTION_ALERT_READ) | MAY(ACTION_SETUP_READ) |                  \
     MAY(ACTION_UPKEEP_READ))
#define SEES /* where cars went, and who drove them */                                             \
    (READS | MAY(ACTION_TRACK_READ) | MAY(ACTION_DRIVER_READ) | MAY(ACTION_STATISTICS_READ) |      \
     MAY(ACTION_FEED_READ))
#define RUNS                                                                                       \
    (SEES | MAY(ACTION_COMMAND_SEND) | MAY(ACTION_VEHICLE_CHANGE) | MAY(ACTION_MEDIA_ASK) |        \
     MAY(ACTION_PRIVACY_SET) | MAY(ACTION_ALERT_HANDLE) | MAY(ACTION_ZONE_CHANGE) |                \
     MAY(ACTION_ASSIGN))
#define OWNS                                                                                       \
    (RUNS | MAY(ACTION_VEHICLE_RETIRE) | MAY(ACTION_CODES_CLEAR) | MAY(ACTION_AGENT_CONTROL) |     \
     MAY(ACTION_RULE_CHANGE) | MAY(ACTION_DRIVER_CHANGE) | MAY(ACTION_CONTRACT_READ) |             \
     MAY(ACTION_CONTRACT_CHANGE) | MAY(ACTION_UPKEEP_CHANGE) | MAY(ACTION_AUDIT_READ) |            \
     MAY(ACTION_CUSTOMER_CHANGE))

static const struct {
    const char *role;
    unsigned may;
} table[] = {
    {"owner", OWNS},
    {"admin", OWNS},
    {"dispatcher", RUNS},
    /* the values, not where the car went */
    {"mechanic", READS | MAY(ACTION_COMMAND_SEND) | MAY(ACTION_CODES_CLEAR) |
                     MAY(ACTION_ALERT_HANDLE) | MAY(ACTION_UPKEEP_CHANGE)},
    {"driver", MAY(ACTION_OWN)}, /* sees what is his; nothing is assigned to drivers yet */
    {"auditor", SEES | MAY(ACTION_CONTRACT_READ) | MAY(ACTION_AUDIT_READ)},
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
