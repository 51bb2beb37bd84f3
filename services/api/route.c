/* services/api/route.c - the table of routes. */
#include "route.h"

#include <stdio.h>
#include <string.h>

#include "handlers.h"

#define F "/api/frontend/"
#define PUBLIC DOOR_PUBLIC
#define QUICK LANE_QUICK

const struct route route_table[] = {
    /* method, path, name, door, action, lane, takes_json, by_cookie, run */
    {METHOD_GET, F "health", "health", PUBLIC, ACTION_OPEN, QUICK, false, false, health_read},
    {METHOD_GET, F "config", "config", PUBLIC, ACTION_OPEN, QUICK, false, false, config_read},
    {METHOD_GET, "/.well-known/jwks.json", "jwks", PUBLIC, ACTION_OPEN, QUICK, false, false,
     jwks_read},
    {METHOD_POST, F "session", "session", PUBLIC, ACTION_OPEN, LANE_HASH, true, false,
     session_create},
    {METHOD_PUT, F "session", "session", PUBLIC, ACTION_OPEN, QUICK, true, true, session_refresh},
    {METHOD_DELETE, F "session", "session", PUBLIC, ACTION_OPEN, QUICK, false, true, session_end},
    {METHOD_GET, F "me", "me", PUBLIC, ACTION_OWN, QUICK, false, false, me_read},
    {METHOD_GET, F "vehicles", "vehicles", PUBLIC, ACTION_VEHICLE_READ, QUICK, false, false,
     vehicle_list},
    {METHOD_GET, F "vehicles/{vin}", "vehicle", PUBLIC, ACTION_VEHICLE_READ, QUICK, false, false,
     vehicle_read},
    {METHOD_PUT, F "vehicles/{vin}", "vehicle", PUBLIC, ACTION_VEHICLE_CHANGE, QUICK, true, false,
     vehicle_create},
    {METHOD_PATCH, F "vehicles/{vin}", "vehicle", PUBLIC, ACTION_VEHICLE_CHANGE, QUICK, true, false,
     vehicle_change},
    {METHOD_DELETE, F "vehicles/{vin}", "vehicle", PUBLIC, ACTION_VEHICLE_RETIRE, QUICK, false,
     false, vehicle_retire},
    {METHOD_GET, F "vehicles/{vin}/state", "state", PUBLIC, ACTION_VEHICLE_READ, QUICK, false,
     false, state_read},
    {METHOD_GET, F "vehicles/{vin}/history", "history", PUBLIC, ACTION_HISTORY_READ, QUICK, false,
     false, history_read},
    {METHOD_GET, F "vehicles/{vin}/track", "track", PUBLIC, ACTION_TRACK_READ, QUICK, false, false,
     track_read},
    {METHOD_GET, F "vehicles/{vin}/commands", "commands", PUBLIC, ACTION_COMMAND_READ, QUICK, false,
     false, command_list},
    {METHOD_POST, F "vehicles/{vin}/commands", "commands", PUBLIC, ACTION_COMMAND_SEND, QUICK, true,
     false, command_create},
    {METHOD_GET, F "vehicles/{vin}/commands/{id}", "command", PUBLIC, ACTION_COMMAND_READ, QUICK,
     false, false, command_read_one},
    {METHOD_DELETE, F "vehicles/{vin}/commands/{id}", "command", PUBLIC, ACTION_COMMAND_SEND, QUICK,
     false, false, command_cancel},
    {METHOD_POST, F "ws-tickets", "ws-tickets", PUBLIC, ACTION_VEHICLE_READ, QUICK, false, false,
     ticket_create},
    {METHOD_POST, "/api/embedded/enroll", "enroll", DOOR_VEHICLES, ACTION_OPEN, QUICK, true, false,
     enroll_create},
    {METHOD_POST, "/api/embedded/{vin}/renew", "renew", DOOR_VEHICLES, ACTION_CAR, QUICK, true,
     false, renew_create},
    {METHOD_GET, "/api/embedded/{vin}/config", "car-config", DOOR_VEHICLES, ACTION_CAR, QUICK,
     false, false, car_config_read},
};
const size_t route_count = sizeof route_table / sizeof *route_table;

/* Take `len` bytes of the path into `out`. */
static void take(char *out, const char *path, size_t len)
{
    memcpy(out, path, len);
    out[len] = '\0';
}

/* Does `path` fit the pattern?  What stands in its holes goes to `vin` and `object`. */
static bool fits(const char *pattern, const char *path, char vin[VIN_LEN + 1],
                 char object[UUID_TEXT + 1])
{
    while (*pattern) {
        if (!strncmp(pattern, "{vin}", 5)) {
            if (strlen(path) < VIN_LEN || !vin_is_valid(path, VIN_LEN))
                return false;
            take(vin, path, VIN_LEN);
            pattern += 5;
            path += VIN_LEN;
        } else if (!strncmp(pattern, "{id}", 4)) {
            if (strlen(path) < UUID_TEXT || !uuid_is_valid(path, UUID_TEXT))
                return false;
            take(object, path, UUID_TEXT);
            pattern += 4;
            path += UUID_TEXT;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return !*path;
}

enum match route_match(struct request *r, const struct route **out, char *allow, size_t allow_size)
{
    enum method want = r->method == METHOD_HEAD ? METHOD_GET : r->method;
    size_t len = 0;

    allow[0] = '\0';
    for (size_t i = 0; i < route_count; i++) {
        const struct route *row = &route_table[i];

        if (row->door != r->door || !fits(row->path, r->path, r->vin, r->object))
            continue;
        if (row->method == want) {
            *out = r->route = row;
            return MATCH_FOUND;
        }
        if (len < allow_size)
            len += (size_t)snprintf(allow + len, allow_size - len, "%s%s%s", len ? ", " : "",
                                    method_name(row->method),
                                    row->method == METHOD_GET ? ", HEAD" : "");
    }
    return len ? MATCH_NO_METHOD : MATCH_NO_PATH;
}
