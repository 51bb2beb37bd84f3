/* lib/settings.h - one table per program makes the flag, the environment name, the default and
 * --help.  Flag over environment over default; an empty variable counts as unset.  `--x-y` is
 * `VIGIE_X_Y`.  A secret has no flag: VIGIE_X_FILE, a file whose first line it is, or else VIGIE_X;
 * it is never printed.  Main thread, before others start. */
#ifndef LIB_SETTINGS_H
#define LIB_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"

#define SETTING_TEXT_MAX 512

enum setting_kind {
    SET_TEXT,   /* char[SETTING_TEXT_MAX] */
    SET_SECRET, /* char[SETTING_TEXT_MAX] */
    SET_COUNT,  /* int64_t, 0 .. 2^53; k M G (1024) understood */
    SET_MILLIS, /* int64_t ms; "250", "250ms", "2s", "5m", "3h", "1d" understood */
    SET_SWITCH, /* bool; --x, --x=on|off, --no-x */
};

struct setting {
    const char *name; /* "mqtt", "batch-wait" */
    enum setting_kind kind;
    const char *standard; /* default as text; NULL = required, "" = absent (empty text, 0, false) */
    size_t offset;        /* of the member in the program's struct */
    const char *help;     /* with the unit */
};

/* For tables: SETTING_AT(struct ingest_settings, mqtt_url). */
#define SETTING_AT(type, member) offsetof(type, member)

struct program {
    const char *name;    /* "vigie-ingest" */
    const char *summary; /* one line for --help */
    const char *usage;   /* what follows the name in --help, "[settings]" when NULL */
};

/* Fill *into from defaults, environment and flags; on failure do not use it.  The table ends with a
 * row without name.  --help and --version print and give ST_NONE.  ST_REJECT: unknown flag, bad
 * value, required one missing: the fault names it and the cure. With `rest` (NULL is fine: then
 * words are refused), arguments that are no flags are moved to the front of it, *rest_count of
 * them; "--" ends the flags. */
enum status settings_load(void *into, const struct setting *table, const struct program *program,
                          int argc, char **argv, char **rest, int *rest_count,
                          struct fault *fault) MUST_CHECK;

/* The rows every program has; a table may repeat SETTINGS_COMMON(struct x, common) with a member of
 * this type. */
struct settings_common {
    char site[SETTING_TEXT_MAX];
    char admin[SETTING_TEXT_MAX];
    char log_level[SETTING_TEXT_MAX];
    bool check; /* validate settings and exit 0 */
};
#define SETTINGS_COMMON(type, member, admin_default)                                               \
    {"site", SET_TEXT, "illkirch", SETTING_AT(type, member.site), "site this process belongs to"}, \
        {"admin", SET_TEXT, admin_default, SETTING_AT(type, member.admin),                         \
         "address of /healthz /readyz /metrics /version"},                                         \
        {"log-level", SET_TEXT, "info", SETTING_AT(type, member.log_level),                        \
         "error, warn, info or debug; @FILE: read there, again at SIGHUP"},                        \
    {                                                                                              \
        "check", SET_SWITCH, "off", SETTING_AT(type, member.check),                                \
            "validate the settings and exit"                                                       \
    }

#endif
