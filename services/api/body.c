/* services/api/body.c - bodies of requests. */
#include "body.h"

#include <stdio.h>
#include <string.h>

struct text_part {
    const char *bytes;
    size_t len;
};

static bool is_allowed(const char *key, const char *const *allowed)
{
    for (; *allowed; allowed++)
        if (!strcmp(key, *allowed))
            return true;
    return false;
}

/* Bytes of `text`, `most` at most, that end with a character: half of one is no JSON. */
static int whole_characters(const char *text, size_t most)
{
    size_t len = strnlen(text, most + 1);

    if (len > most)
        for (len = most; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
            len--;
    return (int)len;
}

void body_fault(const struct request *r, const char *key, const char *code, struct answer *a)
{
    char pointer[128];

    snprintf(pointer, sizeof pointer, "/%.*s", whole_characters(key, 100), key);
    answer_field(a, r, 422, pointer, code);
}

/* The bytes of the last token before `at`, if it is a text: with its quotes. */
static struct text_part last_text(const char *bytes, size_t at)
{
    size_t from = at;

    if (at < 2 || bytes[at - 1] != '"')
        return (struct text_part){bytes, 0};
    for (from = at - 2; from > 0; from--) {
        size_t slashes = 0;

        while (bytes[from] == '"' && slashes < from && bytes[from - 1 - slashes] == '\\')
            slashes++;
        if (bytes[from] == '"' && slashes % 2 == 0)
            break;
    }
    return (struct text_part){bytes + from, at - from};
}

static void refuse(const struct request *r, enum json_why why, size_t at, struct answer *a)
{
    char detail[160];
    struct text_part key;

    switch (why) {
    case JSON_DUPLICATE:
        key = last_text(r->body.bytes, at);
        (void)snprintf(detail, sizeof detail,
                       "The member %.*s is there twice in one object (byte %zu).",
                       (int)(key.len < 80 ? key.len : 0), key.bytes, at);
        break;
    case JSON_HUGE:
        (void)snprintf(detail, sizeof detail,
                       "The number that ends at byte %zu is too large: an integer has 64 bits.",
                       at);
        break;
    case JSON_DEEP:
        (void)snprintf(detail, sizeof detail, "The body is nested deeper than %d.", JSON_MAX_DEPTH);
        break;
    case JSON_BROKEN:
        (void)snprintf(detail, sizeof detail, "The body is not JSON from byte %zu on.", at);
        break;
    default:
        (void)snprintf(detail, sizeof detail, "The body is not one JSON object.");
    }
    answer_problem(a, r, 400, "json", detail);
}

enum status body_read(const struct request *r, const char *const *allowed, json_t **out,
                      struct answer *a)
{
    struct fault fault = {""};
    json_t *body = NULL;
    enum json_why why;
    const char *key;
    json_t *value;
    enum status st;
    size_t at;

    st = json_read_why(&body, r->body.bytes ? r->body.bytes : "", r->body.len, REQUEST_BODY_MAX,
                       &why, &at, &fault);
    if (st == ST_FATAL)
        answer_problem(a, r, 503, "unavailable", "There is no memory for it now.");
    else if (st != ST_OK)
        refuse(r, why, at, a);
    if (st != ST_OK)
        return ST_NONE;
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
