/* services/api/render.c - JSON, by hand: the answers are large and flat, and a double keeps its
 * digits. */
#include "render.h"

#include "lib/clock.h"
#include "proto/json.h"

void render_text(struct text *out, const char *value)
{
    text_add(out, "\"", 1);
    for (const char *c = value; *c; c++) {
        unsigned char byte = (unsigned char)*c;

        if (byte == '"' || byte == '\\')
            text_print(out, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f)
            text_print(out, "\\u%04x", byte);
        else
            text_add(out, c, 1);
    }
    text_add(out, "\"", 1);
}

void render_double(struct text *out, double value)
{
    char digits[32];
    size_t len = json_print_double(digits, value);

    if (len)
        text_add(out, digits, len);
    else
        text_add(out, "null", 4);
}

void render_time(struct text *out, int64_t t_ms)
{
    char text[25];

    clock_print(text, t_ms);
    text_print(out, "\"%s\"", text);
}

void render_key(struct text *out, const char *key)
{
    if (out->len && out->bytes[out->len - 1] != '{')
        text_add(out, ",", 1);
    render_text(out, key);
    text_add(out, ":", 1);
}
