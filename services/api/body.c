/* services/api/body.c - bodies of requests. */
#include "body.h"

#include <stdio.h>
#include <string.h>

static bool is_allowed(const char *key, const char *const *allowed)
{
    for (; *allowed; allowed++)
        if (!strcmp(key, *allowed))
            return true;
    return false;
}

void body_fault(const struct request *r, const char *key, const char *code, struct answer *a)
{
    char pointer[128];

    snprintf(pointer, sizeof pointer, "/%.100s", key);
    answer_field(a, r, 422, pointer, code);
}

enum status body_read(const struct request *r, const char *const *allowed, json_t **out,
                      struct answer *a)
{
    struct fault fault = {""};
    json_t *body = NULL;
    const char *key;
    json_t *value;

    if (json_read(&body, r->body.bytes ? r->body.bytes : "", r->body.len, REQUEST_BODY_MAX,
                  &fault) != ST_OK) {
        answer_problem(a, r, 400, "json", "The body is not one JSON object.");
        return ST_NONE;
    }
    json_object_foreach(body, key, value)
    {
        if (!is_allowed(key, allowed)) {
            body_fault(r, key, "unknown", a);
            json_decref(body);
            return ST_NONE;
        }
    }
    *out = body;
    return ST_OK;
}

/* The member, NULL when it is absent.  ST_NONE: it is needed. */
static enum status find(const struct request *r, const json_t *body, const char *key, bool needed,
                        const json_t **out, struct answer *a)
{
    *out = json_object_get(body, key);
    if (*out || !needed)
        return ST_OK;
    body_fault(r, key, "missing", a);
    return ST_NONE;
}

enum status body_text(const struct request *r, const json_t *body, const char *key, bool needed,
                      char *out, size_t size, struct answer *a)
{
    const json_t *value;

    if (find(r, body, key, needed, &value, a) != ST_OK)
        return ST_NONE;
    if (!value)
        return ST_OK;
    if (!json_is_string(value)) {
        body_fault(r, key, "type", a);
        return ST_NONE;
    }
    if (json_string_length(value) >= size) {
        body_fault(r, key, "length", a);
        return ST_NONE;
    }
    snprintf(out, size, "%s", json_string_value(value));
    return ST_OK;
}

enum status body_integer(const struct request *r, const json_t *body, const char *key, bool needed,
                         int64_t lowest, int64_t highest, int64_t *out, struct answer *a)
{
    const json_t *value;

    if (find(r, body, key, needed, &value, a) != ST_OK)
        return ST_NONE;
    if (!value)
        return ST_OK;
    if (!json_is_integer(value))
        body_fault(r, key, "type", a);
    else if (json_integer_value(value) < lowest || json_integer_value(value) > highest)
        body_fault(r, key, "range", a);
    else {
        *out = json_integer_value(value);
        return ST_OK;
    }
    return ST_NONE;
}
