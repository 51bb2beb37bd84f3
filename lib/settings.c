/* lib/settings.c - flags over environment over defaults, from one table; --help is the same table
 * printed. */
#include "lib/settings.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text.h"
#include "lib/version.h"

#define ROWS_MAX 96
#define NAME_MAX_BYTES 64
#define NUMBER_MAX (INT64_C(1) << 53)
#define SECRET_FILE_MAX 65536

/* Where a value came from, in the words of a fault: "--rate" or "VIGIE_RATE". */
struct given {
    const char *value;
    char from[NAME_MAX_BYTES + 8];
};

/* "batch-wait" is VIGIE_BATCH_WAIT in the environment. */
static void environment_name(char out[NAME_MAX_BYTES], const char *name, const char *suffix)
{
    snprintf(out, NAME_MAX_BYTES, "VIGIE_%s%s", name, suffix);
    for (char *c = out; *c; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

/* An empty variable counts as unset: compose files and unit files pass those. */
static const char *environment_value(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

/* ---- one value */

/* Digits, then one of the suffixes with its factor. */
struct unit {
    const char *suffix;
    int64_t factor;
};

static bool read_number(const char *text, const struct unit *units, int64_t *out)
{
    int64_t value = 0;

    if (!isdigit((unsigned char)*text))
        return false;
    for (; isdigit((unsigned char)*text); text++) {
        value = value * 10 + (*text - '0');
        if (value > NUMBER_MAX)
            return false;
    }
    for (; units->suffix; units++)
        if (strcmp(text, units->suffix) == 0) {
            if (value > NUMBER_MAX / units->factor)
                return false;
            *out = value * units->factor;
            return true;
        }
    return false;
}

static bool read_count(const char *text, int64_t *out)
{
    static const struct unit units[] = {{"", 1},        {"k", 1 << 10}, {"K", 1 << 10},
                                        {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}};

    return read_number(text, units, out);
}

static bool read_millis(const char *text, int64_t *out)
{
    static const struct unit units[] = {{"", 1},        {"ms", 1},       {"s", 1000}, {"m", 60000},
                                        {"h", 3600000}, {"d", 86400000}, {NULL, 0}};

    return read_number(text, units, out);
}

static bool read_switch(const char *text, bool *out)
{
    static const char *const words[] = {"off", "on", "no", "yes", "false", "true", "0", "1"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i]) == 0) {
            *out = i % 2;
            return true;
        }
    return false;
}

/* Put one value where the row says.  "" is the absent value of every kind. */
static enum status store(void *into, const struct setting *row, const struct given *given,
                         struct fault *fault)
{
    char *member = (char *)into + row->offset;
    const char *value = given->value;
    int64_t number = 0;
    bool on = false;

    switch (row->kind) {
    case SET_TEXT:
    case SET_SECRET:
        if (strlen(value) >= SETTING_TEXT_MAX)
            return fault_set(fault, ST_REJECT, "%s is too long: at most %d bytes", given->from,
                             SETTING_TEXT_MAX - 1);
        text_copy(member, SETTING_TEXT_MAX, value);
        return ST_OK;
    case SET_COUNT:
        if (*value && !read_count(value, &number))
            return fault_set(fault, ST_REJECT,
                             "%s: \"%.60s\" is not a count: write 0, 500, 8k, 64M (k M G are 1024)",
                             given->from, value);
        memcpy(member, &number, sizeof number);
        return ST_OK;
    case SET_MILLIS:
        if (*value && !read_millis(value, &number))
            return fault_set(fault, ST_REJECT,
                             "%s: \"%.60s\" is not a time: write 250ms, 2s, 5m, 3h or 1d",
                             given->from, value);
        memcpy(member, &number, sizeof number);
        return ST_OK;
    case SET_SWITCH:
        if (*value && !read_switch(value, &on))
            return fault_set(fault, ST_REJECT, "%s: \"%.60s\" is not a switch: write on or off",
                             given->from, value);
        memcpy(member, &on, sizeof on);
        return ST_OK;
    }
    return fault_set(fault, ST_FATAL, "setting %s has no kind", row->name);
}

/* ---- the command line */

struct line {
    const struct setting *table;
    const struct program *program;
    const char *given[ROWS_MAX]; /* by row; the last one wins */
    bool help, version;
};

static size_t count_rows(const struct setting *table)
{
    size_t n = 0;

    while (table[n].name)
        n++;
    assert(n <= ROWS_MAX);
    return n;
}

/* The row whose name is the first `len` bytes of `name`, or -1. */
static int find_row(const struct setting *table, const char *name, size_t len)
{
    for (int i = 0; table[i].name; i++)
        if (strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0)
            return i;
    return -1;
}

/* "--no-x" for a switch x; else -1. */
static int find_negated(const struct setting *table, const char *name)
{
    int row = strncmp(name, "no-", 3) == 0 ? find_row(table, name + 3, strlen(name + 3)) : -1;

    return row >= 0 && table[row].kind == SET_SWITCH ? row : -1;
}

/* Understand the flag argv[*at] and its value; *at moves over what was used. */
static enum status take_flag(struct line *line, int argc, char **argv, int *at, struct fault *fault)
{
    const char *flag = argv[*at], *name = flag + 2, *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    int row = find_row(line->table, name, len);

    if (row < 0 && !equals && (row = find_negated(line->table, name)) >= 0) {
        line->given[row] = "off";
        return ST_OK;
    }
    if (row < 0)
        return fault_set(fault, ST_REJECT, "%.*s is no setting; %s --help lists them",
                         (int)(len + 2 > 60 ? 60 : len + 2), flag, line->program->name);
    if (line->table[row].kind == SET_SECRET) {
        char file[NAME_MAX_BYTES];

        environment_name(file, line->table[row].name, "_FILE");
        return fault_set(
            fault, ST_REJECT,
            "--%s is a secret and never a flag: put it in a file and set %s to its path",
            line->table[row].name, file);
    }
    if (equals)
        line->given[row] = equals + 1;
    else if (line->table[row].kind == SET_SWITCH)
        line->given[row] = "on";
    else if (*at + 1 < argc && strncmp(argv[*at + 1], "--", 2) != 0)
        line->given[row] = argv[++*at];
    else
        return fault_set(fault, ST_REJECT, "%s needs a value: %s VALUE or %s=VALUE", flag, flag,
                         flag);
    return ST_OK;
}

static bool is_flag(const char *word)
{
    return word[0] == '-' && word[1] != '\0';
}

static enum status read_line(struct line *line, int argc, char **argv, char **rest, int *rest_count,
                             struct fault *fault)
{
    bool flags = true;
    int words = 0;

    for (int i = 1; i < argc; i++) {
        char *word = argv[i];
        enum status st;

        if (flags && strcmp(word, "--") == 0) {
            flags = false;
        } else if (flags && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)) {
            line->help = true;
        } else if (flags && strcmp(word, "--version") == 0) {
            line->version = true;
        } else if (flags && strncmp(word, "--", 2) == 0) {
            st = take_flag(line, argc, argv, &i, fault);
            if (st != ST_OK)
                return st;
        } else if (flags && is_flag(word)) {
            return fault_set(fault, ST_REJECT, "%.60s is no setting; %s --help lists them", word,
                             line->program->name);
        } else if (rest) {
            rest[words++] = word; /* `rest` may be argv: words <= i */
        } else {
            return fault_set(fault, ST_REJECT, "\"%.60s\" is one word too many; usage: %s %s", word,
                             line->program->name,
                             line->program->usage ? line->program->usage : "[settings]");
        }
    }
    if (rest_count)
        *rest_count = words;
    return ST_OK;
}

/* ---- where a value comes from */

/* The first line of the file the variable points at. */
static enum status read_secret(struct text *text, const char *variable, const char *path,
                               struct fault *fault)
{
    struct fault why = {""};
    enum status st = text_read_file(text, path, SECRET_FILE_MAX, &why);

    if (st != ST_OK)
        return fault_set(fault, ST_REJECT, "%s: %s", variable, why.text);
    text->bytes[strcspn(text->bytes, "\r\n")] = '\0';
    if (!*text->bytes)
        return fault_set(fault, ST_REJECT, "%s: the first line of %s is empty", variable, path);
    return ST_OK;
}

static enum status required(const struct setting *row, struct fault *fault)
{
    char name[NAME_MAX_BYTES], file[NAME_MAX_BYTES];

    environment_name(name, row->name, "");
    environment_name(file, row->name, "_FILE");
    if (row->kind == SET_SECRET)
        return fault_set(fault, ST_REJECT,
                         "%s is required: set %s to the path of a file with it, or %s", row->name,
                         file, name);
    return fault_set(fault, ST_REJECT, "--%s is required (%s): pass --%s VALUE or set %s",
                     row->name, row->help, row->name, name);
}

/* A file before the variable itself: who went to that length means it. */
static enum status load_secret(void *into, const struct setting *row, struct fault *fault)
{
    struct given given = {NULL, ""};
    char name[NAME_MAX_BYTES], file[NAME_MAX_BYTES];
    struct text text;
    const char *path;
    enum status st = ST_OK;

    text_init(&text);
    environment_name(file, row->name, "_FILE");
    environment_name(name, row->name, "");
    text_copy(given.from, sizeof given.from, name);
    path = environment_value(file);
    if (path) {
        text_copy(given.from, sizeof given.from, file);
        st = read_secret(&text, file, path, fault);
        given.value = text.bytes;
    } else {
        given.value = environment_value(given.from);
        if (!given.value)
            given.value = row->standard;
    }
    if (st == ST_OK)
        st = given.value ? store(into, row, &given, fault) : required(row, fault);
    if (text.len)
        explicit_bzero(text.bytes, text.len);
    text_done(&text);
    return st;
}

static enum status load_row(void *into, const struct setting *row, const char *flag,
                            struct fault *fault)
{
    struct given given = {flag, ""};

    if (row->kind == SET_SECRET)
        return load_secret(into, row, fault);
    snprintf(given.from, sizeof given.from, "--%s", row->name);
    if (!given.value) {
        char name[NAME_MAX_BYTES];

        environment_name(name, row->name, "");
        given.value = environment_value(name);
        if (given.value)
            text_copy(given.from, sizeof given.from, name);
    }
    if (!given.value)
        given.value = row->standard;
    if (!given.value)
        return required(row, fault);
    return store(into, row, &given, fault);
}

/* ---- --help */

struct columns {
    char flag[NAME_MAX_BYTES + 16], environment[NAME_MAX_BYTES], standard[SETTING_TEXT_MAX + 2];
};

static void describe(struct columns *out, const struct setting *row)
{
    static const char *const values[] = {[SET_TEXT] = " TEXT",
                                         [SET_SECRET] = "",
                                         [SET_COUNT] = " N",
                                         [SET_MILLIS] = " TIME",
                                         [SET_SWITCH] = ""};

    if (row->kind == SET_SECRET)
        snprintf(out->flag, sizeof out->flag, "(secret, no flag)");
    else
        snprintf(out->flag, sizeof out->flag, "--%s%s", row->name, values[row->kind]);
    environment_name(out->environment, row->name, row->kind == SET_SECRET ? "[_FILE]" : "");
    if (!row->standard)
        snprintf(out->standard, sizeof out->standard, "required");
    else if (!*row->standard || row->kind == SET_SECRET)
        snprintf(out->standard, sizeof out->standard, "-");
    else
        snprintf(out->standard, sizeof out->standard, "%s", row->standard);
}

static int wider(int width, const char *text)
{
    int len = (int)strlen(text);

    return len > width ? len : width;
}

static void print_help(const struct setting *table, const struct program *program)
{
    struct columns c;
    int flag = wider(0, "--version"), environment = 0, standard = 0;

    for (const struct setting *row = table; row->name; row++) {
        describe(&c, row);
        flag = wider(flag, c.flag);
        environment = wider(environment, c.environment);
        standard = wider(standard, c.standard);
    }
    printf("%s - %s\nusage: %s %s\n\n", program->name, program->summary, program->name,
           program->usage ? program->usage : "[settings]");
    printf("  %-*s  %-*s  %-*s  %s\n", flag, "flag", environment, "environment", standard,
           "default", "what it is");
    for (const struct setting *row = table; row->name; row++) {
        describe(&c, row);
        printf("  %-*s  %-*s  %-*s  %s\n", flag, c.flag, environment, c.environment, standard,
               c.standard, row->help);
    }
    printf("  %-*s  %-*s  %-*s  %s\n", flag, "--help", environment, "", standard, "",
           "print this and exit");
    printf("  %-*s  %-*s  %-*s  %s\n", flag, "--version", environment, "", standard, "",
           "print version and revision and exit");
    printf("\nA flag wins over the environment, the environment over the default.  N: 500, 8k, 64M "
           "(k M G are 1024).\nTIME: 250 (ms), 250ms, 2s, 5m, 3h, 1d.  A switch: --x, --x=on, "
           "--x=off, --no-x.  A secret is read from the\nfirst line of the file VIGIE_..._FILE "
           "names, or from VIGIE_... itself.  Exit: 0 done, 1 failed, 2 wrong usage.\n");
}

enum status settings_load(void *into, const struct setting *table, const struct program *program,
                          int argc, char **argv, char **rest, int *rest_count, struct fault *fault)
{
    struct line line = {.table = table, .program = program};
    size_t rows = count_rows(table);
    enum status st = read_line(&line, argc, argv, rest, rest_count, fault);

    if (line.help)
        print_help(table, program);
    else if (line.version)
        printf("%s %s (%s)\n", program->name, version_number, version_revision);
    if (line.help || line.version) {
        fflush(stdout);
        return ST_NONE;
    }
    for (size_t i = 0; i < rows && st == ST_OK; i++)
        st = load_row(into, &table[i], line.given[i], fault);
    return st;
}
