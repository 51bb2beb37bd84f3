/* services/api/access.h - who may do what: permission = (role, action); whose rows is the tenant's
 * business. What is not in the table is denied.  Pure, any thread. */
#ifndef API_ACCESS_H
#define API_ACCESS_H

#include <stdbool.h>

enum action {
    ACTION_OPEN,           /* no sign-in needed */
    ACTION_CAR,            /* a car about itself, by its certificate: no role may */
    ACTION_OWN,            /* whoever is signed in, about themselves */
    ACTION_VEHICLE_READ,   /* list, detail, state, live feed */
    ACTION_VEHICLE_CHANGE, /* create and change */
    ACTION_VEHICLE_RETIRE,
    ACTION_HISTORY_READ, /* measured values over time, position left out */
    ACTION_TRACK_READ,   /* where it was */
    ACTION_COMMAND_READ,
    ACTION_COMMAND_SEND, /* something that reads: codes; what else a command needs is its own action
                          */
    ACTION_MEDIA_ASK,    /* photo, clip */
    ACTION_CODES_CLEAR,
    ACTION_PRIVACY_SET,
    ACTION_AGENT_CONTROL, /* configuration, restart */
    ACTION_ALERT_READ,
    ACTION_ALERT_HANDLE, /* acknowledge, assign, clear, comment */
    ACTION_SETUP_READ,   /* geofences, rules, the customer and its people */
    ACTION_CUSTOMER_CHANGE,
    ACTION_ZONE_CHANGE,
    ACTION_RULE_CHANGE,
    ACTION_DRIVER_READ,
    ACTION_DRIVER_CHANGE,
    ACTION_ASSIGN, /* who drives what */
    ACTION_CONTRACT_READ,
    ACTION_CONTRACT_CHANGE,
    ACTION_UPKEEP_READ, /* maintenance */
    ACTION_UPKEEP_CHANGE,
    ACTION_STATISTICS_READ,
    ACTION_FEED_READ,
    ACTION_AUDIT_READ,
    ACTION_COUNT
};

bool access_role_is_known(const char *role);
bool access_allows(const char *role, enum action action);

#endif
