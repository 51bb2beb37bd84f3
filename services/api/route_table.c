/* services/api/route_table.c - the API, row by row: proto/openapi.yaml describes exactly these. */
#include "handlers.h"
#include "resource.h"

#define F "/api/frontend/"
#define ROW(method, path, name, action, json, run)                                                 \
    {                                                                                              \
        METHOD_##method, F path, name, DOOR_PUBLIC, ACTION_##action, LANE_QUICK, json, false, run, \
            NULL                                                                                   \
    }
#define GET(path, name, action, run) ROW(GET, path, name, action, false, run)
#define SEND(method, path, name, action, run) ROW(method, path, name, action, true, run)
#define BARE(method, path, name, action, run) ROW(method, path, name, action, false, run)
/* The five routes of what a customer sets up. */
#define PART(method, path, name, action, json, run, what)                                          \
    {                                                                                              \
        METHOD_##method, F path, name, DOOR_PUBLIC, action, LANE_QUICK, json, false, run, &what    \
    }
#define RESOURCE(path, name, read, change, what)                                                   \
    PART(GET, path, name "s", read, false, resource_list, what),                                   \
        PART(POST, path, name "s", change, true, resource_create, what),                           \
        PART(GET, path "/{id}", name, read, false, resource_read, what),                           \
        PART(PATCH, path "/{id}", name, change, true, resource_change, what),                      \
        PART(DELETE, path "/{id}", name, change, false, resource_delete, what)

const struct route route_table[] = {
    /* method, path, name, door, action, lane, takes_json, by_cookie, run, resource */
    GET("health", "health", OPEN, health_read),
    GET("config", "config", OPEN, config_read),
    {METHOD_GET, "/.well-known/jwks.json", "jwks", DOOR_PUBLIC, ACTION_OPEN, LANE_QUICK, false,
     false, jwks_read, NULL},
    {METHOD_POST, F "session", "session", DOOR_PUBLIC, ACTION_OPEN, LANE_HASH, true, false,
     session_create, NULL},
    {METHOD_PUT, F "session", "session", DOOR_PUBLIC, ACTION_OPEN, LANE_QUICK, true, true,
     session_refresh, NULL},
    {METHOD_DELETE, F "session", "session", DOOR_PUBLIC, ACTION_OPEN, LANE_QUICK, false, true,
     session_end, NULL},
    GET("me", "me", OWN, me_read),
    GET("vehicles", "vehicles", VEHICLE_READ, vehicle_list),
    GET("vehicles/{vin}", "vehicle", VEHICLE_READ, vehicle_read),
    SEND(PUT, "vehicles/{vin}", "vehicle", VEHICLE_CHANGE, vehicle_create),
    SEND(PATCH, "vehicles/{vin}", "vehicle", VEHICLE_CHANGE, vehicle_change),
    BARE(DELETE, "vehicles/{vin}", "vehicle", VEHICLE_RETIRE, vehicle_retire),
    GET("vehicles/{vin}/state", "state", VEHICLE_READ, state_read),
    BARE(PUT, "vehicles/{vin}/watch", "watch", VEHICLE_READ, watch_set),
    GET("vehicles/{vin}/history", "history", HISTORY_READ, history_read),
    GET("vehicles/{vin}/track", "track", TRACK_READ, track_read),
    GET("vehicles/{vin}/commands", "commands", COMMAND_READ, command_list),
    SEND(POST, "vehicles/{vin}/commands", "commands", COMMAND_SEND, command_create),
    GET("vehicles/{vin}/commands/{id}", "command", COMMAND_READ, command_read_one),
    BARE(DELETE, "vehicles/{vin}/commands/{id}", "command", COMMAND_SEND, command_cancel),
    GET("vehicles/{vin}/trips", "trips", TRACK_READ, trip_list),
    GET("vehicles/{vin}/stops", "stops", TRACK_READ, stop_list),
    GET("vehicles/{vin}/events", "events", HISTORY_READ, event_list),
    GET("vehicles/{vin}/diagnostics", "diagnostics", HISTORY_READ, diagnostics_read),
    GET("vehicles/{vin}/loss", "loss", VEHICLE_READ, loss_read),
    GET("vehicles/{vin}/meter", "meter", UPKEEP_READ, meter_read),
    SEND(POST, "vehicles/{vin}/meter", "meter", UPKEEP_CHANGE, meter_enter),
    GET("alerts", "alerts", ALERT_READ, alert_list),
    GET("alerts/{id}", "alert", ALERT_READ, alert_read),
    SEND(POST, "alerts/{id}/acknowledge", "alert-acknowledge", ALERT_HANDLE, alert_acknowledge),
    SEND(POST, "alerts/{id}/clear", "alert-clear", ALERT_HANDLE, alert_clear),
    SEND(POST, "alerts/{id}/comments", "alert-comments", ALERT_HANDLE, alert_comment),
    SEND(POST, "alerts/{id}/assign", "alert-assign", ALERT_HANDLE, alert_assign),
    RESOURCE("geofences", "geofence", ACTION_SETUP_READ, ACTION_ZONE_CHANGE, geofence_resource),
    RESOURCE("rules", "rule", ACTION_SETUP_READ, ACTION_RULE_CHANGE, rule_resource),
    RESOURCE("drivers", "driver", ACTION_DRIVER_READ, ACTION_DRIVER_CHANGE, driver_resource),
    RESOURCE("assignments", "assignment", ACTION_DRIVER_READ, ACTION_ASSIGN, assignment_resource),
    RESOURCE("contracts", "contract", ACTION_CONTRACT_READ, ACTION_CONTRACT_CHANGE,
             contract_resource),
    RESOURCE("maintenance", "maintenance", ACTION_UPKEEP_READ, ACTION_UPKEEP_CHANGE,
             maintenance_resource),
    GET("maintenance/{id}/services", "services", UPKEEP_READ, service_list),
    SEND(POST, "maintenance/{id}/services", "services", UPKEEP_CHANGE, service_create),
    PART(GET, "customers", "customers", ACTION_SETUP_READ, false, resource_list, customer_resource),
    PART(GET, "customers/{id}", "customer", ACTION_SETUP_READ, false, resource_read,
         customer_resource),
    PART(PATCH, "customers/{id}", "customer", ACTION_CUSTOMER_CHANGE, true, resource_change,
         customer_resource),
    PART(GET, "users", "users", ACTION_SETUP_READ, false, resource_list, user_resource),
    PART(GET, "users/{id}", "user", ACTION_SETUP_READ, false, resource_read, user_resource),
    GET("audit", "audit", AUDIT_READ, audit_list),
    GET("feed", "feed", FEED_READ, feed_read),
    GET("statistics", "statistics", STATISTICS_READ, statistics_read),
    BARE(POST, "ws-tickets", "ws-tickets", VEHICLE_READ, ticket_create),
    {METHOD_POST, "/api/embedded/enroll", "enroll", DOOR_VEHICLES, ACTION_OPEN, LANE_QUICK, true,
     false, enroll_create, NULL},
    {METHOD_POST, "/api/embedded/{vin}/renew", "renew", DOOR_VEHICLES, ACTION_CAR, LANE_QUICK, true,
     false, renew_create, NULL},
    {METHOD_GET, "/api/embedded/{vin}/config", "car-config", DOOR_VEHICLES, ACTION_CAR, LANE_QUICK,
     false, false, car_config_read, NULL},
};
const size_t route_count = sizeof route_table / sizeof *route_table;
