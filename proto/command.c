/* proto/command.c - command/1 and its arguments. */
#include "proto/command.h"

#include <string.h>

#include "proto/emit.h"

#define SCHEMA "command/1"

static const char *const types[COMMAND_TYPES] = {
    [COMMAND_STREAM_START] = "stream.start",
    [COMMAND_STREAM_STOP] = "stream.stop",
    [COMMAND_PHOTO] = "photo",
    [COMMAND_CLIP] = "clip",
    [COMMAND_DIAGNOSTICS_READ] = "diagnostics.read",
    [COMMAND_DIAGNOSTICS_CLEAR] = "diagnostics.clear",
    [COMMAND_CONFIG_APPLY] = "config.apply",
    [COMMAND_PRIVACY_SET] = "privacy.set",
    [COMMAND_AGENT_RESTART] = "agent.restart",
};
static const char *const states[COMMAND_STATES] = {
    [COMMAND_QUEUED] = "queued",   [COMMAND_SENT] = "sent",     [COMMAND_DELIVERED] = "delivered",
    [COMMAND_DONE] = "done",       [COMMAND_FAILED] = "failed", [COMMAND_REFUSED] = "refused",
    [COMMAND_EXPIRED] = "expired",
};

/* ---- words */

static int word_index(const char *word, const char *const *list, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(word, list[i]) == 0)
            return i;
    return -1;
}

const char *command_type_word(enum command_type type)
{
    return (unsigned)type < COMMAND_TYPES ? types[type] : "";
}

enum status command_type_of(const char *word, enum command_type *out, struct fault *fault)
{
    int i = word_index(word, types, COMMAND_TYPES);

    if (i < 0)
        return fault_set(fault, ST_REJECT, "type is none we know");
    *out = (enum command_type)i;
    return ST_OK;
}

const char *command_state_word(enum command_state state)
{
    return (unsigned)state < COMMAND_STATES ? states[state] : "";
}

enum status command_state_of(const char *word, enum command_state *out, struct fault *fault)
{
    int i = word_index(word, states, COMMAND_STATES);

    if (i < 0)
        return fault_set(fault, ST_REJECT, "state is none we know");
    *out = (enum command_state)i;
    return ST_OK;
}

bool command_state_is_final(enum command_state state)
{
    return state > COMMAND_DELIVERED && state < COMMAND_STATES;
}

bool command_state_is_a_result(enum command_state state)
{
    return state >= COMMAND_DELIVERED && state < COMMAND_STATES;
}

/* ---- arguments, read */

/* A text that must be there, of `lowest` .. `highest` bytes; 7F and above only with `wide`. */
static enum status need_text(const json_t *args, const char *key, char *out, size_t size,
                             int lowest, bool wide, struct fault *fault)
{
    if (json_get_text(args, key, out, size, fault) != ST_OK)
        return ST_REJECT;
    if (out[0] == '\0')
        return fault_set(fault, ST_REJECT, "%s is empty", key);
    for (const unsigned char *c = (const unsigned char *)out; *c != '\0'; c++)
        if (*c < lowest || *c == 0x7F || (*c > 0x7F && !wide))
            return fault_set(fault, ST_REJECT, "%s holds a character that may not be there", key);
    return ST_OK;
}

static enum status read_session(struct command *c, const json_t *args, struct fault *fault)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    char *session = c->args.stream.session;

    if (need_text(args, "session", session, sizeof c->args.stream.session, '-', false, fault) !=
        ST_OK)
        return ST_REJECT;
    if (strspn(session, allowed) != strlen(session))
        return fault_set(fault, ST_REJECT, "session holds a character that may not be there");
    if (c->type == COMMAND_STREAM_STOP)
        return ST_OK;
    return need_text(args, "url", c->args.stream.url, sizeof c->args.stream.url, '!', false, fault);
}

static enum status read_clip(struct command *c, const json_t *args, struct fault *fault)
{
    c->args.clip.before_s = COMMAND_CLIP_BEFORE_S;
    c->args.clip.after_s = COMMAND_CLIP_AFTER_S;
    if (json_get_int64(args, "before_s", 0, COMMAND_CLIP_MAX_S, &c->args.clip.before_s, fault) ==
            ST_REJECT ||
        json_get_int64(args, "after_s", 0, COMMAND_CLIP_MAX_S, &c->args.clip.after_s, fault) ==
            ST_REJECT)
        return ST_REJECT;
    if (c->args.clip.before_s + c->args.clip.after_s == 0)
        return fault_set(fault, ST_REJECT, "before_s and after_s are both 0");
    return ST_OK;
}

static enum status read_privacy(struct command *c, const json_t *args, struct fault *fault)
{
    if (json_get_bool(args, "on", &c->args.privacy.on, fault) != ST_OK ||
        json_get_int64(args, "until", 1, JSON_INTEGER_MAX, &c->args.privacy.until_ms, fault) ==
            ST_REJECT)
        return ST_REJECT;
    return ST_OK;
}

static enum status read_by_type(struct command *c, const json_t *args, struct fault *fault)
{
    switch (c->type) {
    case COMMAND_STREAM_START:
    case COMMAND_STREAM_STOP:
        return read_session(c, args, fault);
    case COMMAND_CLIP:
        return read_clip(c, args, fault);
    case COMMAND_DIAGNOSTICS_CLEAR:
        return need_text(args, "confirmed_by", c->args.clear.confirmed_by,
                         sizeof c->args.clear.confirmed_by, ' ', true, fault);
    case COMMAND_CONFIG_APPLY:
        return json_get_int64(args, "revision", 1, JSON_INTEGER_MAX, &c->args.config.revision,
                              fault) == ST_OK
                   ? ST_OK
                   : ST_REJECT;
    case COMMAND_PRIVACY_SET:
        return read_privacy(c, args, fault);
    default:
        return ST_OK;
    }
}

enum status command_args_read(struct command *out, const json_t *args, struct fault *fault)
{
    struct fault why = {""}; /* absent members write into it without being wrong */
    enum status st;

    memset(&out->args, 0, sizeof out->args);
    if (args != NULL && !json_is_object(args))
        return fault_set(fault, ST_REJECT, "args is not an object");
    st = read_by_type(out, args, &why);
    if (st == ST_OK)
        return ST_OK;
    memset(&out->args, 0, sizeof out->args);
    return fault_set(fault, st, "%s", why.text);
}

/* ---- arguments, written */

static void emit_member(struct emit *e, const char *name, const char *text)
{
    emit_raw(e, name);
    emit_text(e, text);
}

static void emit_args(struct emit *e, const struct command *c)
{
    emit_raw(e, "{");
    switch (c->type) {
    case COMMAND_STREAM_START:
        emit_member(e, "\"session\":", c->args.stream.session);
        emit_member(e, ",\"url\":", c->args.stream.url);
        break;
    case COMMAND_STREAM_STOP:
        emit_member(e, "\"session\":", c->args.stream.session);
        break;
    case COMMAND_CLIP:
        emit_raw(e, "\"before_s\":");
        emit_int64(e, c->args.clip.before_s);
        emit_raw(e, ",\"after_s\":");
        emit_int64(e, c->args.clip.after_s);
        break;
    case COMMAND_DIAGNOSTICS_CLEAR:
        emit_member(e, "\"confirmed_by\":", c->args.clear.confirmed_by);
        break;
    case COMMAND_CONFIG_APPLY:
        emit_raw(e, "\"revision\":");
        emit_int64(e, c->args.config.revision);
        break;
    case COMMAND_PRIVACY_SET:
        emit_raw(e, c->args.privacy.on ? "\"on\":true" : "\"on\":false");
        if (c->args.privacy.until_ms != 0) {
            emit_raw(e, ",\"until\":");
            emit_int64(e, c->args.privacy.until_ms);
        }
        break;
    default:
        break;
    }
    emit_raw(e, "}");
}

enum status command_args_write(const struct command *c, char *out, size_t size, size_t *len,
                               struct fault *fault)
{
    struct emit e = {.out = out, .size = size};

    emit_args(&e, c);
    return emit_end(&e, "args", len, fault);
}

/* ---- the message */

static enum status read_head(struct command *c, const json_t *message, struct fault *fault)
{
    char id[UUID_TEXT + 1];
    enum status id_read = json_get_text(message, "id", id, sizeof id, fault);

    if (id_read == ST_OK && !uuid_is_valid(id, strlen(id)))
        id_read = fault_set(fault, ST_REJECT, "id is not a UUID in lower case");
    if (id_read == ST_OK)
        memcpy(c->id, id, sizeof id);
    if (json_get_int64(message, "expires", 0, JSON_INTEGER_MAX, &c->expires_ms,
                       id_read == ST_OK ? fault : NULL) != ST_OK)
        return ST_REJECT;
    return id_read == ST_OK ? ST_OK : ST_REJECT;
}

static enum status read_members(struct command *c, const json_t *message, struct fault *fault)
{
    const json_t *args = json_object_get(message, "args");
    char schema[sizeof SCHEMA] = "", type[32] = "";

    if (read_head(c, message, fault) != ST_OK ||
        json_get_text(message, "schema", schema, sizeof schema, fault) != ST_OK)
        return ST_REJECT;
    if (strcmp(schema, SCHEMA) != 0)
        return fault_set(fault, ST_REJECT, "schema is not " SCHEMA);
    if (json_get_text(message, "type", type, sizeof type, fault) != ST_OK ||
        command_type_of(type, &c->type, fault) != ST_OK)
        return ST_REJECT;
    if (args == NULL)
        return fault_set(fault, ST_REJECT, "args is missing");
    return command_args_read(c, args, fault);
}

enum status command_read(struct command *out, const char *bytes, size_t len, struct fault *fault)
{
    struct command c;
    struct fault why = {""};
    json_t *message;
    enum status st;

    memset(&c, 0, sizeof c);
    st = json_read(&message, bytes, len, JSON_MAX_BYTES, &why);
    if (st == ST_OK) {
        st = read_members(&c, message, &why);
        json_decref(message);
    }
    if (st == ST_OK) {
        *out = c;
        return ST_OK;
    }
    memset(out, 0, sizeof *out);
    memcpy(out->id, c.id, sizeof out->id);
    out->expires_ms = c.expires_ms;
    return fault_set(fault, st, "%s", why.text);
}

enum status command_write(const struct command *c, char *out, size_t size, size_t *len,
                          struct fault *fault)
{
    struct emit e = {.out = out, .size = size};

    emit_raw(&e, "{\"schema\":\"" SCHEMA "\"");
    emit_member(&e, ",\"id\":", c->id);
    emit_member(&e, ",\"type\":", command_type_word(c->type));
    emit_raw(&e, ",\"args\":");
    emit_args(&e, c);
    emit_raw(&e, ",\"expires\":");
    emit_int64(&e, c->expires_ms);
    emit_raw(&e, "}");
    return emit_end(&e, SCHEMA, len, fault);
}
