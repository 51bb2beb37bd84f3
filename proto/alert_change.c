/* proto/alert_change.c - alert-change/1. */
#include "proto/alert_change.h"

#include <stdbool.h>
#include <string.h>

#include "proto/emit.h"
#include "proto/json.h"

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words && strcmp(word, *words) != 0)
        words++;
    return *words;
}

static enum status check(const struct alert_change_message *m, struct fault *fault)
{
    static const char *const severities[] = {"critical", "major", "minor", "warning", "info", NULL};
    static const char *const states[] = {"open", "acknowledged", "cleared", NULL};

    if (!vin_is_valid(m->vin, strlen(m->vin)))
        return fault_set(fault, ST_REJECT, "vin is not a VIN");
    if (!uuid_is_valid(m->id, strlen(m->id)))
        return fault_set(fault, ST_REJECT, "id is not a UUID");
    if (!is_one_of(m->severity, severities))
        return fault_set(fault, ST_REJECT, "severity is none of its five words");
    if (!is_one_of(m->state, states))
        return fault_set(fault, ST_REJECT, "state is none of its three words");
    if (m->count < 1 || m->occurred_ms < 0 || m->detected_ms < 0 ||
        m->occurred_ms > JSON_INTEGER_MAX || m->detected_ms > JSON_INTEGER_MAX)
        return fault_set(fault, ST_REJECT, "count or a time is out of range");
    return ST_OK;
}

static void write_text(struct emit *e, const char *key, const char *text)
{
    emit_raw(e, key);
    emit_text(e, text);
}

static void write_number(struct emit *e, const char *key, int64_t value)
{
    emit_raw(e, key);
    emit_int64(e, value);
}

enum status alert_change_write(const struct alert_change_message *m, char *out, size_t size,
                               size_t *len, struct fault *fault)
{
    struct emit e = {.out = out, .size = size};
    enum status st = check(m, fault);

    if (st != ST_OK)
        return st;
    emit_raw(&e, "{\"schema\":\"alert-change/1\"");
    write_text(&e, ",\"id\":", m->id);
    write_text(&e, ",\"vin\":", m->vin);
    write_text(&e, ",\"type\":", m->type);
    write_text(&e, ",\"severity\":", m->severity);
    write_text(&e, ",\"state\":", m->state);
    write_number(&e, ",\"occurred_at\":", m->occurred_ms);
    write_number(&e, ",\"detected_at\":", m->detected_ms);
    write_number(&e, ",\"count\":", m->count);
    write_text(&e, ",\"cursor\":", m->cursor);
    emit_raw(&e, "}");
    return emit_end(&e, "alert-change/1", len, fault);
}
