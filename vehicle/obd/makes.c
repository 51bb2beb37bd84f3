/* vehicle/obd/makes.c - see makes.h. */
#include "makes.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/signals.h"

#define MAKES_LINE_MAX 400
#define MAKES_FIELDS 7

static const char makes_header[] = "wmi,ecu,did,bytes,formula,signal,capture";

/* ---- one row */

static bool row_wmi(struct make_row *row, const char *text)
{
    size_t n = 0, word = 0, words = 0;

    row->wmi[n++] = ' ';
    for (;; text++) {
        if (isdigit((unsigned char)*text) || (*text >= 'A' && *text <= 'Z')) {
            if (n + 2 >= sizeof row->wmi)
                return false;
            row->wmi[n++] = *text;
            word++;
            continue;
        }
        if (*text != ' ' && *text != '\0')
            return false;
        if (word > 0) {
            if (word < 3 || word > 11)
                return false;
            row->wmi[n++] = ' ';
            words++;
        }
        word = 0;
        if (*text == '\0')
            break;
    }
    row->wmi[n] = '\0';
    return words > 0;
}

static bool row_hex(const char *text, size_t digits_least, size_t digits_most, uint32_t *out)
{
    size_t n = strspn(text, "0123456789ABCDEF");

    if (n < digits_least || n > digits_most || text[n] != '\0')
        return false;
    *out = (uint32_t)strtoul(text, NULL, 16);
    return true;
}

static bool row_ecu(struct make_row *row, const char *text)
{
    if (!row_hex(text, 3, 8, &row->ecu))
        return false;
    return (row->ecu >= 0x7E8 && row->ecu <= 0x7EF) || (row->ecu & 0xFFFFFF00U) == 0x18DAF100U;
}

static enum status row_read(struct make_row *row, char *fields[MAKES_FIELDS], struct fault *fault)
{
    uint32_t did;
    char *end;
    unsigned long bytes;

    if (!row_wmi(row, fields[0]))
        return fault_set(fault, ST_REJECT, "wmi \"%.40s\"", fields[0]);
    if (!row_ecu(row, fields[1]))
        return fault_set(fault, ST_REJECT, "ecu \"%.40s\" is not 7E8 .. 7EF or 18DAF1xx",
                         fields[1]);
    if (!row_hex(fields[2], 4, 4, &did))
        return fault_set(fault, ST_REJECT, "did \"%.40s\" is not four hex digits", fields[2]);
    row->did = (uint16_t)did;
    bytes = strtoul(fields[3], &end, 10);
    if (!isdigit((unsigned char)fields[3][0]) || *end != '\0' || bytes < 1 || bytes > 4000)
        return fault_set(fault, ST_REJECT, "bytes \"%.40s\"", fields[3]);
    row->bytes = bytes;
    if (formula_read(&row->formula, fields[4], fault) != ST_OK)
        return ST_REJECT;
    if (row->formula.needs > row->bytes)
        return fault_set(fault, ST_REJECT, "the formula reads %zu bytes of %zu", row->formula.needs,
                         row->bytes);
    row->signal = signal_find(fields[5], strlen(fields[5]));
    if (row->signal == SIGNAL_NONE)
        return fault_set(fault, ST_REJECT, "no signal \"%.80s\"", fields[5]);
    if (fields[6][0] == '\0')
        return fault_set(fault, ST_REJECT, "no capture proves it");
    return ST_OK;
}

/* ---- one file */

/* Cut a line at its commas; false when there are not exactly seven fields. */
static bool line_fields(char *line, char *fields[MAKES_FIELDS])
{
    size_t n = 0;

    fields[n++] = line;
    for (; *line != '\0'; line++)
        if (*line == ',') {
            *line = '\0';
            if (n == MAKES_FIELDS)
                return false;
            fields[n++] = line + 1;
        }
    return n == MAKES_FIELDS;
}

static enum status line_read(struct makes *m, const char *make, char *line, bool *headed,
                             struct fault *fault)
{
    char *fields[MAKES_FIELDS];
    struct make_row *row = &m->rows[m->count];
    enum status st;

    if (line[0] == '\0' || line[0] == '#')
        return ST_OK;
    if (!*headed) {
        *headed = strcmp(line, makes_header) == 0;
        return *headed ? ST_OK
                       : fault_set(fault, ST_REJECT, "the first line is not %s", makes_header);
    }
    if (m->count == MAKES_ROWS_MAX)
        return fault_set(fault, ST_REJECT, "more than %d rows", MAKES_ROWS_MAX);
    if (!line_fields(line, fields))
        return fault_set(fault, ST_REJECT, "not seven fields");
    memset(row, 0, sizeof *row);
    snprintf(row->make, sizeof row->make, "%s", make);
    if ((st = row_read(row, fields, fault)) == ST_OK)
        m->count++;
    return st;
}

enum status makes_read(struct makes *m, const char *make, const char *text, size_t len,
                       struct fault *fault)
{
    char line[MAKES_LINE_MAX];
    size_t at = 0, number = 0;
    bool headed = false;
    struct fault why;

    while (at < len) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end == NULL ? len - at : (size_t)(end - (text + at));

        number++;
        if (n >= sizeof line || memchr(text + at, '\0', n) != NULL)
            return fault_set(fault, ST_REJECT, "%s.csv:%zu: not a line of text", make, number);
        memcpy(line, text + at, n);
        at += n + 1;
        while (n > 0 && (line[n - 1] == '\r' || line[n - 1] == ' '))
            n--;
        line[n] = '\0';
        if (line_read(m, make, line, &headed, &why) != ST_OK)
            return fault_set(fault, ST_REJECT, "%s.csv:%zu: %.200s", make, number, why.text);
    }
    return ST_OK;
}

static enum status makes_file(struct makes *m, const char *path, char *text, struct fault *fault)
{
    const char *name = strrchr(path, '/');
    char make[MAKES_NAME_MAX];
    FILE *file = fopen(path, "re");
    size_t len;
    bool broken;

    if (file == NULL)
        return fault_set(fault, ST_REJECT, "%s: %s", path, strerror(errno));
    len = fread(text, 1, MAKES_FILE_MAX + 1, file);
    broken = ferror(file) != 0;
    fclose(file);
    if (broken || len > MAKES_FILE_MAX)
        return fault_set(fault, ST_REJECT, "%s: not to be read, or above 256 KiB", path);
    name = name == NULL ? path : name + 1;
    snprintf(make, sizeof make, "%.*s", (int)(strlen(name) - 4), name);
    return makes_read(m, make, text, len, fault);
}

enum status makes_open(struct makes **out, const char *folder, struct fault *fault)
{
    struct makes *m = calloc(1, sizeof *m);
    char *text = malloc(MAKES_FILE_MAX + 1), pattern[600];
    enum status st = ST_OK;
    glob_t found;
    int rc;

    if (m == NULL || text == NULL) {
        free(m);
        free(text);
        return fault_set(fault, ST_FATAL, "out of memory");
    }
    snprintf(pattern, sizeof pattern, "%.560s/*.csv", folder);
    rc = folder[0] == '\0' ? GLOB_NOMATCH : glob(pattern, GLOB_ERR, NULL, &found);
    if (rc != 0 && folder[0] != '\0')
        st = fault_set(fault, ST_REJECT, "--makes: no table in %s", folder);
    for (size_t i = 0; rc == 0 && st == ST_OK && i < found.gl_pathc; i++)
        st = makes_file(m, found.gl_pathv[i], text, fault);
    if (rc == 0)
        globfree(&found);
    free(text);
    if (st != ST_OK) {
        free(m);
        return st;
    }
    *out = m;
    return ST_OK;
}

void makes_close(struct makes *m)
{
    free(m);
}

/* ---- use */

bool makes_row_is_for(const struct make_row *row, const char *vin)
{
    const char *word = row->wmi;

    while (*word == ' ' && word[1] != '\0') {
        size_t n = strcspn(word + 1, " ");

        if (strncmp(word + 1, vin, n) == 0)
            return true;
        word += 1 + n;
    }
    return false;
}

static bool row_matches(const struct make_row *row, uint32_t ecu, uint16_t did)
{
    return row->did == did && (ecu == 0 || row->ecu == ecu);
}

/* The one make with rows for this identifier; NULL when there are several or none. */
static const char *makes_only(const struct makes *m, uint32_t ecu, uint16_t did)
{
    const char *make = NULL;

    for (size_t i = 0; i < m->count; i++) {
        if (!row_matches(&m->rows[i], ecu, did))
            continue;
        if (make != NULL && strcmp(make, m->rows[i].make) != 0)
            return NULL;
        make = m->rows[i].make;
    }
    return make;
}

size_t makes_decode(const struct makes *m, const char *vin, uint32_t ecu, uint16_t did,
                    const uint8_t *data, size_t len, struct reading *out, size_t max)
{
    const char *only = vin[0] == '\0' ? makes_only(m, ecu, did) : NULL;
    size_t n = 0;

    for (size_t i = 0; i < m->count && n < max; i++) {
        const struct make_row *row = &m->rows[i];
        double value;

        if (!row_matches(row, ecu, did) || len < row->bytes ||
            !(vin[0] != '\0' ? makes_row_is_for(row, vin)
                             : only != NULL && strcmp(only, row->make) == 0) ||
            !formula_value(&row->formula, data, len, &value))
            continue;
        out[n].signal = row->signal;
        out[n++].value = value;
    }
    return n;
}
