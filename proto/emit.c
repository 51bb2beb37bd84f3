/* proto/emit.c - JSON written into a bounded buffer. */
#include "proto/emit.h"

#include <string.h>

#include "proto/json.h"

void emit_bytes(struct emit *e, const char *bytes, size_t len)
{
    if (e->full || len > e->size - e->len) {
        e->full = true;
        return;
    }
    memcpy(e->out + e->len, bytes, len);
    e->len += len;
}

void emit_raw(struct emit *e, const char *text)
{
    emit_bytes(e, text, strlen(text));
}

void emit_int64(struct emit *e, int64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do
        digits[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (value < 0)
        emit_bytes(e, "-", 1);
    emit_bytes(e, digits + at, sizeof digits - at);
}

void emit_double(struct emit *e, double value)
{
    char digits[32];
    size_t len = json_print_double(digits, value);

    if (len == 0)
        e->full = true;
    emit_bytes(e, digits, len);
}

void emit_text(struct emit *e, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    char escape[7] = "\\u00xx";

    emit_bytes(e, "\"", 1);
    for (const char *c = text; *c; c++) {
        unsigned char byte = (unsigned char)*c;

        if (byte == '"' || byte == '\\')
            emit_bytes(e, "\\", 1);
        if (byte >= 0x20) {
            emit_bytes(e, c, 1);
            continue;
        }
        escape[4] = hex[byte >> 4];
        escape[5] = hex[byte & 15];
        emit_bytes(e, escape, 6);
    }
    emit_bytes(e, "\"", 1);
}

enum status emit_end(const struct emit *e, const char *what, size_t *len, struct fault *fault)
{
    if (e->full)
        return fault_set(fault, ST_REJECT, "%s does not fit into %zu bytes", what, e->size);
    *len = e->len;
    return ST_OK;
}
