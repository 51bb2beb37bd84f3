/* vehicle/obd/elm_lines.c - see elm_lines.h.  Texts: ELM327 data sheet, and what clones make of
 * them: dots and blanks come and go, progress is glued to data, a damaged line carries its mark
 * behind the data. */
#include "elm_lines.h"

#include <ctype.h>
#include <string.h>

static const struct {
    const char *text; /* as it reads without blanks */
    enum link_outcome outcome;
} elm_texts[] = {
    {"NODATA", LINK_NO_DATA},     {"UNABLETOCONNECT", LINK_NO_ECU}, {"STOPPED", LINK_STOPPED},
    {"BUSBUSY", LINK_BUS},        {"BUSERROR", LINK_BUS},           {"CANERROR", LINK_BUS},
    {"FBERROR", LINK_BUS},        {"DATAERROR", LINK_DAMAGED},      {"RXERROR", LINK_DAMAGED},
    {"BUFFERFULL", LINK_DAMAGED}, {"LVRESET", LINK_RESET},          {"ACTALERT", LINK_RESET},
    {"LPALERT", LINK_RESET},      {"ELM327", LINK_RESET},
};

bool elm_next_line(const char *text, size_t text_len, size_t *at, const char **line, size_t *len)
{
    size_t end;

    while (*at < text_len && (text[*at] == '\r' || text[*at] == '\n'))
        ++*at;
    if (*at == text_len)
        return false;
    for (end = *at; end < text_len && text[end] != '\r' && text[end] != '\n'; end++)
        continue;
    *line = text + *at;
    *len = end - *at;
    *at = end;
    return true;
}

int elm_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool elm_is_hex(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (elm_hex_digit(text[i]) < 0)
            return false;
    return len > 0;
}

void elm_unhex(uint8_t *out, const char *hex, size_t digits)
{
    for (size_t i = 0; i + 1 < digits; i += 2)
        out[i / 2] = (uint8_t)(elm_hex_digit(hex[i]) * 16 + elm_hex_digit(hex[i + 1]));
}

/* Remove `n` bytes from the front of the line's text. */
static void line_cut(struct elm_line *line, size_t n)
{
    line->len -= n;
    memmove(line->text, line->text + n, line->len + 1);
}

static size_t line_strip(char *out, const char *raw, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len && n < ELM_LINE_MAX; i++)
        if (raw[i] != ' ' && raw[i] != '\t')
            out[n++] = (char)toupper((unsigned char)raw[i]);
    out[n] = '\0';
    return n;
}

/* Progress before data or alone: "SEARCHING...", "BUS INIT: OK", "BUS INIT: ...OK".  True when the
 * line is a failed bus initialisation. */
static bool line_progress(struct elm_line *line)
{
    size_t n;

    if (strncmp(line->text, "SEARCHING", 9) == 0) {
        for (n = 9; line->text[n] == '.'; n++)
            continue;
        line_cut(line, n);
    }
    if (strncmp(line->text, "BUSINIT", 7) != 0)
        return false;
    if (strstr(line->text, "ERROR") != NULL)
        return true;
    for (n = 7; line->text[n] == ':' || line->text[n] == '.'; n++)
        continue;
    if (strncmp(line->text + n, "OK", 2) == 0)
        n += 2;
    line_cut(line, n);
    return false;
}

static bool line_is_chip_error(const char *text)
{
    const char *at = strstr(text, "ERR");

    return at != NULL && isdigit((unsigned char)at[3]) && isdigit((unsigned char)at[4]);
}

static void line_status(struct elm_line *line, enum link_outcome outcome)
{
    line->kind = ELM_LINE_STATUS;
    line->outcome = outcome;
}

void elm_line_read(struct elm_line *out, const char *raw, size_t len, const char *sent)
{
    char echo[ELM_LINE_MAX + 1];
    size_t sent_len = strlen(sent);

    out->kind = ELM_LINE_OTHER;
    out->outcome = LINK_ANSWERED;
    out->len = line_strip(out->text, raw, len);
    sent_len = line_strip(echo, sent, sent_len > ELM_LINE_MAX ? ELM_LINE_MAX : sent_len);
    if (sent_len > 0 && out->len == sent_len && memcmp(out->text, echo, sent_len) == 0) {
        out->kind = ELM_LINE_ECHO;
        return;
    }
    if (line_progress(out)) {
        line_status(out, LINK_NO_ECU);
        return;
    }
    if (out->len == 1 && out->text[0] == '?') {
        line_status(out, LINK_UNKNOWN);
        return;
    }
    for (size_t i = 0; i < sizeof elm_texts / sizeof elm_texts[0]; i++)
        if (strstr(out->text, elm_texts[i].text) != NULL) {
            line_status(out, elm_texts[i].outcome);
            return;
        }
    if (line_is_chip_error(out->text))
        line_status(out, LINK_RESET);
}
