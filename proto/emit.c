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

static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte != '"' && byte != '\\';
}

static void emit_escaped(struct emit *e, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    char escape[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};

    if (byte >= 0x20) {
        escape[1] = (char)byte;
        emit_bytes(e, escape, 2);
        return;
    }
    emit_bytes(e, escape, sizeof escape);
}

void emit_text(struct emit *e, const char *text)
{
    emit_bytes(e, "\"", 1);
    while (*text) {
        size_t plain = 0;

        while (is_plain((unsigned char)text[plain]))
            plain++;
        emit_bytes(e, text, plain);
        text += plain;
        if (*text)
            emit_escaped(e, (unsigned char)*text++);
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
