/* vehicle/known.c - see known.h. */
#include "known.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "proto/json.h"

#define KNOWN_MAX (3 * JSON_MAX_BYTES) /* a configuration within a text: every quote is escaped */
#define KNOWN_PATH_MAX 600

static bool known_path(char out[KNOWN_PATH_MAX], const char *folder)
{
    return snprintf(out, KNOWN_PATH_MAX, "%s/known.json", folder) < KNOWN_PATH_MAX;
}

enum status known_write(const char *folder, const char *brokers, const char *config, size_t len,
                        struct fault *fault)
{
    char path[KNOWN_PATH_MAX], *bytes = NULL;
    json_t *known;
    enum status st;

    if (!known_path(path, folder))
        return fault_set(fault, ST_FATAL, "%s: too long a name", folder);
    known = json_pack("{s:s, s:s%, s:I}", "brokers", brokers, "config", config, len, "check",
                      (json_int_t)checksum_note(brokers, config, len));
    if (known == NULL || (bytes = json_dumps(known, JSON_COMPACT)) == NULL)
        st = fault_set(fault, ST_FATAL, "%s: what is known is not text", path);
    else
        st = text_write_file(path, bytes, strlen(bytes), 0600, fault);
    free(bytes);
    json_decref(known);
    return st;
}

static enum status known_take(const json_t *known, char brokers[CONFIG_BROKERS_MAX],
                              struct text *config)
{
    const char *named = json_string_value(json_object_get(known, "brokers"));
    const char *kept = json_string_value(json_object_get(known, "config"));
    size_t len = json_string_length(json_object_get(known, "config"));

    if (named == NULL || kept == NULL || strlen(named) >= CONFIG_BROKERS_MAX ||
        json_integer_value(json_object_get(known, "check")) != checksum_note(named, kept, len))
        return ST_REJECT;
    (void)text_copy(brokers, CONFIG_BROKERS_MAX, named);
    text_clear(config);
    text_add(config, kept, len);
    return config->failed ? ST_REJECT : ST_OK;
}

enum status known_read(const char *folder, char brokers[CONFIG_BROKERS_MAX], struct text *config,
                       struct fault *fault)
{
    char path[KNOWN_PATH_MAX];
    struct text file;
    json_t *known;
    enum status st;

    if (!known_path(path, folder))
        return fault_set(fault, ST_NONE, "%s: too long a name", folder);
    text_init(&file);
    st = text_read_file(&file, path, KNOWN_MAX, fault);
    if (st == ST_OK && (st = json_read(&known, file.bytes, file.len, KNOWN_MAX, fault)) == ST_OK) {
        if ((st = known_take(known, brokers, config)) != ST_OK)
            st = fault_set(fault, st, "%s: not as it was written", path);
        json_decref(known);
    }
    text_done(&file);
    return st;
}
