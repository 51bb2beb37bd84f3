/* proto/result.c - result/1. */
#include "proto/result.h"

#include <string.h>

#include "proto/emit.h"

#define SCHEMA "result/1"

enum status result_read_members(struct result *out, const json_t *message, struct fault *fault)
{
    const json_t *data = json_object_get(message, "data");
    struct result r = *out;
    struct fault why = {""}; /* absent members write into it without being wrong */
    char state[16];
    enum status st;

    r.reason[0] = '\0';
    if (json_get_text(message, "command", r.command, sizeof r.command, &why) != ST_OK ||
        json_get_text(message, "state", state, sizeof state, &why) != ST_OK)
        return fault_set(fault, ST_REJECT, "%s", why.text);
    if (!uuid_is_valid(r.command, strlen(r.command)))
        return fault_set(fault, ST_REJECT, "command is not a UUID in lower case");
    if (command_state_of(state, &r.state, NULL) != ST_OK || !command_state_is_a_result(r.state))
        return fault_set(fault, ST_REJECT, "state is none of a result's words");
    st = json_get_text(message, "reason", r.reason, sizeof r.reason, &why);
    if (st != ST_OK && st != ST_NONE)
        return fault_set(fault, ST_REJECT, "%s", why.text);
    if (data != NULL && !json_is_object(data))
        return fault_set(fault, ST_REJECT, "data is not an object");
    *out = r;
    return ST_OK;
}

enum status result_read(struct result *out, const char *bytes, size_t len, struct fault *fault)
{
    struct result r;
    json_t *message;
    enum status st;

    memset(&r, 0, sizeof r);
    if ((st = json_read(&message, bytes, len, JSON_MAX_BYTES, fault)) != ST_OK)
        return st;
    st = envelope_read(&r.head, message, fault);
    if (st == ST_OK && strcmp(r.head.schema, SCHEMA) != 0)
        st = fault_set(fault, ST_REJECT, "schema is not " SCHEMA);
    if (st == ST_OK)
        st = result_read_members(&r, message, fault);
    json_decref(message);
    if (st == ST_OK)
        *out = r;
    return st;
}

static void emit_result(struct emit *e, const struct result *r, const char *data)
{
    emit_raw(e, "{\"schema\":\"" SCHEMA "\",\"stream\":");
    emit_text(e, r->head.stream);
    emit_raw(e, ",\"seq\":");
    emit_int64(e, r->head.seq);
    emit_raw(e, ",\"clock\":");
    emit_text(e, clock_name(r->head.clock));
    emit_raw(e, ",\"command\":");
    emit_text(e, r->command);
    emit_raw(e, ",\"state\":");
    emit_text(e, command_state_word(r->state));
    if (r->reason[0] != '\0') {
        emit_raw(e, ",\"reason\":");
        emit_text(e, r->reason);
    }
    if (data != NULL) {
        emit_raw(e, ",\"data\":");
        emit_raw(e, data);
    }
    emit_raw(e, "}");
}

enum status result_write(const struct result *r, const char *data, char *out, size_t size,
                         size_t *len, struct fault *fault)
{
    struct emit e = {.out = out, .size = size < JSON_MAX_BYTES ? size : JSON_MAX_BYTES};
    struct result again;
    size_t written;
    enum status st;

    emit_result(&e, r, data);
    if ((st = emit_end(&e, SCHEMA, &written, fault)) != ST_OK)
        return st;
    /* Results are rare: read what we wrote, so that one nobody could read never leaves. */
    if ((st = result_read(&again, out, written, fault)) == ST_OK)
        *len = written;
    return st;
}
