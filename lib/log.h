/* lib/log.h - one line on stderr per thing worth telling:
 *   2026-01-31T09:00:00.125Z level=warn service=ingest event=points.rejected reason="speed 900"
 *
 * Any thread; each line is one write of at most 2 KiB.  Control characters become '?', quotes
 * inside a quoted value become '.  Tokens, people, positions are not logged. */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include "proto/status.h"

enum log_level { LEVEL_ERROR, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG };

/* `service` is borrowed for ever (a literal). */
void log_open(const char *service, enum log_level level);
void log_set_level(enum log_level level);
/* "error", "warn", "info", "debug", or "@FILE": the first word of that file. */
enum status log_parse_level(const char *text, enum log_level *out, struct fault *fault) MUST_CHECK;
/* SIGHUP: take the level of the setting again, which a file may have changed; the old one stays
 * when it cannot be read. */
void log_reload(const char *setting);

/* `event` is a stable name; the rest is key=value pairs, printf style ("vehicle=%s reason=\"%s\""),
 * "" for none. */
void log_line(enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);

#define log_error(event, ...) log_line(LEVEL_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...) log_line(LEVEL_WARN, event, __VA_ARGS__)
#define log_info(event, ...) log_line(LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_line(LEVEL_DEBUG, event, __VA_ARGS__)

#endif
