/* vehicle/obd/slcan_line.c - see slcan_line.h. */
#include "slcan_line.h"

#include <string.h>

void slcan_reader_init(struct slcan_reader *r)
{
    r->len = 0;
    r->bad = r->stamps = false;
}

static int line_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool line_number(const char *text, size_t digits, uint32_t *out)
{
    uint32_t n = 0;

    for (size_t i = 0; i < digits; i++) {
        int digit = line_digit(text[i]);

        if (digit < 0)
            return false;
        n = n << 4 | (uint32_t)digit;
    }
    *out = n;
    return true;
}

/* A data frame; false when it is not one, to the digit. */
static bool line_frame(const struct slcan_reader *r, struct can_packet *p)
{
    size_t id_digits = r->line[0] == 'T' ? 8 : 3, at = 1 + id_digits;
    uint32_t id, len, byte;

    if (r->len <= at || !line_number(r->line + 1, id_digits, &id) ||
        !line_number(r->line + at, 1, &len) || len > 8 ||
        r->len != at + 1 + 2 * len + (r->stamps ? 4U : 0U))
        return false;
    p->extended = r->line[0] == 'T';
    if (id > (p->extended ? 0x1FFFFFFFU : 0x7FFU))
        return false;
    p->id = id;
    p->len = (uint8_t)len;
    memset(p->data, 0, sizeof p->data);
    for (size_t i = 0; i < len; i++) {
        if (!line_number(r->line + at + 1 + 2 * i, 2, &byte))
            return false;
        p->data[i] = (uint8_t)byte;
    }
    return !r->stamps || line_number(r->line + at + 1 + (size_t)2 * len, 4, &byte);
}

static bool line_text(const struct slcan_reader *r)
{
    if (r->len < 2)
        return false;
    for (size_t i = 1; i < r->len; i++) /* serial numbers may hold any letter */
        if (line_digit(r->line[i]) < 0 && r->line[0] != 'N')
            return false;
    return true;
}

/* What the line that ends here says. */
static void line_judge(const struct slcan_reader *r, struct slcan_event *e)
{
    e->kind = SLCAN_JUNK;
    if (r->bad)
        return;
    switch (r->len == 0 ? '\r' : r->line[0]) {
    case '\r':
        e->kind = SLCAN_TAKEN;
        break;
    case 'z':
    case 'Z':
        if (r->len == 1)
            e->kind = SLCAN_TAKEN;
        break;
    case 't':
    case 'T':
        if (line_frame(r, &e->packet))
            e->kind = SLCAN_FRAME;
        break;
    case 'V':
    case 'N':
    case 'F':
        if (line_text(r))
            e->kind = SLCAN_TEXT;
        break;
    default:
        break;
    }
    if (e->kind == SLCAN_TEXT) {
        memcpy(e->text, r->line, r->len);
        e->text[r->len] = '\0';
    }
}

/* End the line; an event unless it was empty and nobody ended it on purpose. */
static size_t line_end(struct slcan_reader *r, bool on_purpose, struct slcan_event *e)
{
    size_t n = 0;

    if (on_purpose || r->len > 0 || r->bad) {
        line_judge(r, e);
        n = 1;
    }
    r->len = 0;
    r->bad = false;
    return n;
}

size_t slcan_feed(struct slcan_reader *r, char byte, struct slcan_event out[SLCAN_EVENTS_MAX])
{
    size_t n = 0;

    switch (byte) {
    case '\0':
    case '\n':
        return 0;
    case '\r':
        return line_end(r, true, &out[0]);
    case '\a':
        n = line_end(r, false, &out[0]);
        out[n++].kind = SLCAN_REFUSED;
        return n;
    case 't':
    case 'T':
    case 'r':
    case 'R': /* no other line holds these letters (a serial number may: then it is lost) */
        n = line_end(r, false, &out[0]);
        break;
    default:
        break;
    }
    if (r->bad)
        return n;
    if (r->len == sizeof r->line || byte < ' ' || byte > '~')
        r->bad = true;
    else
        r->line[r->len++] = byte;
    return n;
}

size_t slcan_silence(struct slcan_reader *r, struct slcan_event *out)
{
    return line_end(r, false, out);
}

size_t slcan_print(char out[SLCAN_SEND_MAX], const struct can_packet *p)
{
    static const char hex[] = "0123456789ABCDEF";
    int id_digits = p->extended ? 8 : 3;
    size_t n = 0;

    out[n++] = p->extended ? 'T' : 't';
    for (int i = id_digits - 1; i >= 0; i--)
        out[n++] = hex[p->id >> (4 * i) & 15U];
    out[n++] = hex[p->len & 15U];
    for (size_t i = 0; i < p->len && i < 8; i++) {
        out[n++] = hex[p->data[i] >> 4];
        out[n++] = hex[p->data[i] & 15U];
    }
    out[n++] = '\r';
    return n;
}
