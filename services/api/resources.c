/* services/api/resources.c - what a customer sets up, described. */
#include <stddef.h>
#include <string.h>

#include "lib/clock.h"
#include "resource.h"
#include "rules.h"
#include "shapes.h"

#define KM_MOST 10000000.0
#define NEEDED_NAME FIELD_NEEDED | FIELD_FILLED

static bool is_null(const json_t *whole, const char *name)
{
    const json_t *value = json_object_get(whole, name);

    return !value || json_is_null(value);
}

static bool is(const json_t *whole, const char *name, const char *word)
{
    const char *text = json_string_value(json_object_get(whole, name));

    return text && !strcmp(text, word);
}

/* ---- geofences */
static const char *const zone_kinds[] = {"circle", "polygon", "corridor", NULL};
static const struct field geofence_fields[] = {
    {"name", FIELD_TEXT, NEEDED_NAME, 0, 200, NULL, NULL},
    {"kind", FIELD_WORD, FIELD_NEEDED, 0, 0, zone_kinds, NULL},
    {"points", FIELD_POINTS, FIELD_NEEDED, 0, 0, NULL, NULL},
    {"radius_m", FIELD_NUMBER, FIELD_NULLABLE, 30, 100000, NULL, NULL},
    {"dwell_s", FIELD_INTEGER, 0, 0, 3600, NULL, NULL},
    {"speed_limit_kmh", FIELD_NUMBER, FIELD_NULLABLE, 5, 300, NULL, NULL},
    {"muted", FIELD_FLAG, 0, 0, 0, NULL, NULL},
    {"schedule", FIELD_SCHEDULE, FIELD_NULLABLE, 0, 0, NULL, NULL},
    {"group_name", FIELD_TEXT, 0, 0, 63, NULL, NULL},
    {"colour", FIELD_TEXT, 0, 0, 20, NULL, NULL},
    {0},
};

static bool geofence_fits(const struct request *r, const json_t *whole, struct answer *a)
{
    const char *kind = json_string_value(json_object_get(whole, "kind"));
    const char *why = shape_fault(kind ? kind : "", json_object_get(whole, "points"));

    if (why)
        answer_field(a, r, 422, "/points", why);
    else if (!is(whole, "kind", "polygon") && is_null(whole, "radius_m"))
        answer_field(a, r, 422, "/radius_m", "missing");
    else
        return true;
    return false;
}

const struct resource geofence_resource = {
    "geofence",
    "json_build_object('id', t.id, 'name', t.name, 'kind', t.kind, 'radius_m', t.radius_m,"
    " 'points', t.points, 'dwell_s', t.dwell_s, 'speed_limit_kmh', t.speed_limit_kmh,"
    " 'muted', t.muted, 'schedule', t.schedule, 'group_name', t.group_name, 'colour', t.colour,"
    " 'created_at', rfc3339(t.created_at), 'version', t.version)",
    "",
    geofence_fields,
    geofence_fits,
    false,
    geofence_settles,
    geofence_leaves,
};

/* ---- rules */
static const char *const severities[] = {"critical", "major", "minor", "warning", "info", NULL};
static const char *const tests[] = {"above", "below", "equal", "other", NULL};
static const char *const places[] = {"anywhere", "inside", "outside", NULL};
static const struct field rule_fields[] = {
    {"name", FIELD_TEXT, NEEDED_NAME, 0, 200, NULL, NULL},
    {"purpose", FIELD_TEXT, 0, 0, 500, NULL, NULL},
    {"enabled", FIELD_FLAG, 0, 0, 0, NULL, NULL},
    {"severity", FIELD_WORD, 0, 0, 0, severities, NULL},
    {"signal", FIELD_SIGNAL, FIELD_NEEDED, 0, 0, NULL, NULL},
    {"test", FIELD_WORD, FIELD_NEEDED, 0, 0, tests, NULL},
    {"threshold", FIELD_NUMBER, FIELD_NEEDED, -1e9, 1e9, NULL, NULL},
    {"release", FIELD_NUMBER, 0, 0, 1e9, NULL, NULL},
    {"duration_s", FIELD_INTEGER, 0, 0, 86400, NULL, NULL},
    {"repeat", FIELD_INTEGER, 0, 1, 16, NULL, NULL},
    {"repeat_s", FIELD_INTEGER, 0, 0, 604800, NULL, NULL},
    {"schedule", FIELD_SCHEDULE, FIELD_NULLABLE, 0, 0, NULL, NULL},
    {"place", FIELD_WORD, 0, 0, 0, places, NULL},
    {"geofence_id", FIELD_ID, FIELD_NULLABLE, 0, 0, NULL, "geofence"},
    {"group_name", FIELD_TEXT, 0, 0, 63, NULL, NULL},
    {"vin", FIELD_VIN, FIELD_NULLABLE, 0, 0, NULL, NULL},
    {0},
};

static bool rule_fits(const struct request *r, const json_t *whole, struct answer *a)
{
    bool somewhere = !is_null(whole, "place") && !is(whole, "place", "anywhere");

    if (somewhere && is_null(whole, "geofence_id"))
        answer_field(a, r, 422, "/geofence_id", "missing");
    else if (json_integer_value(json_object_get(whole, "repeat")) > 1 &&
             json_integer_value(json_object_get(whole, "repeat_s")) < 1)
        answer_field(a, r, 422, "/repeat_s", "missing");
    else
        return true;
    return false;
}

const struct resource rule_resource = {
    "rule",
    "json_build_object('id', t.id, 'name', t.name, 'purpose', t.purpose, 'enabled', t.enabled,"
    " 'severity', t.severity, 'signal', t.signal, 'test', t.test, 'threshold', t.threshold,"
    " 'release', t.release, 'duration_s', t.duration_s, 'repeat', t.repeat,"
    " 'repeat_s', t.repeat_s, 'schedule', t.schedule, 'place', t.place,"
    " 'geofence_id', t.geofence_id, 'group_name', t.group_name, 'vin', t.vin,"
    " 'created_at', rfc3339(t.created_at), 'version', t.version)",
    "",
    rule_fields,
    rule_fits,
    true,
    rule_settles,
    NULL,
};

/* ---- drivers, and who drives what */
static const struct field driver_fields[] = {
    {"name", FIELD_TEXT, NEEDED_NAME, 0, 200, NULL, NULL},
    {"user_id", FIELD_ID, FIELD_NULLABLE, 0, 0, NULL, "app_user"},
    {"phone", FIELD_TEXT, 0, 0, 40, NULL, NULL},
    {"licence", FIELD_TEXT, 0, 0, 40, NULL, NULL},
    {"card", FIELD_TEXT, 0, 0, 80, NULL, NULL},
    {0},
};

const struct resource driver_resource = {
    "driver",
    "json_build_object('id', t.id, 'name', t.name, 'user_id', t.user_id, 'phone', t.phone,"
    " 'licence', t.licence, 'card', t.card, 'created_at', rfc3339(t.created_at),"
    " 'version', t.version)",
    "",
    driver_fields,
    NULL,
    false,
    NULL,
    NULL,
};

static const struct field assignment_fields[] = {
    {"vin", FIELD_VIN, FIELD_NEEDED | FIELD_FIXED, 0, 0, NULL, NULL},
    {"driver_id", FIELD_ID, FIELD_NEEDED | FIELD_FIXED, 0, 0, NULL, "driver"},
    {"from_at", FIELD_TIME, FIELD_NEEDED, 0, 0, NULL, NULL},
    {"to_at", FIELD_TIME, FIELD_NULLABLE, 0, 0, NULL, NULL},
    {0},
};

static bool assignment_fits(const struct request *r, const json_t *whole, struct answer *a)
{
    const char *from = json_string_value(json_object_get(whole, "from_at"));
    const char *to = json_string_value(json_object_get(whole, "to_at"));
    int64_t from_ms, to_ms;
    struct fault why;

    if (!to || !from ||
        (clock_read(from, &from_ms, &why) == ST_OK && clock_read(to, &to_ms, &why) == ST_OK &&
         to_ms > from_ms))
        return true;
    answer_field(a, r, 422, "/to_at", "range");
    return false;
}

const struct resource assignment_resource = {
    "driver_assignment",
    "json_build_object('id', t.id, 'vin', t.vin, 'driver_id', t.driver_id, 'driver', d.name,"
    " 'from_at', rfc3339(t.from_at), 'to_at', rfc3339(t.to_at),"
    " 'created_at', rfc3339(t.created_at), 'version', t.version)",
    " JOIN driver d ON d.id = t.driver_id",
    assignment_fields,
    assignment_fits,
    true,
    NULL,
    NULL,
};

/* ---- contracts */
static const struct field contract_fields[] = {
    {"vin", FIELD_VIN, FIELD_NEEDED | FIELD_FIXED, 0, 0, NULL, NULL},
    {"reference", FIELD_TEXT, 0, 0, 100, NULL, NULL},
    {"starts_on", FIELD_DATE, FIELD_NEEDED, 0, 0, NULL, NULL},
    {"ends_on", FIELD_DATE, FIELD_NEEDED, 0, 0, NULL, NULL},
    {"price", FIELD_NUMBER, FIELD_NULLABLE | FIELD_CENTS, 0, 1e9, NULL, NULL},
    {"currency", FIELD_TEXT, FIELD_FILLED, 0, 3, NULL, NULL},
    {"start_km", FIELD_NUMBER, 0, 0, KM_MOST, NULL, NULL},
    {"cap_km", FIELD_NUMBER, FIELD_NULLABLE, 1, KM_MOST, NULL, NULL},
    {0},
};

static bool contract_fits(const struct request *r, const json_t *whole, struct answer *a)
{
    const char *starts = json_string_value(json_object_get(whole, "starts_on"));
    const char *ends = json_string_value(json_object_get(whole, "ends_on"));
    const char *currency = json_string_value(json_object_get(whole, "currency"));

    if (!starts || !ends || strcmp(starts, ends) >= 0)
        answer_field(a, r, 422, "/ends_on", "range");
    else if (currency && !is_currency(currency))
        answer_field(a, r, 422, "/currency", "unknown");
    else
        return true;
    return false;
}

const struct resource contract_resource = {
    "contract",
    "json_build_object('id', t.id, 'vin', t.vin, 'reference', t.reference,"
    " 'starts_on', t.starts_on, 'ends_on', t.ends_on, 'price', t.price, 'currency', t.currency,"
    " 'start_km', t.start_km, 'cap_km', t.cap_km, 'stage', t.stage, 'used_km', t.used_km,"
    " 'end_km', t.end_km, 'cap_at', rfc3339(t.cap_at), 'computed_at', rfc3339(t.computed_at),"
    " 'created_at', rfc3339(t.created_at), 'version', t.version)",
    "",
    contract_fields,
    contract_fits,
    true,
    NULL,
    NULL,
};

/* ---- maintenance */
static const struct field maintenance_fields[] = {
    {"vin", FIELD_VIN, FIELD_NEEDED | FIELD_FIXED, 0, 0, NULL, NULL},
    {"name", FIELD_TEXT, NEEDED_NAME, 0, 200, NULL, NULL},
    {"every_km", FIELD_NUMBER, FIELD_NULLABLE, 1, KM_MOST, NULL, NULL},
    {"every_h", FIELD_NUMBER, FIELD_NULLABLE, 1, 1e6, NULL, NULL},
    {"every_days", FIELD_NUMBER, FIELD_NULLABLE, 1, 36500, NULL, NULL},
    {"last_km", FIELD_NUMBER, FIELD_NULLABLE, 0, KM_MOST, NULL, NULL},
    {"last_h", FIELD_NUMBER, FIELD_NULLABLE, 0, 1e6, NULL, NULL},
    {"last_at", FIELD_TIME, FIELD_NULLABLE, 0, 0, NULL, NULL},
    {0},
};

static bool maintenance_fits(const struct request *r, const json_t *whole, struct answer *a)
{
    if (!is_null(whole, "every_km") || !is_null(whole, "every_h") || !is_null(whole, "every_days"))
        return true;
    answer_field(a, r, 422, "/every_km", "missing");
    return false;
}

const struct resource maintenance_resource = {
    "maintenance",
    "json_build_object('id', t.id, 'vin', t.vin, 'name', t.name, 'every_km', t.every_km,"
    " 'every_h', t.every_h, 'every_days', t.every_days, 'last_km', t.last_km, 'last_h', t.last_h,"
    " 'last_at', rfc3339(t.last_at), 'stage', t.stage, 'due_by', nullif(t.due_by, ''),"
    " 'due_at', rfc3339(t.due_at), 'due_left', t.due_left, 'computed_at', rfc3339(t.computed_at),"
    " 'created_at', rfc3339(t.created_at), 'version', t.version)",
    "",
    maintenance_fields,
    maintenance_fits,
    true,
    NULL,
    NULL,
};

/* ---- the customer itself, and its people: made by the operator's commands, so that no hand that
 * can call the API can make another */
static const struct field customer_fields[] = {
    {"name", FIELD_TEXT, NEEDED_NAME, 0, 200, NULL, NULL},
    {"speed_limit_kmh", FIELD_NUMBER, FIELD_NULLABLE, 5, 300, NULL, NULL},
    {"timezone", FIELD_ZONE, 0, 0, 0, NULL, NULL},
    {0},
};

const struct resource customer_resource = {
    "customer",
    "json_build_object('id', t.id, 'name', t.name, 'speed_limit_kmh', t.speed_limit_kmh,"
    " 'timezone', t.timezone, 'created_at', rfc3339(t.created_at), 'version', t.version)",
    "",
    customer_fields,
    NULL,
    false,
    NULL,
    NULL,
};

const struct resource user_resource = {
    "app_user",
    "json_build_object('id', t.id, 'username', t.username, 'name', t.name, 'role', t.role,"
    " 'locale', t.locale, 'disabled', t.disabled, 'created_at', rfc3339(t.created_at),"
    " 'version', t.version)",
    "",
    NULL, /* read only */
    NULL,
    false,
    NULL,
    NULL,
};
