/* services/api/request.c - reading what a request says, without trusting a byte of it. */
#include "request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/clock.h"

const char *method_name(enum method m)
{
    static const char *const names[] = {"GET",   "HEAD",   "POST",    "PUT",
                                        "PATCH", "DELETE", "OPTIONS", "?"};

    return (unsigned)m < sizeof names / sizeof *names ? names[m] : "?";
}

const char *request_arg(const struct request *r, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = r->args; *at; at += strlen(at) + 1)
        if (!strncmp(at, name, len) && at[len] == '=')
            return at + len + 1;
    return NULL;
}

enum status request_number(const struct request *r, const char *name, int64_t lowest,
                           int64_t highest, int64_t standard, int64_t *out, struct fault *fault)
{
    const char *text = request_arg(r, name);
    int64_t value = 0;

    if (!text) {
        *out = standard;
        return ST_OK;
    }
    if (!*text || strlen(text) > 15 || strspn(text, "0123456789") != strlen(text))
        return fault_set(fault, ST_REJECT, "%s is not a number", name);
    for (; *text; text++)
        value = value * 10 + (*text - '0');
    if (value < lowest || value > highest)
        return fault_set(fault, ST_REJECT, "%s is not within %lld .. %lld", name, (long long)lowest,
                         (long long)highest);
    *out = value;
    return ST_OK;
}

enum status request_time(const struct request *r, const char *name, int64_t standard, int64_t *out,
                         struct fault *fault)
{
    const char *text = request_arg(r, name);

    if (!text) {
        *out = standard;
        return ST_OK;
    }
    return clock_read(text, out, fault);
}

enum status content_length_parse(const char *text, size_t len, int64_t *out, struct fault *fault)
{
    int64_t value = 0;

    if (len < 1 || len > 8)
        return fault_set(fault, ST_REJECT, "Content-Length of %zu characters", len);
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return fault_set(fault, ST_REJECT, "Content-Length is not a number");
        value = value * 10 + (text[i] - '0');
    }
    *out = value;
    return ST_OK;
}

enum status cookie_read(const char *header, const char *name, char *out, size_t size)
{
    size_t name_len = strlen(name);
    bool found = false;

    for (const char *at = header; *at;) {
        size_t len;

        at += strspn(at, " \t;");
        len = strcspn(at, ";");
        if (len > name_len && !strncmp(at, name, name_len) && at[name_len] == '=') {
            size_t value_len = len - name_len - 1;

            if (found || value_len >= size)
                return ST_REJECT;
            memcpy(out, at + name_len + 1, value_len);
            out[value_len] = '\0';
            found = true;
        }
        at += len;
    }
    return found ? ST_OK : ST_NONE;
}

/* Bytes of the character that begins with `lead`, and the lowest and highest second byte; 0: none.
 */
static size_t utf8_length(unsigned char lead, unsigned char *low, unsigned char *high)
{
    *low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80; /* no longer than needed */
    *high = lead == 0xed   ? 0x9f
            : lead == 0xf4 ? 0x8f
                           : 0xbf; /* no surrogate, nothing beyond U+10FFFF */
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if (lead >= 0xe0 && lead <= 0xef)
        return 3;
    return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

bool utf8_is_valid(const char *text, size_t len)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + len;
    unsigned char low, high;

    while (at < end) {
        size_t n = utf8_length(*at, &low, &high);

        if (!n || n > (size_t)(end - at) || (n > 1 && (at[1] < low || at[1] > high)))
            return false;
        for (size_t i = 2; i < n; i++)
            if ((at[i] & 0xc0) != 0x80)
                return false;
        at += n;
    }
    return true;
}

bool media_type_is(const char *content_type, const char *want)
{
    size_t len = strcspn(content_type, "; \t");

    return len == strlen(want) && !strncasecmp(content_type, want, len);
}

bool accept_names(const char *accept, const char *want)
{
    for (const char *at = accept; *at;) {
        at += strspn(at, " \t,");
        if (media_type_is(at, want))
            return true;
        /* media_type_is stops at ';', so a bare list needs its own end */
        size_t len = strcspn(at, ",");

        if (len == strlen(want) && !strncasecmp(at, want, len))
            return true;
        at += len;
    }
    return false;
}

bool origin_listed(const char *list, const char *origin)
{
    size_t want = strlen(origin);

    if (!want)
        return false;
    for (const char *at = list; *at;) {
        size_t len;

        at += strspn(at, " ,");
        len = strcspn(at, " ,");
        if (len == want && !memcmp(at, origin, len))
            return true;
        at += len;
    }
    return false;
}

void list_first(const char *list, char *out, size_t size)
{
    size_t len;

    list += strspn(list, " ,");
    len = strcspn(list, " ,");
    if (len >= size)
        len = size - 1;
    memcpy(out, list, len);
    out[len] = '\0';
}

enum status version_tag_parse(const char *tag, int64_t *version)
{
    size_t len = strlen(tag);
    int64_t value = 0;

    if (len < 4 || len > 12 || tag[0] != '"' || tag[1] != 'v' || tag[len - 1] != '"')
        return ST_REJECT;
    for (size_t i = 2; i < len - 1; i++) {
        if (tag[i] < '0' || tag[i] > '9')
            return ST_REJECT;
        value = value * 10 + (tag[i] - '0');
    }
    *version = value;
    return ST_OK;
}

const char *if_match_fault(const char *value)
{
    size_t len = strlen(value);

    if (!strcmp(value, "*"))
        return "If-Match: * names no version: send the vehicle's ETag.";
    if (!strncmp(value, "W/", 2))
        return "If-Match needs the strong ETag, without W/.";
    if (strchr(value, ','))
        return "If-Match takes one ETag, not a list.";
    if (len < 2 || value[0] != '"' || strchr(value + 1, '"') != value + len - 1)
        return "If-Match needs the ETag in its quotes, as in \"v1\".";
    return NULL;
}

void request_free(struct request *r)
{
    if (!r)
        return;
    if (r->body.bytes)
        explicit_bzero(r->body.bytes, r->body.len); /* it may hold a password */
    text_done(&r->body);
    explicit_bzero(r->bearer, sizeof r->bearer);
    explicit_bzero(r->refresh, sizeof r->refresh);
    free(r);
}
