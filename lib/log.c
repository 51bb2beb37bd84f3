/* lib/log.c - one line on stderr per thing worth telling, each in one write. */
#include "lib/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/clock.h"

#define LINE_MAX_BYTES 2048 /* below PIPE_BUF, so lines of several processes do not mix */

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static _Atomic(const char *) service_name = "vigie";
static atomic_int level_now = LEVEL_INFO;

void log_open(const char *service, enum log_level level)
{
    atomic_store(&service_name, service);
    log_set_level(level);
}

void log_set_level(enum log_level level)
{
    atomic_store(&level_now, (int)level);
}

/* "@FILE": the first word of the file. */
static enum status read_level(const char *path, char *out, size_t size, struct fault *fault)
{
    FILE *file = fopen(path, "re");
    char line[64] = "";

    if (!file || !fgets(line, sizeof line, file)) {
        if (file)
            fclose(file);
        return fault_set(fault, ST_REJECT, "log level: cannot read %s", path);
    }
    fclose(file);
    snprintf(out, size, "%.*s", (int)strcspn(line, " \t\r\n"), line);
    return ST_OK;
}

enum status log_parse_level(const char *text, enum log_level *out, struct fault *fault)
{
    char word[64];
    enum status st;

    if (text[0] == '@') {
        if ((st = read_level(text + 1, word, sizeof word, fault)) != ST_OK)
            return st;
        text = word;
    }
    for (int i = LEVEL_ERROR; i <= LEVEL_DEBUG; i++)
        if (strcasecmp(text, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return ST_OK;
        }
    return fault_set(fault, ST_REJECT, "log level \"%.40s\": write error, warn, info or debug",
                     text);
}

void log_reload(const char *setting)
{
    enum log_level level;
    struct fault fault;

    if (log_parse_level(setting, &level, &fault) == ST_OK)
        log_set_level(level);
    else
        log_warn("log.level", "kept=yes reason=\"%s\"", fault.text);
}

/* One line stays one line, and no terminal is steered: C0, DEL, and C1 as UTF-8 (C2 80 .. C2 9F).
 */
static void make_plain(char *line, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)line[i];
        unsigned char next = (unsigned char)(i + 1 < len ? line[i + 1] : '\0');

        if (c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next < 0xa0))
            line[i] = '?';
        if (c == 0xc2 && next >= 0x80 && next < 0xa0)
            line[i + 1] = '?';
    }
}

/* At `at` a quoted value ends: what follows is the end of the line or the next key. */
static bool quote_closes(const char *line, size_t len, size_t at)
{
    size_t key = at + 2;

    if (at + 1 == len)
        return true;
    if (line[at + 1] != ' ')
        return false;
    while (key < len && (islower((unsigned char)line[key]) || line[key] == '_'))
        key++;
    return key > at + 2 && key < len && line[key] == '=';
}

/* Faults are quoted by callers and quote in turn; inside a quoted value `"` becomes `'`, so that a
 * machine still reads key="value". */
static void tame_quotes(char *line, size_t len)
{
    bool inside = false;

    for (size_t i = 1; i < len; i++) {
        if (line[i] != '"')
            continue;
        if (!inside)
            inside = line[i - 1] == '=';
        else if (quote_closes(line, len, i))
            inside = false;
        else
            line[i] = '\'';
    }
}

/* What does not fit is cut, between characters, and ends with "...". */
static size_t mark_cut(char *line, size_t len)
{
    len -= 3;
    while (len && ((unsigned char)line[len] & 0xc0) == 0x80)
        len--;
    memcpy(line + len, "...", 3);
    return len + 3;
}

static void write_line(const char *line, size_t len)
{
    while (len) {
        ssize_t n = write(STDERR_FILENO, line, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nobody to tell */
        line += n;
        len -= (size_t)n;
    }
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
    char line[LINE_MAX_BYTES], now[25];
    const size_t room = sizeof line - 1; /* the last byte is for the newline */
    int saved = errno, n;
    size_t len;
    va_list args;

    if ((int)level > atomic_load(&level_now) || level < LEVEL_ERROR)
        return;
    clock_print(now, clock_now_ms());
    n = snprintf(line, room, "%s level=%s service=%s event=%s%s", now, level_names[level],
                 atomic_load(&service_name), event, *format ? " " : "");
    len = n < 0 ? 0 : (size_t)n;
    if (len < room) {
        va_start(args, format);
        n = vsnprintf(line + len, room - len, format, args);
        va_end(args);
        len += n < 0 ? 0 : (size_t)n;
    }
    if (len >= room)
        len = mark_cut(line, room - 1);
    make_plain(line, len);
    tame_quotes(line, len);
    line[len] = '\n';
    write_line(line, len + 1);
    errno = saved;
}
