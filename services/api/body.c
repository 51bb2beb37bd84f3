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

static void field(struct answer *a, const struct request *r, const char *key, const char *code)
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
            field(a, r, key, "unknown");
            json_decref(body);
            return ST_NONE;
        }
    }
    *out = body;
    return ST_OK;
}

enum status body_text(const struct request *r, const json_t *body, const char *key, bool needed,
                      char *out, size_t size, struct answer *a)
{
    const json_t *value = json_object_get(body, key);

    if (!value) {
        if (!needed)
            return ST_OK;
        field(a, r, key, "missing");
        return ST_NONE;
    }
    if (!json_is_string(value)) {
        field(a, r, key, "type");
        return ST_NONE;
    }
    if (json_string_length(value) >= size) {
        field(a, r, key, "length");
        return ST_NONE;
    }
    snprintf(out, size, "%s", json_string_value(value));
    return ST_OK;
}
