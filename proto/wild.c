/* proto/wild.c - one pass over the numbers outside of strings; nearly all of them stay. */
#include "proto/wild.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAFE_DIGITS 18 /* an integer so long fits into 64 bits */
#define SAFE_BYTES 200 /* a real so long, with an exponent below 100, into a double */
#define GREATEST "1e308"
#define GREATEST_EXPONENT 308

struct number {
    const char *at;
    size_t len;
};

/* The next one at or behind `at`; false: none is left. */
static bool next(struct number *out, const char *at, const char *end)
{
    bool in_string = false;

    for (; at < end; at++) {
        if (*at == '"') {
            in_string = !in_string;
        } else if (in_string) {
            at += *at == '\\';
        } else if (*at == '-' || (*at >= '0' && *at <= '9')) {
            out->at = at;
            while (at < end && *at && strchr("0123456789+-.eE", *at))
                at++;
            out->len = (size_t)(at - out->at);
            return true;
        }
    }
    return false;
}

/* As RFC 8259 has it; *exponent is its digits, *is_integer: neither these nor decimals. */
static bool is_number(const char *text, size_t *exponent, bool *is_integer)
{
    const char *c = text + (*text == '-');
    size_t whole = strspn(c, "0123456789"), decimals;

    if (whole == 0 || (*c == '0' && whole > 1))
        return false;
    c += whole;
    *is_integer = *c == '\0';
    if (*c == '.') {
        if ((decimals = strspn(c + 1, "0123456789")) == 0)
            return false;
        c += 1 + decimals;
    }
    *exponent = 0;
    if (*c == 'e' || *c == 'E') {
        c += 1 + (c[1] == '+' || c[1] == '-');
        if ((*exponent = strspn(c, "0123456789")) == 0)
            return false;
        c += *exponent;
    }
    return *c == '\0';
}

/* What stands for it, into `out` of at least 32 bytes and three more than it is long; 0: itself. */
static size_t replace(char *out, const char *text, size_t len, bool integers)
{
    size_t exponent;
    bool is_integer;
    double value;

    if (!is_number(text, &exponent, &is_integer))
        return 0;
    if (is_integer && (!integers || len <= SAFE_DIGITS))
        return 0;
    if (is_integer && len <= SAFE_BYTES) {
        memcpy(out, text, len);
        memcpy(out + len, "e0", 3);
        return len + 2;
    }
    if (!is_integer && len <= SAFE_BYTES && exponent < 3)
        return 0;
    value = strtod(text, NULL);
    if (!isfinite(value))
        return (size_t)snprintf(out, 32, "%s" GREATEST, value < 0 ? "-" : "");
    if (value == 0) { /* or less than the least double */
        *out = '0';
        return 1;
    }
    return len > SAFE_BYTES ? (size_t)snprintf(out, 32, "%.16e", value) : 0;
}

/* `out` may be `bytes` where it does not grow; *failed: no memory, the rest is as it was. */
static size_t rewrite(char *out, const char *bytes, size_t len, bool integers, bool *failed)
{
    const char *from = bytes, *end = bytes + len;
    char *to = out, *text = NULL, *instead = NULL;
    struct number n;
    size_t room = 0, size;

    while (!*failed && next(&n, from, end)) {
        size_t before = (size_t)(n.at - from);

        if (n.len + 32 > room) {
            char *a = realloc(text, n.len + 32), *b = realloc(instead, n.len + 32);

            text = a ? a : text;
            instead = b ? b : instead;
            *failed = !a || !b;
            room = *failed ? room : n.len + 32;
            if (*failed)
                break;
        }
        memcpy(text, n.at, n.len);
        text[n.len] = '\0';
        size = replace(instead, text, n.len, integers);
        memmove(to, from, before);
        memcpy(to + before, size ? instead : text, size ? size : n.len);
        to += before + (size ? size : n.len);
        from = n.at + n.len;
    }
    memmove(to, from, (size_t)(end - from));
    free(text);
    free(instead);
    return (size_t)(to - out) + (size_t)(end - from);
}

/* Of what next() has found. */
static size_t exponent_of(const struct number *n)
{
    const char *at = n->at, *end = n->at + n->len;
    size_t exponent = 0;

    while (at < end && *at != 'e' && *at != 'E')
        at++;
    for (; at < end && exponent < GREATEST_EXPONENT; at++)
        if (*at >= '0' && *at <= '9')
            exponent = 10 * exponent + (size_t)(*at - '0');
    return exponent < GREATEST_EXPONENT ? exponent : GREATEST_EXPONENT;
}

size_t wild_spread(const char *bytes, size_t len)
{
    const char *from = bytes, *end = bytes + len;
    struct number n;
    size_t spread = len;

    for (; next(&n, from, end); from = n.at + n.len)
        spread += exponent_of(&n);
    return spread;
}

size_t wild_tame(char *bytes, size_t len)
{
    bool failed = false;

    return rewrite(bytes, bytes, len, false, &failed);
}

char *wild_widen(const char *bytes, size_t len, size_t *out_len)
{
    char *out = malloc(len + len / SAFE_DIGITS * 2 + 1); /* two bytes for each that is so long */
    bool failed = false;

    if (!out)
        return NULL;
    *out_len = rewrite(out, bytes, len, true, &failed);
    if (!failed)
        return out;
    free(out);
    return NULL;
}
