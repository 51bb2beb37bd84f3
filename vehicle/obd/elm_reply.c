/* vehicle/obd/elm_reply.c - see elm_reply.h.  ELM327 data sheet, "Error messages and alerts",
 * "Interpreting replies". */
#include "elm_reply.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "elm_lines.h"
#include "isotp.h"

void elm_intake_init(struct elm_intake *in)
{
    in->len = in->line = in->discarded = 0;
    in->prompt = false;
}

size_t elm_intake_feed(struct elm_intake *in, const char *bytes, size_t len, bool *substance)
{
    for (size_t i = 0; i < len; i++) {
        char c = bytes[i];

        if (c == '>') {
            in->prompt = true;
            return i + 1;
        }
        if (c == '\0')
            continue;
        if (c == '\r' || c == '\n')
            in->line = 0;
        else if (c != ' ')
            *substance = true;
        if (in->line >= ELM_LINE_MAX || in->len == sizeof in->text) {
            in->discarded++;
            continue;
        }
        in->line += c != '\r' && c != '\n';
        in->text[in->len++] = c;
    }
    return len;
}

/* ---- one reply being taken apart */

struct elm_parse {
    struct link_answer *out;
    const struct elm_asked *asked;
    enum link_outcome worst; /* LINK_ANSWERED: nothing bad was said */
    struct isotp frames;
    struct answering answering;
    /* headerless long message: "014", "0:...", "1:..." */
    size_t total, have;
    unsigned next;
    bool broken;
    uint8_t joined[ISOTP_MESSAGE_MAX + 8];
};

static void parse_message(void *self, uint32_t ecu, const uint8_t *bytes, size_t len)
{
    struct elm_parse *p = self;

    answering_take(&p->answering, ecu, bytes, len);
}

/* Protocols 1-5: three header bytes, data, checksum.  J1850 PWM answers begin 41 6B, so a header is
 * recognised by its second byte, or by the answer's place. */
static bool parse_legacy(struct elm_parse *p, const uint8_t *bytes, size_t len)
{
    uint8_t answer = (uint8_t)(p->asked->bytes[0] + 0x40);
    bool header;

    if (len < 5 || (bytes[3] != answer && bytes[3] != 0x7F))
        return false;
    header = bytes[1] == 0x6B || bytes[1] == 0xF1 || (bytes[0] != answer && bytes[0] != 0x7F);
    if (!header)
        return false;
    parse_message(p, bytes[2], bytes + 3, len - 4);
    return true;
}

/* A hex line with the header that the protocol promises; false when it does not look like one. */
static bool parse_headed(struct elm_parse *p, const char *hex, size_t digits)
{
    uint8_t bytes[ELM_LINE_MAX / 2];
    uint32_t ecu;

    switch (p->asked->protocol) {
    case '6':
    case '8':
        if (digits % 2 == 0 || digits < 5 || digits > 19 || hex[0] != '7')
            return false;
        ecu = (uint32_t)elm_hex_digit(hex[0]) << 8 | (uint32_t)elm_hex_digit(hex[1]) << 4 |
              (uint32_t)elm_hex_digit(hex[2]);
        elm_unhex(bytes, hex + 3, digits - 3);
        isotp_add(&p->frames, ecu, bytes, (digits - 3) / 2);
        return true;
    case '7':
    case '9':
        if (digits % 2 != 0 || digits < 10 || digits > 24 || strncmp(hex, "18DAF1", 6) != 0)
            return false;
        elm_unhex(bytes, hex, digits);
        ecu = 0x18DAF100U | bytes[3];
        isotp_add(&p->frames, ecu, bytes + 4, digits / 2 - 4);
        return true;
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
        if (digits % 2 != 0)
            return false;
        elm_unhex(bytes, hex, digits);
        return parse_legacy(p, bytes, digits / 2);
    default:
        return false;
    }
}

/* "0:490201575657": a piece of the headerless long form; pieces come in order or not at all. */
static bool parse_piece(struct elm_parse *p, const char *line, size_t len)
{
    uint8_t bytes[ELM_LINE_MAX / 2];
    size_t n;

    if (len < 4 || elm_hex_digit(line[0]) < 0 || line[1] != ':' || !elm_is_hex(line + 2, len - 2) ||
        len % 2 != 0)
        return false;
    n = (len - 2) / 2;
    if (p->total == 0 || (unsigned)elm_hex_digit(line[0]) != p->next % 16 ||
        p->have + n > sizeof p->joined)
        p->broken = true;
    if (p->broken)
        return true;
    elm_unhex(bytes, line + 2, len - 2);
    memcpy(p->joined + p->have, bytes, n);
    p->have += n;
    p->next++;
    return true;
}

static void parse_hex(struct elm_parse *p, const char *hex, size_t digits)
{
    uint8_t bytes[ELM_LINE_MAX / 2];

    if (digits == 3) { /* the total length of a headerless long message */
        size_t total = (size_t)elm_hex_digit(hex[0]) << 8 | (size_t)elm_hex_digit(hex[1]) << 4 |
                       (size_t)elm_hex_digit(hex[2]);

        p->broken = p->broken || p->total != 0; /* two ECUs at once cannot be told apart */
        p->total = total;
        return;
    }
    if (parse_headed(p, hex, digits))
        return;
    if (digits % 2 != 0 || digits < 2) {
        p->out->ignored++;
        return;
    }
    elm_unhex(bytes, hex, digits);
    parse_message(p, 0, bytes, digits / 2);
}

static void parse_line(struct elm_parse *p, const char *raw, size_t raw_len)
{
    struct elm_line line;

    elm_line_read(&line, raw, raw_len, p->asked->sent);
    if (line.kind == ELM_LINE_ECHO || line.len == 0)
        return;
    if (line.kind == ELM_LINE_STATUS) {
        if (line.outcome == LINK_DAMAGED)
            p->out->cut = true;
        if (line.outcome > p->worst)
            p->worst = line.outcome;
    } else if (elm_is_hex(line.text, line.len)) {
        parse_hex(p, line.text, line.len);
    } else if (!parse_piece(p, line.text, line.len)) {
        p->out->ignored++;
    }
}

static void parse_finish(struct elm_parse *p)
{
    struct link_answer *out = p->out;

    if (isotp_finish(&p->frames, parse_message, p) > 0 || p->frames.overflow)
        out->cut = true;
    if (p->total != 0 || p->have != 0) {
        if (p->broken || p->total == 0 || p->have < p->total)
            out->cut = true;
        else
            parse_message(p, 0, p->joined, p->total);
    }
    answering_finish(&p->answering);
    if (p->worst != LINK_ANSWERED && (out->count == 0 || p->worst > LINK_DAMAGED))
        out->outcome = p->worst;
}

void elm_reply_parse(struct link_answer *out, const struct elm_intake *in,
                     const struct elm_asked *asked)
{
    struct elm_parse p;
    const char *line;
    size_t len, at = 0;

    p.out = out;
    p.asked = asked;
    p.worst = LINK_ANSWERED;
    p.next = 0;
    p.total = p.have = 0;
    p.broken = false;
    answering_init(&p.answering, out, asked->bytes, asked->len);
    isotp_init(&p.frames);
    out->cut = in->discarded > 0;
    while (elm_next_line(in->text, in->len, &at, &line, &len))
        parse_line(&p, line, len);
    parse_finish(&p);
}

enum link_outcome elm_reply_text(char *out, size_t size, const struct elm_intake *in,
                                 const char *sent)
{
    const char *raw;
    size_t len, at = 0;
    struct elm_line line;

    out[0] = '\0';
    while (elm_next_line(in->text, in->len, &at, &raw, &len)) {
        elm_line_read(&line, raw, len, sent);
        if (line.kind == ELM_LINE_ECHO || line.len == 0)
            continue;
        while (len > 0 && raw[0] == ' ')
            raw++, len--;
        while (len > 0 && raw[len - 1] == ' ')
            len--;
        if (len >= size)
            len = size - 1;
        memcpy(out, raw, len);
        out[len] = '\0';
        return line.kind == ELM_LINE_STATUS ? line.outcome : LINK_ANSWERED;
    }
    return LINK_NO_DATA;
}

bool elm_read_volts(const char *text, double *volts)
{
    char number[16];
    char *end;
    size_t n = 0;
    double v;

    while (*text == ' ')
        text++;
    while ((isdigit((unsigned char)text[n]) || text[n] == '.') && n < sizeof number - 1) {
        number[n] = text[n];
        n++;
    }
    number[n] = '\0';
    if (n == 0 || (text[n] != '\0' && text[n] != 'V' && text[n] != 'v'))
        return false;
    v = strtod(number, &end);
    if (*end != '\0' || !isfinite(v) || v > 40)
        return false;
    *volts = v;
    return true;
}

char elm_read_protocol(const char *text)
{
    char c = text[0];

    if (c == '\0')
        return '0';
    if ((c == 'A' || c == 'a') && text[1] != '\0')
        c = text[1], text++;
    if (text[1] != '\0')
        return '0';
    if ((c >= '1' && c <= '9') || c == 'A' || c == 'B' || c == 'C')
        return c;
    return '0';
}
