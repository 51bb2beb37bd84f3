/* proto/json.c - jansson behind fences, and doubles in the fewest digits. */
#include "proto/json.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/wild.h"

/* Depth is counted before jansson runs: it recurses, and a hostile sender chooses how far. */
static bool too_deep(const char *bytes, size_t len)
{
    int depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < len; i++) {
        char c = bytes[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_MAX_DEPTH)
                return true;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

static enum json_why why_of(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_duplicate_key:
        return JSON_DUPLICATE;
    case json_error_numeric_overflow:
        return JSON_HUGE;
    default:
        return JSON_BROKEN;
    }
}

enum status json_read_why(json_t **out, const char *bytes, size_t len, size_t max_bytes,
                          enum json_why *why, size_t *at, struct fault *fault)
{
    json_error_t error;
    json_t *root;
    const char *nul;
    char *near;

    *why = len > max_bytes ? JSON_LONG : JSON_DEEP;
    *at = 0;
    if (len > max_bytes)
        return fault_set(fault, ST_REJECT, "JSON of %zu bytes is over %zu", len, max_bytes);
    if (too_deep(bytes, len))
        return fault_set(fault, ST_REJECT, "JSON is nested deeper than %d", JSON_MAX_DEPTH);
    if (len > 0 && (nul = memchr(bytes, 0, len)) != NULL) { /* read over behind a number */
        *why = JSON_BROKEN;
        *at = (size_t)(nul - bytes) + 1;
        return fault_set(fault, ST_REJECT, "JSON has a NUL in it");
    }
    root = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &error);
    if (!root && json_error_code(&error) == json_error_out_of_memory)
        return fault_set(fault, ST_FATAL, "out of memory for JSON of %zu bytes", len);
    if (!root) {
        *why = why_of(&error);
        *at = error.position > 0 && (size_t)error.position <= len ? (size_t)error.position : 0;
        /* What follows " near" is the sender's own bytes, cut anywhere: not for a log or a
         * database. */
        near = strstr(error.text, " near");
        if (near)
            *near = '\0';
        return fault_set(fault, ST_REJECT, "JSON at byte %d: %s", error.position, error.text);
    }
    if (!json_is_object(root)) {
        json_decref(root);
        *why = JSON_OTHER;
        return fault_set(fault, ST_REJECT, "JSON is not an object");
    }
    *why = JSON_FINE;
    *out = root;
    return ST_OK;
}

/* jansson has int64 and double, JSON has numbers of any size. */
enum status json_read(json_t **out, const char *bytes, size_t len, size_t max_bytes,
                      struct fault *fault)
{
    enum json_why why;
    size_t at, wide_len;
    char *wide;
    enum status st = json_read_why(out, bytes, len, max_bytes, &why, &at, fault);

    if (st != ST_REJECT || why != JSON_HUGE)
        return st;
    if (!(wide = wild_widen(bytes, len, &wide_len)))
        return fault_set(fault, ST_FATAL, "out of memory for JSON of %zu bytes", len);
    st = json_read_why(out, wide, wide_len, wide_len, &why, &at, fault);
    free(wide);
    return st;
}

json_t *json_stored(const char *text)
{
    json_error_t error;
    json_t *root = json_loads(text, JSON_DECODE_ANY, &error);
    size_t len;
    char *wide;

    if (root || json_error_code(&error) != json_error_numeric_overflow ||
        !(wide = wild_widen(text, strlen(text), &len)))
        return root;
    root = json_loadb(wide, len, JSON_DECODE_ANY, NULL);
    free(wide);
    return root;
}

/* To JSON 1.0 is the integer 1, up to where a double has each of them. */
static bool is_whole(const json_t *value, json_int_t *out)
{
    double real = json_real_value(value);

    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return true;
    }
    if (!json_is_real(value) || !(fabs(real) <= (double)JSON_INTEGER_MAX) || real != trunc(real))
        return false;
    *out = (json_int_t)real;
    return true;
}

enum status json_get_int64(const json_t *object, const char *key, int64_t lowest, int64_t highest,
                           int64_t *out, struct fault *fault)
{
    const json_t *value = json_object_get(object, key);
    json_int_t number;

    if (!value)
        return fault_set(fault, ST_NONE, "%s is missing", key);
    if (!is_whole(value, &number))
        return fault_set(fault, ST_REJECT, "%s is not an integer", key);
    if (number < lowest || number > highest)
        return fault_set(fault, ST_REJECT, "%s %lld is not within %lld .. %lld", key,
                         (long long)number, (long long)lowest, (long long)highest);
    *out = number;
    return ST_OK;
}

enum status json_get_number(const json_t *object, const char *key, double *out, struct fault *fault)
{
    const json_t *value = json_object_get(object, key);

    if (!value)
        return fault_set(fault, ST_NONE, "%s is missing", key);
    if (!json_is_number(value))
        return fault_set(fault, ST_REJECT, "%s is not a number", key);
    *out = json_number_value(value);
    return ST_OK;
}

enum status json_get_text(const json_t *object, const char *key, char *out, size_t size,
                          struct fault *fault)
{
    const json_t *value = json_object_get(object, key);

    if (!value)
        return fault_set(fault, ST_NONE, "%s is missing", key);
    if (!json_is_string(value))
        return fault_set(fault, ST_REJECT, "%s is not a string", key);
    if (json_string_length(value) >= size)
        return fault_set(fault, ST_REJECT, "%s is longer than %zu bytes", key, size - 1);
    memcpy(out, json_string_value(value), json_string_length(value) + 1);
    return ST_OK;
}

enum status json_get_bool(const json_t *object, const char *key, bool *out, struct fault *fault)
{
    const json_t *value = json_object_get(object, key);

    if (!value)
        return fault_set(fault, ST_NONE, "%s is missing", key);
    if (!json_is_boolean(value))
        return fault_set(fault, ST_REJECT, "%s is neither true nor false", key);
    *out = json_is_true(value);
    return ST_OK;
}

/* integer / 10^decimals as text */
static size_t print_decimal(char *out, bool negative, uint64_t integer, int decimals)
{
    char digits[24];
    size_t n = 0, len = 0;

    do
        digits[n++] = (char)('0' + integer % 10);
    while ((integer /= 10) != 0);
    while (n <= (size_t)decimals)
        digits[n++] = '0';
    if (negative)
        out[len++] = '-';
    while (n > 0) {
        out[len++] = digits[--n];
        if (n == (size_t)decimals && decimals > 0)
            out[len++] = '.';
    }
    out[len] = '\0';
    return len;
}

/* snprintf writes the decimal point of the locale, one byte or more of it: make it a point. */
static size_t copy_plain(char *out, const char *text)
{
    size_t len = 0;

    for (; *text; text++) {
        if (strchr("0123456789eE+-", *text))
            out[len++] = *text;
        else if (len > 0 && out[len - 1] != '.')
            out[len++] = '.';
    }
    out[len] = '\0';
    return len;
}

size_t json_print_double(char out[32], double value)
{
    static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    double size = fabs(value);
    char text[48];

    if (!isfinite(value))
        return 0;
    /* Up to 15 digits an integer divided by a power of ten is the nearest double: no need to ask
     * libc. */
    for (int decimals = 0; decimals < 10 && size * tens[decimals] < 1e15; decimals++) {
        double integer = nearbyint(size * tens[decimals]);

        if (integer / tens[decimals] == size)
            return print_decimal(out, value < 0, (uint64_t)integer, decimals);
    }
    for (int digits = size < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return copy_plain(out, text);
}
