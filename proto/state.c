/* proto/state.c - state/1. */
#include "proto/state.h"

#include <string.h>

#include "proto/emit.h"

#define SCHEMA "state/1"
#define PERIOD_MAX_MS 604800000 /* a week */

static const char *const presences[] = {
    [PRESENCE_ONLINE] = "online", [PRESENCE_OFFLINE] = "offline", [PRESENCE_SLEEPING] = "sleeping"};
static const char *const sources[] = {[SOURCE_ABSENT] = "absent",
                                      [SOURCE_OK] = "ok",
                                      [SOURCE_SEARCHING] = "searching",
                                      [SOURCE_SILENT] = "silent",
                                      [SOURCE_GONE] = "gone"};

const char *presence_name(enum presence p)
{
    return (unsigned)p <= PRESENCE_SLEEPING ? presences[p] : "offline";
}

const char *source_name(enum source s)
{
    return (unsigned)s <= SOURCE_GONE ? sources[s] : "absent";
}

static void emit_period(struct emit *e, const char *key, int64_t ms)
{
    if (ms <= 0)
        return;
    emit_raw(e, key);
    emit_int64(e, ms);
}

enum status state_write(const struct vehicle_state *s, char *out, size_t size, size_t *len,
                        struct fault *fault)
{
    struct emit e = {.out = out, .size = size};

    emit_raw(&e, "{\"schema\":\"" SCHEMA "\",\"state\":");
    emit_text(&e, presence_name(s->presence));
    if (s->boot[0]) {
        emit_raw(&e, ",\"boot\":");
        emit_text(&e, s->boot);
    }
    emit_raw(&e, ",\"agent\":");
    emit_text(&e, s->agent);
    emit_raw(&e, ",\"t\":");
    emit_int64(&e, s->t_ms);
    emit_raw(&e, ",\"config\":");
    emit_int64(&e, s->config);
    emit_raw(&e, ",\"sources\":{\"gps\":");
    emit_text(&e, source_name(s->gps));
    emit_raw(&e, ",\"obd\":");
    emit_text(&e, source_name(s->obd));
    emit_raw(&e, ",\"camera\":");
    emit_text(&e, source_name(s->camera));
    emit_raw(&e, "}");
    if (s->private_since_ms != 0) {
        emit_raw(&e, ",\"private\":{\"since\":");
        emit_int64(&e, s->private_since_ms);
        emit_raw(&e, "}");
    }
    emit_period(&e, ",\"heartbeat_ms\":", s->heartbeat_ms);
    emit_period(&e, ",\"wake_ms\":", s->wake_ms);
    if (s->outbox[0]) {
        emit_raw(&e, ",\"outbox\":");
        emit_text(&e, s->outbox);
    }
    emit_raw(&e, "}");
    return emit_end(&e, SCHEMA, len, fault);
}

static enum status read_presence(enum presence *out, const json_t *message, struct fault *fault)
{
    char word[16];

    if (json_get_text(message, "state", word, sizeof word, fault) != ST_OK)
        return ST_REJECT;
    for (unsigned i = 0; i <= PRESENCE_SLEEPING; i++) {
        if (strcmp(word, presences[i]) == 0) {
            *out = (enum presence)i;
            return ST_OK;
        }
    }
    return fault_set(fault, ST_REJECT, "state is not online, offline or sleeping");
}

/* A newer agent may know words we do not: absent, rather than no state at all. */
static enum source read_source(const json_t *all, const char *key)
{
    const char *word = json_string_value(json_object_get(all, key));

    for (unsigned i = 0; word && i <= SOURCE_GONE; i++)
        if (strcmp(word, sources[i]) == 0)
            return (enum source)i;
    return SOURCE_ABSENT;
}

/* A member may be missing, but what is there has its type. */
static bool wrong(enum status st)
{
    return st != ST_OK && st != ST_NONE;
}

static enum status read_members(struct vehicle_state *s, const json_t *message, struct fault *fault)
{
    const json_t *all = json_object_get(message, "sources");
    const json_t *private = json_object_get(message, "private");
    char schema[sizeof SCHEMA];

    if (json_get_text(message, "schema", schema, sizeof schema, fault) != ST_OK)
        return ST_REJECT;
    if (strcmp(schema, SCHEMA) != 0)
        return fault_set(fault, ST_REJECT, "schema is not " SCHEMA);
    if (read_presence(&s->presence, message, fault) != ST_OK ||
        json_get_int64(message, "t", 0, JSON_INTEGER_MAX, &s->t_ms, fault) != ST_OK ||
        wrong(json_get_text(message, "boot", s->boot, sizeof s->boot, fault)) ||
        wrong(json_get_text(message, "agent", s->agent, sizeof s->agent, fault)) ||
        wrong(json_get_int64(message, "config", 0, JSON_INTEGER_MAX, &s->config, fault)) ||
        wrong(json_get_int64(message, "heartbeat_ms", 1, PERIOD_MAX_MS, &s->heartbeat_ms, fault)) ||
        wrong(json_get_int64(message, "wake_ms", 1, PERIOD_MAX_MS, &s->wake_ms, fault)))
        return ST_REJECT;
    if (s->boot[0] && !uuid_is_valid(s->boot, strlen(s->boot)))
        return fault_set(fault, ST_REJECT, "boot is not a UUID in lower case");
    if (private &&
        json_get_int64(private, "since", 1, JSON_INTEGER_MAX, &s->private_since_ms, NULL) != ST_OK)
        return fault_set(fault, ST_REJECT, "private is not {since}");
    if (all && !json_is_object(all))
        return fault_set(fault, ST_REJECT, "sources is not an object");
    s->gps = read_source(all, "gps");
    s->obd = read_source(all, "obd");
    s->camera = read_source(all, "camera");
    return ST_OK;
}

enum status state_read(struct vehicle_state *out, const char *bytes, size_t len,
                       struct fault *fault)
{
    struct vehicle_state s = {0};
    struct fault why = {""}; /* absent members write into it without being wrong */
    json_t *message;
    enum status st = json_read(&message, bytes, len, JSON_MAX_BYTES, fault);

    if (st != ST_OK)
        return st;
    st = read_members(&s, message, &why);
    json_decref(message);
    if (st != ST_OK)
        return fault_set(fault, st, "%s", why.text);
    *out = s;
    return ST_OK;
}
