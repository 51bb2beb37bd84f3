/* proto/fact.c - event/1, alert/1, diagnostics/1, media/1, result/1: what they have in common, and
 * what each demands. */
#include "proto/fact.h"

#include <stdio.h>
#include <string.h>

#include "proto/emit.h"
#include "proto/result.h"
#include "proto/vin.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

static const char *const alert_types[] = {
    "crash",          "harsh_braking", "harsh_acceleration", "harsh_cornering", "overspeed",
    "geofence_enter", "geofence_exit", "geofence_dwell",     "dtc_new",         "dtc_cleared",
    "mil_on",         "low_battery",   "overheating",        "fuel_drop",       "tow",
    "power_cut",      "vin_mismatch",  "vehicle_silent",     "maintenance_due", "contract_mileage",
    "gps_lost",       "camera_lost"};
static const char *const severities[] = {"critical", "major", "minor", "warning", "info"};
static const char *const dtc_states[] = {"stored", "pending", "permanent"};
static const char *const list_words[] = {"full", "partial", "absent"};
static const char *const monitor_words[] = {"complete", "incomplete"};
static const char *const media_kinds[] = {"photo", "clip"};

/* ---- words and shapes ---- */

static bool is_one_of(const char *word, const char *const *list, size_t count)
{
    for (size_t i = 0; word && i < count; i++)
        if (strcmp(word, list[i]) == 0)
            return true;
    return false;
}

static bool consists_of(const char *text, const char *set, size_t shortest, size_t longest)
{
    size_t len = strlen(text);

    return len >= shortest && len <= longest && strspn(text, set) == len;
}

/* P0301, or P0301-1A with a failure type. */
static bool is_code(const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t len = strlen(text);

    if ((len != 5 && len != 8) || !strchr("PCBU", text[0]) || !strchr("0123", text[1]))
        return false;
    if (strspn(text + 2, hex) < 3)
        return false;
    return len == 5 || (text[5] == '-' && strspn(text + 6, hex) == 2);
}

/* A member that must be one of a list's words. */
static enum status need_word(const json_t *object, const char *key, const char *const *list,
                             size_t count, struct fault *fault)
{
    const char *word = json_string_value(json_object_get(object, key));

    if (!is_one_of(word, list, count))
        return fault_set(fault, ST_REJECT, "%s is missing or none of its words", key);
    return ST_OK;
}

static enum status need_uuid(const json_t *message, const char *key, char out[UUID_TEXT + 1],
                             struct fault *fault)
{
    char text[UUID_TEXT + 1];

    if (json_get_text(message, key, text, sizeof text, fault) != ST_OK)
        return ST_REJECT;
    if (!uuid_is_valid(text, strlen(text)))
        return fault_set(fault, ST_REJECT, "%s is not a UUID in lower case", key);
    memcpy(out, text, sizeof text);
    return ST_OK;
}

static enum status need_time(const json_t *message, const char *key, int64_t *out,
                             struct fault *fault)
{
    return json_get_int64(message, key, 0, JSON_INTEGER_MAX, out, fault) == ST_OK ? ST_OK
                                                                                  : ST_REJECT;
}

/* May be absent; what is there has its type. */
static enum status maybe(const json_t *object, const char *key, json_type type, const json_t **out,
                         struct fault *fault)
{
    const json_t *value = json_object_get(object, key);

    if (value && json_typeof(value) != type)
        return fault_set(fault, ST_REJECT, "%s has the wrong type", key);
    *out = value;
    return ST_OK;
}

static enum status maybe_text(const json_t *object, const char *key, size_t longest,
                              struct fault *fault)
{
    const json_t *value = NULL;

    if (maybe(object, key, JSON_STRING, &value, fault) != ST_OK)
        return ST_REJECT;
    if (value && json_string_length(value) > longest)
        return fault_set(fault, ST_REJECT, "%s is longer than %zu bytes", key, longest);
    return ST_OK;
}

/* An object whose every value is one of a list's words. */
static enum status maybe_words(const json_t *message, const char *key, const char *const *list,
                               size_t count, struct fault *fault)
{
    const json_t *object;
    const char *name;
    json_t *value;

    if (maybe(message, key, JSON_OBJECT, &object, fault) != ST_OK)
        return ST_REJECT;
    json_object_foreach(
        (json_t *)object, name,
        value) if (!is_one_of(json_string_value(value), list,
                              count)) return fault_set(fault, ST_REJECT,
                                                       "%s holds a value that is none of its words",
                                                       key);
    return ST_OK;
}

/* ---- one function per schema ---- */

static enum status read_event(struct fact *out, const json_t *message, struct fault *fault)
{
    const json_t *data;

    if (need_uuid(message, "id", out->id, fault) != ST_OK ||
        need_time(message, "t", &out->t_ms, fault) != ST_OK ||
        json_get_text(message, "type", out->type, sizeof out->type, fault) != ST_OK ||
        maybe(message, "data", JSON_OBJECT, &data, fault) != ST_OK)
        return ST_REJECT;
    if (!consists_of(out->type, "abcdefghijklmnopqrstuvwxyz0123456789_", 1, sizeof out->type - 1))
        return fault_set(fault, ST_REJECT, "type is not lower_snake");
    return ST_OK;
}

static enum status read_alert(struct fact *out, const json_t *message, struct fault *fault)
{
    enum status st = read_event(out, message, fault);

    if (st != ST_OK)
        return st;
    st = need_word(message, "type", alert_types, COUNT(alert_types), fault);
    if (st != ST_OK)
        return st;
    return need_word(message, "severity", severities, COUNT(severities), fault);
}

static enum status check_dtcs(const json_t *dtcs, struct fault *fault)
{
    for (size_t i = 0; i < json_array_size(dtcs); i++) {
        const json_t *dtc = json_array_get(dtcs, i);
        const char *code = json_string_value(json_object_get(dtc, "code"));

        if (!code || !is_code(code))
            return fault_set(fault, ST_REJECT, "dtc %zu has no code", i);
        if (need_word(dtc, "state", dtc_states, COUNT(dtc_states), fault) != ST_OK ||
            maybe_text(dtc, "ecu", 8, fault) != ST_OK)
            return ST_REJECT;
    }
    return ST_OK;
}

static enum status check_freeze_frame(const json_t *frame, struct fault *fault)
{
    const char *code = json_string_value(json_object_get(frame, "dtc"));
    const char *path;
    const json_t *s;
    json_t *value;

    if (!frame)
        return ST_OK;
    if (!code || !is_code(code) || maybe(frame, "s", JSON_OBJECT, &s, fault) != ST_OK)
        return fault_set(fault, ST_REJECT, "freeze_frame is not {dtc, s}");
    json_object_foreach((json_t *)s, path, value) if (!json_is_number(value)) return fault_set(
        fault, ST_REJECT, "freeze_frame holds a value that is no number");
    return ST_OK;
}

static enum status check_supported(const json_t *pids, struct fault *fault)
{
    for (size_t i = 0; i < json_array_size(pids); i++) {
        const char *pid = json_string_value(json_array_get(pids, i));

        if (!pid || !consists_of(pid, "0123456789ABCDEF", 2, 2))
            return fault_set(fault, ST_REJECT, "supported %zu is not two hex digits", i);
    }
    return ST_OK;
}

/* A list that could not be read is absent, so that silence is never "cleared": nothing but t is
 * demanded. */
static enum status read_diagnostics(struct fact *out, const json_t *message, struct fault *fault)
{
    const json_t *dtcs, *frame, *pids;
    bool mil;

    if (need_time(message, "t", &out->t_ms, fault) != ST_OK ||
        maybe_text(message, "vin", 32, fault) != ST_OK ||
        maybe_text(message, "protocol", 16, fault) != ST_OK ||
        maybe(message, "dtcs", JSON_ARRAY, &dtcs, fault) != ST_OK ||
        maybe(message, "freeze_frame", JSON_OBJECT, &frame, fault) != ST_OK ||
        maybe(message, "supported", JSON_ARRAY, &pids, fault) != ST_OK ||
        json_get_bool(message, "mil", &mil, fault) == ST_REJECT ||
        maybe_words(message, "readiness", monitor_words, COUNT(monitor_words), fault) != ST_OK ||
        maybe_words(message, "lists", list_words, COUNT(list_words), fault) != ST_OK ||
        check_dtcs(dtcs, fault) != ST_OK || check_freeze_frame(frame, fault) != ST_OK ||
        check_supported(pids, fault) != ST_OK)
        return ST_REJECT;
    return ST_OK;
}

static enum status read_media(struct fact *out, const json_t *message, struct fault *fault)
{
    char sha256[65];
    int64_t t_end, bytes;

    if (need_uuid(message, "id", out->id, fault) != ST_OK ||
        need_word(message, "kind", media_kinds, COUNT(media_kinds), fault) != ST_OK ||
        json_get_text(message, "kind", out->type, sizeof out->type, fault) != ST_OK ||
        need_time(message, "t_start", &out->t_ms, fault) != ST_OK ||
        need_time(message, "t_end", &t_end, fault) != ST_OK ||
        need_time(message, "bytes", &bytes, fault) != ST_OK ||
        json_get_text(message, "sha256", sha256, sizeof sha256, fault) != ST_OK ||
        maybe_text(message, "trigger", 40, fault) != ST_OK)
        return ST_REJECT;
    if (t_end < out->t_ms)
        return fault_set(fault, ST_REJECT, "t_end is before t_start");
    if (!consists_of(sha256, "0123456789abcdef", 64, 64))
        return fault_set(fault, ST_REJECT, "sha256 is not 64 hex digits in lower case");
    return ST_OK;
}

static enum status read_body(struct fact *out, const json_t *message, enum leaf leaf,
                             struct fault *fault)
{
    switch (leaf) {
    case LEAF_EVENT:
        return read_event(out, message, fault);
    case LEAF_ALERT:
        return read_alert(out, message, fault);
    case LEAF_DIAGNOSTICS:
        return read_diagnostics(out, message, fault);
    case LEAF_MEDIA:
        return read_media(out, message, fault);
    case LEAF_RESULT:
        return result_read_members(&(struct result){.reason = ""}, message, fault);
    default:
        return fault_set(fault, ST_REJECT, "%s carries no fact", topic_leaf_name(leaf));
    }
}

/* ---- all of them ---- */

/* "up/event" carries "event/1", and so on. */
static bool schema_fits(const char *schema, enum leaf leaf)
{
    char wanted[32];

    snprintf(wanted, sizeof wanted, "%s/1", topic_leaf_name(leaf) + strlen("up/"));
    return strcmp(schema, wanted) == 0;
}

/* The same message has the same id each time it comes, also at the other site. */
static void derive_id(struct fact *f, const char *vin)
{
    char name[VIN_LEN + UUID_TEXT + 32];

    snprintf(name, sizeof name, "%.17s/%s/%lld", vin, f->head.stream, (long long)f->head.seq);
    uuid_of_text(f->id, name);
}

enum status fact_read(struct fact *out, const char *vin, enum leaf leaf, const char *bytes,
                      size_t len, struct fault *fault)
{
    struct fact f = {0};
    struct fault why = {""}; /* absent members write into it without being wrong */
    json_t *message;
    enum status st = json_read(&message, bytes, len, JSON_MAX_BYTES, &why);

    if (st != ST_OK) {
        envelope_salvage(&f.head, bytes, len);
    } else {
        st = envelope_read(&f.head, message, &why);
        if (st == ST_OK && (leaf > LEAF_RESULT || !schema_fits(f.head.schema, leaf)))
            st = fault_set(&why, ST_REJECT, "schema is not that of %s", topic_leaf_name(leaf));
        if (st == ST_OK)
            st = read_body(&f, message, leaf, &why);
        json_decref(message);
    }
    if (st == ST_OK) {
        if (!f.id[0])
            derive_id(&f, vin);
        *out = f;
        return ST_OK;
    }
    *out = (struct fact){.head = f.head};
    return fault_set(fault, st, "%s", why.text);
}

/* `severity` NULL: it is an event. */
static enum status fact_write(const struct fact *fact, const char *severity, const char *data,
                              char *out, size_t size, size_t *len, struct fault *fault)
{
    struct emit e = {.out = out, .size = size < JSON_MAX_BYTES ? size : JSON_MAX_BYTES};
    json_t *message;
    enum status st;
    size_t written;

    emit_raw(&e, severity != NULL ? "{\"schema\":\"alert/1\",\"stream\":"
                                  : "{\"schema\":\"event/1\",\"stream\":");
    emit_text(&e, fact->head.stream);
    emit_raw(&e, ",\"seq\":");
    emit_int64(&e, fact->head.seq);
    emit_raw(&e, ",\"clock\":");
    emit_text(&e, clock_name(fact->head.clock));
    emit_raw(&e, ",\"id\":");
    emit_text(&e, fact->id);
    emit_raw(&e, ",\"t\":");
    emit_int64(&e, fact->t_ms);
    emit_raw(&e, ",\"type\":");
    emit_text(&e, fact->type);
    if (severity != NULL) {
        emit_raw(&e, ",\"severity\":");
        emit_text(&e, severity);
    }
    emit_raw(&e, ",\"data\":");
    emit_raw(&e, data);
    emit_raw(&e, "}");
    st = emit_end(&e, severity != NULL ? "alert/1" : "event/1", &written, fault);
    if (st != ST_OK)
        return st;
    /* Events are rare: read what we wrote, so that data which is no object never leaves. */
    st = json_read(&message, out, written, JSON_MAX_BYTES, fault);
    if (st != ST_OK)
        return st;
    if (!json_is_object(json_object_get(message, "data")))
        st = fault_set(fault, ST_REJECT, "data is not a JSON object");
    json_decref(message);
    if (st == ST_OK)
        *len = written;
    return st;
}

enum status event_write(const struct fact *event, const char *data, char *out, size_t size,
                        size_t *len, struct fault *fault)
{
    return fact_write(event, NULL, data, out, size, len, fault);
}

enum status alert_write(const struct fact *alert, const char *severity, const char *data, char *out,
                        size_t size, size_t *len, struct fault *fault)
{
    return fact_write(alert, severity, data, out, size, len, fault);
}
