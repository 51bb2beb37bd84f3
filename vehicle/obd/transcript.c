/* vehicle/obd/transcript.c - see transcript.h. */
#include "transcript.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "elm_lines.h"
#include "pids.h"

/* ---- cutting */

/* The line at *at, without its end, and on to the next; false at the end of the text. */
static bool text_line(const char *text, size_t len, size_t *at, const char **line, size_t *line_len)
{
    size_t end = *at;

    if (end >= len)
        return false;
    while (end < len && text[end] != '\r' && text[end] != '\n')
        end++;
    *line = text + *at;
    *line_len = end - *at;
    *at = end < len ? end + 1 : end;
    return true;
}

/* Where the answer that begins at `at` ends: the next line that starts with '>', or the end. */
static size_t answer_end(const struct transcript *t, size_t at)
{
    const char *line;
    size_t len, from = at;

    while (text_line(t->text, t->len, &at, &line, &len)) {
        if (len > 0 && line[0] == '>')
            return from;
        from = at;
    }
    return t->len;
}

/* The line behind '>' stripped; false when it is only a prompt. */
static bool request_read(char out[EXCHANGE_TEXT_MAX], const char *line, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len && n < EXCHANGE_TEXT_MAX - 1; i++)
        if (isgraph((unsigned char)line[i]) && line[i] != '>')
            out[n++] = (char)toupper((unsigned char)line[i]);
    out[n] = '\0';
    return n > 0;
}

/* The next request and the bounds of its answer. */
static bool transcript_cut(const struct transcript *t, size_t *at, char request[EXCHANGE_TEXT_MAX],
                           size_t *from, size_t *to)
{
    const char *line;
    size_t len;

    while (text_line(t->text, t->len, at, &line, &len)) {
        if (len == 0 || line[0] != '>' || !request_read(request, line, len))
            continue;
        *from = *at;
        *to = answer_end(t, *at);
        *at = *to;
        return true;
    }
    return false;
}

static bool line_is_blank(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (isgraph((unsigned char)line[i]))
            return false;
    return true;
}

size_t transcript_left_out(const struct transcript *t, size_t *numbers, size_t max)
{
    char request[EXCHANGE_TEXT_MAX];
    size_t at = 0, len, number = 0, found = 0;
    bool asked = false;
    const char *line;

    while (text_line(t->text, t->len, &at, &line, &len)) {
        if (len == 0 && line > t->text && line[-1] == '\r' && *line == '\n')
            continue; /* the second half of a line's end */
        number++;
        if (len > 0 && line[0] == '>')
            asked = request_read(request, line, len);
        else if (!asked && !line_is_blank(line, len) && found++ < max)
            numbers[found - 1] = number;
    }
    return found;
}

static void intake_fill(struct elm_intake *in, const struct transcript *t, size_t from, size_t to)
{
    bool substance;

    elm_intake_init(in);
    elm_intake_feed(in, t->text + from, to - from, &substance);
}

/* What an ATDPN from `at` on says; '0' when there is none. */
static char transcript_protocol(const struct transcript *t, size_t at)
{
    static struct elm_intake in;
    char request[EXCHANGE_TEXT_MAX], text[EXCHANGE_TEXT_MAX], protocol = '0';
    size_t from, to;

    while (protocol == '0' && transcript_cut(t, &at, request, &from, &to)) {
        if (strcmp(request, "ATDPN") != 0)
            continue;
        intake_fill(&in, t, from, to);
        if (elm_reply_text(text, sizeof text, &in, request) == LINK_ANSWERED)
            protocol = elm_read_protocol(text);
    }
    return protocol;
}

void transcript_init(struct transcript *t, const char *text, size_t len)
{
    *t = (struct transcript){text, len, 0, '0'};
    t->protocol = transcript_protocol(t, 0);
}

/* ---- the form of a reply */

static uint8_t crc_j1850(const uint8_t *bytes, size_t len)
{
    unsigned crc = 0xFF;

    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x80) != 0 ? (crc << 1 ^ 0x1D) & 0xFF : crc << 1;
    }
    return (uint8_t)(crc ^ 0xFF);
}

/* Does the last byte check those before it, as on the buses before CAN? */
static bool line_is_checked(const uint8_t *bytes, size_t len)
{
    unsigned sum = 0;

    for (size_t i = 0; i + 1 < len; i++)
        sum += bytes[i];
    return bytes[len - 1] == (sum & 0xFF) || bytes[len - 1] == crc_j1850(bytes, len - 1);
}

static bool line_is_bare(const struct exchange *x, const uint8_t *bytes, size_t len)
{
    if (bytes[0] == 0x7F)
        return len == 3 && bytes[1] == x->bytes[0];
    return bytes[0] == x->bytes[0] + 0x40 && x->len >= 2 && len >= 2 && bytes[1] == x->bytes[1] &&
           (x->bytes[0] != 0x01 || len == 2 + pid_byte_count(bytes[1]));
}

/* '6' 11 bit, '7' 29 bit, '3' an older bus, '0' no header; '\0' says nothing. */
static char line_form(const struct exchange *x, const char *hex, size_t digits)
{
    uint8_t bytes[ELM_LINE_MAX / 2];

    if (digits % 2 == 1)
        return digits >= 5 && digits <= 19 && hex[0] == '7' ? '6' : '\0';
    if (digits >= 10 && digits <= 24 && strncmp(hex, "18DAF1", 6) == 0)
        return '7';
    if (digits < 2 || digits > 2 * 16)
        return '0';
    elm_unhex(bytes, hex, digits);
    if (digits >= 10 && (bytes[3] == x->bytes[0] + 0x40 || bytes[3] == 0x7F) &&
        line_is_checked(bytes, digits / 2) && !line_is_bare(x, bytes, digits / 2))
        return '3';
    return '0';
}

/* The form that most lines of the reply have. */
static char reply_form(const struct exchange *x, const struct elm_intake *in)
{
    static const char forms[] = {'6', '7', '3', '0'};
    unsigned counts[4] = {0}, best = 3;
    struct elm_line line;
    const char *raw;
    size_t len, at = 0;

    while (elm_next_line(in->text, in->len, &at, &raw, &len)) {
        char form;

        elm_line_read(&line, raw, len, x->request);
        if (line.kind != ELM_LINE_OTHER || !elm_is_hex(line.text, line.len))
            continue;
        form = line_form(x, line.text, line.len);
        for (unsigned i = 0; i < 4; i++)
            counts[i] += form == forms[i];
    }
    for (unsigned i = 4; i-- > 0;)
        if (counts[i] > 0 && counts[i] >= counts[best])
            best = i;
    return forms[best];
}

/* ---- what was wrong */

/* Past the blanks, past progress, and past the data a mark like "<DATA ERROR" follows. */
static void status_begin(const char **raw, size_t *len)
{
    const char *mark = memchr(*raw, '<', *len);
    size_t skip = mark == NULL ? 0 : (size_t)(mark - *raw);

    while (skip < *len && (*raw)[skip] == ' ')
        skip++;
    if (*len - skip > 9 && strncmp(*raw + skip, "SEARCHING", 9) == 0)
        for (skip += 9; skip < *len && ((*raw)[skip] == '.' || (*raw)[skip] == ' ');)
            skip++;
    *raw += skip;
    *len -= skip;
}

/* The first status text of the reply, as the adapter wrote it. */
static bool reply_status(char out[EXCHANGE_TEXT_MAX], const struct elm_intake *in, const char *sent)
{
    struct elm_line line;
    const char *raw;
    size_t len, at = 0;

    while (elm_next_line(in->text, in->len, &at, &raw, &len)) {
        elm_line_read(&line, raw, len, sent);
        if (line.kind != ELM_LINE_STATUS)
            continue;
        while (len > 0 && raw[len - 1] == ' ')
            len--;
        status_begin(&raw, &len);
        snprintf(out, EXCHANGE_TEXT_MAX, "%.*s", (int)(len > 70 ? 70 : len), raw);
        for (char *c = out; *c != '\0'; c++)
            if (!isprint((unsigned char)*c))
                *c = '?';
        return true;
    }
    return false;
}

static void exchange_error(struct exchange *x, const struct elm_intake *in)
{
    const struct link_answer *a = &x->answer;

    x->error[0] = '\0';
    if (reply_status(x->error, in, x->request))
        return;
    if (a->refused != 0 && a->count == 0)
        snprintf(x->error, sizeof x->error, "refused: 7F %02X %02X", x->bytes[0], a->refused);
    else if (a->outcome == LINK_PENDING)
        snprintf(x->error, sizeof x->error, "7F %02X 78 and no answer after it", x->bytes[0]);
    else if (a->cut)
        snprintf(x->error, sizeof x->error, "incomplete: part of the answer is missing");
    else if (a->count == 0)
        snprintf(x->error, sizeof x->error, "%s",
                 a->ignored > 0 ? "nothing in it answers the request" : "no answer");
}

/* ---- one exchange */

/* Hex digits to bytes; false when the request is none.  One digit more is a reply count. */
static bool exchange_bytes(struct exchange *x)
{
    size_t digits = strlen(x->request);

    if (!elm_is_hex(x->request, digits) || digits < 2 || digits / 2 > LINK_REQUEST_MAX)
        return false;
    x->len = digits / 2;
    elm_unhex(x->bytes, x->request, x->len * 2);
    return true;
}

bool transcript_next(struct transcript *t, struct exchange *out)
{
    static struct elm_intake in;
    struct elm_asked asked;
    size_t from, to;

    if (!transcript_cut(t, &t->at, out->request, &from, &to))
        return false;
    out->text[0] = out->error[0] = '\0';
    intake_fill(&in, t, from, to);
    out->is_obd = exchange_bytes(out);
    if (!out->is_obd) {
        (void)elm_reply_text(out->text, sizeof out->text, &in, out->request);
        if (strcmp(out->request, "ATDPN") == 0 && elm_read_protocol(out->text) != '0')
            t->protocol = elm_read_protocol(out->text);
        return true;
    }
    out->protocol = t->protocol != '0' ? t->protocol : reply_form(out, &in);
    out->can_known = out->protocol != '0';
    asked = (struct elm_asked){out->request, out->protocol, out->bytes, out->len};
    elm_reply_parse(&out->answer, &in, &asked);
    exchange_error(out, &in);
    return true;
}
