/* proto/live.c - live/1. */
#include "proto/live.h"

#include <math.h>
#include <string.h>

#include "proto/emit.h"
#include "proto/json.h"

#define SCHEMA "live/1"

static enum status check(const struct live *l, struct fault *fault)
{
    static const char *const words[] = {"online", "late", "lost", "sleeping", "never"};

    if (!vin_is_valid(l->vin, strlen(l->vin)))
        return fault_set(fault, ST_REJECT, "vin is not a VIN");
    if (l->t_ms < 0 || l->t_ms > JSON_INTEGER_MAX)
        return fault_set(fault, ST_REJECT, "t is not within 0 .. 2^53");
    if (l->has_position && !(fabs(l->lat) <= 90 && fabs(l->lon) <= 180))
        return fault_set(fault, ST_REJECT, "position is not on the globe");
    if ((l->has_speed && !isfinite(l->speed_kmh)) || (l->has_heading && !isfinite(l->heading_deg)))
        return fault_set(fault, ST_REJECT, "speed or heading is not finite");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(l->connectivity, words[i]) == 0)
            return ST_OK;
    return fault_set(fault, ST_REJECT, "connectivity is none of its five words");
}

static void write_number(struct emit *e, const char *key, double value)
{
    emit_raw(e, key);
    emit_double(e, value);
}

enum status live_write(const struct live *l, char *out, size_t size, size_t *len,
                       struct fault *fault)
{
    struct emit e = {.out = out, .size = size};
    enum status st = check(l, fault);

    if (st != ST_OK)
        return st;
    emit_raw(&e, "{\"schema\":\"" SCHEMA "\",\"t\":");
    emit_int64(&e, l->t_ms);
    emit_raw(&e, ",\"vin\":");
    emit_text(&e, l->vin);
    if (l->has_position) {
        write_number(&e, ",\"lat\":", l->lat);
        write_number(&e, ",\"lon\":", l->lon);
    }
    if (l->has_speed)
        write_number(&e, ",\"speed\":", l->speed_kmh);
    if (l->has_heading)
        write_number(&e, ",\"heading\":", l->heading_deg);
    if (l->has_ignition)
        emit_raw(&e, l->ignition_on ? ",\"ignition\":true" : ",\"ignition\":false");
    emit_raw(&e, ",\"connectivity\":");
    emit_text(&e, l->connectivity);
    emit_raw(&e, "}");
    return emit_end(&e, SCHEMA, len, fault);
}

/* A member that may be absent: tells by `has`; false when it is there and wrong. */
static bool maybe_number(const json_t *message, const char *key, bool *has, double *out,
                         struct fault *fault)
{
    enum status st = json_get_number(message, key, out, fault);

    *has = st == ST_OK;
    return st == ST_OK || st == ST_NONE;
}

static enum status read_members(struct live *l, const json_t *message, struct fault *fault)
{
    char schema[sizeof SCHEMA];
    bool has_lon;
    enum status st;

    if (json_get_text(message, "schema", schema, sizeof schema, fault) != ST_OK)
        return ST_REJECT;
    if (strcmp(schema, SCHEMA) != 0)
        return fault_set(fault, ST_REJECT, "schema is not " SCHEMA);
    if (json_get_int64(message, "t", 0, JSON_INTEGER_MAX, &l->t_ms, fault) != ST_OK ||
        json_get_text(message, "vin", l->vin, sizeof l->vin, fault) != ST_OK ||
        json_get_text(message, "connectivity", l->connectivity, sizeof l->connectivity, fault) !=
            ST_OK)
        return ST_REJECT;
    if (!maybe_number(message, "lat", &l->has_position, &l->lat, fault) ||
        !maybe_number(message, "lon", &has_lon, &l->lon, fault) ||
        !maybe_number(message, "speed", &l->has_speed, &l->speed_kmh, fault) ||
        !maybe_number(message, "heading", &l->has_heading, &l->heading_deg, fault))
        return ST_REJECT;
    if (l->has_position != has_lon)
        return fault_set(fault, ST_REJECT, "lat and lon come together");
    st = json_get_bool(message, "ignition", &l->ignition_on, fault);
    l->has_ignition = st == ST_OK;
    if (st != ST_OK && st != ST_NONE)
        return st;
    return check(l, fault);
}

enum status live_read(struct live *out, const char *bytes, size_t len, struct fault *fault)
{
    struct live l = {0};
    struct fault why = {""}; /* absent members write into it without being wrong */
    json_t *message;
    enum status st = json_read(&message, bytes, len, JSON_MAX_BYTES, fault);

    if (st != ST_OK)
        return st;
    st = read_members(&l, message, &why);
    json_decref(message);
    if (st != ST_OK)
        return fault_set(fault, st, "%s", why.text);
    *out = l;
    return ST_OK;
}
